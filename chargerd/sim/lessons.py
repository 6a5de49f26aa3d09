"""Lessons: `chargerd learn`: choose a charge, learn from it, and print the profile that it proposes, ready to paste.

All that is printed is TOML: the picture and the sentences are comments in it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from chargerd.model.settings import Profile
from chargerd.sim.refused import FAILED, NO_SUCH, USAGE, Refused

if TYPE_CHECKING:
    from datetime import tzinfo

    from chargerd.engine.learn import Known, Lesson
    from chargerd.model.settings import Configuration
    from chargerd.sim.charges import Charge
    from chargerd.store.reader import Reader

NAME = r"[A-Za-z0-9_.-]{1,40}"
TOLD = 3  # charges that taught nothing, in a sentence
WIDTH = 78
NO_PACK = "an EVSE, whose vehicle ends the charge itself; profiles are of packs on plugs"
ENDS_BEFORE = "a charge to {} ends before the pack is full"
KEYS = (
    "nominal_start_w", "nominal_stop_w", "full_w", "margin_w", "idle_w", "max_power_w", "max_energy_wh", "max_h",
    "never_full_h", "capacity_ah", "voltage_v", "efficiency",
)  # fmt: skip


class Tried(Struct, frozen=True):
    """A charge and what it taught."""

    charge: Charge
    lesson: Lesson


def add(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Add the sub-command to chargerd's parser."""
    parser = commands.add_parser("learn", parents=[shared], help="propose a profile from a full charge")
    parser.add_argument("loadpoint", metavar="NAME", help="a loadpoint, or a name in the file")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--session", metavar="TIME", help="the charge that ran at this time")
    which.add_argument("--number", type=int, metavar="N", help="the charge of this number")
    which.add_argument("--last", action="store_true", help="the last charge, whatever it is")
    which.add_argument("--file", type=Path, metavar="FILE", help="a charge in a CSV file, not in the log")
    parser.add_argument("--name", metavar="PROFILE", help="name of the profile (NAME-pack)")
    parser.add_argument("--capacity-ah", type=float, metavar="AH", help="what the pack's label says")
    parser.add_argument("--voltage-v", type=float, metavar="V", help="what the pack's label says")
    parser.add_argument(
        "--from", dest="from_level", metavar="LEVEL", help="level at which the charge began, as in 20%%"
    )
    parser.add_argument("--ascii", action="store_true", help="draw with ASCII")
    parser.set_defaults(what="learn")


def lesson_of(
    asked: argparse.Namespace, log: Reader | None, at_ms: int | None, zone: tzinfo
) -> tuple[Tried, list[Tried]]:
    """The charge that teaches, and the newer ones that do not. Raises `Refused` if none does."""
    from chargerd.engine.learn import Lesson, learn
    from chargerd.sim import charges
    from chargerd.sim.chain import configuration_of

    name = asked.name or f"{asked.loadpoint}-pack"[:40]
    if not re.fullmatch(NAME, name):
        raise Refused(USAGE, f'"{name[:60]}" is no name of a profile: 1 to 40 letters, digits and the signs . _ -')
    configuration = None if log is None else configuration_of(log)
    known = _known(asked, configuration)
    if log is None:
        found: Sequence[Any] = charges.of_file(asked.file, asked.loadpoint)
    else:
        _is_known(asked.loadpoint, configuration)
        found = charges.of_log(log, asked.loadpoint, at_ms=at_ms, number=asked.number, last=asked.last)
    others: list[Tried] = []
    chosen = at_ms is not None or asked.number is not None or asked.last
    for one in found:
        charge = one if log is None else _read(log, one, chosen=chosen)
        said = charge.session.from_pct if charge.session is not None and known.from_pct is None else known.from_pct
        lesson = Lesson()
        if charge.points is not None:
            lesson = learn(charge.points, name, replace(known, from_pct=said))
        if lesson.profile is not None:
            return Tried(charge, lesson), others
        others.append(Tried(charge, lesson))
    raise _nothing(asked, others, zone)


def _read(log: Reader, session: Any, *, chosen: bool) -> Charge:
    from chargerd.sim import charges

    if not session.target:
        return charges.Charge(session.started_at_ms, None, session, NO_PACK)
    if session.target != "full" and not chosen:
        return charges.Charge(session.started_at_ms, None, session, ENDS_BEFORE.format(session.target))
    return charges.readings(log, session)


def _known(asked: argparse.Namespace, configuration: Configuration | None) -> Known:
    """What is known of the pack: what was said now, else what the configuration says."""
    from chargerd.engine.learn import Known

    from_pct = None
    if asked.from_level is not None:
        digits = asked.from_level.removesuffix("%").strip()
        if not re.fullmatch(r"\d{1,2}(\.\d+)?", digits):
            raise Refused(USAGE, f'"{asked.from_level[:40]}" is no level at which a charge began; write 20%.')
        from_pct = float(digits)
    for key, low, high in (("capacity_ah", 0.1, 1000), ("voltage_v", 1, 1000)):
        value = getattr(asked, key)
        if value is not None and not low <= value <= high:
            raise Refused(USAGE, f"--{key.replace('_', '-')} must be from {low:g} to {high:g}, not {value:g}.")
    points = {} if configuration is None else configuration.loadpoints
    profile = points[asked.loadpoint].profile if asked.loadpoint in points else None
    capacity_ah = asked.capacity_ah or (profile.capacity_ah if profile else None)
    voltage_v = asked.voltage_v or (profile.voltage_v if profile else Known().voltage_v)
    own = asked.capacity_ah is None and profile is not None  # another pack than the configured one has another charger
    return Known(capacity_ah, voltage_v, profile.efficiency if own and profile else None, from_pct)


def _is_known(name: str, configuration: Configuration | None) -> None:
    from difflib import get_close_matches

    names = [] if configuration is None else list(configuration.loadpoints)
    if name in names:
        return
    close = get_close_matches(name, names, 1, 0.6)
    meant = f" Did you mean {close[0]}?" if close else ""
    raise Refused(NO_SUCH, f'no loadpoint "{name[:60]}".{meant}', hint=f"Known: {' '.join(names) or 'none'}")


def _nothing(asked: argparse.Namespace, others: list[Tried], zone: tzinfo) -> Refused:
    """Why no charge taught anything, and how to make one that does."""
    told = "; ".join(f"{_when(tried.charge, zone)}: {_why(tried)}" for tried in others[:TOLD])
    more = f"; and {len(others) - TOLD} more" if len(others) > TOLD else ""
    return Refused(
        FAILED,
        f"nothing was learnt, so no profile is proposed: {told}{more}.",
        hint="A whole charge is needed, of one pack, from well below full to its end:"
        f" chargerctl profile learn {asked.loadpoint} --watch",
    )


def _why(tried: Tried) -> str:
    return tried.charge.why if tried.lesson.fault is None else tried.lesson.fault.text


def _when(charge: Charge, zone: tzinfo) -> str:
    from datetime import datetime

    if charge.began_ms is None:
        return "the charge in the file"
    return f"{datetime.fromtimestamp(charge.began_ms / 1000, zone):%Y-%m-%d %H:%M}"


def text(asked: argparse.Namespace, tried: Tried, others: list[Tried], zone: tzinfo) -> str:
    """The proposal as TOML, with its picture and reasons as comments."""
    from chargerd.sim.picture import drawn

    lesson, name = tried.lesson, asked.loadpoint
    shape, profile = lesson.shape, lesson.profile
    assert shape is not None
    assert profile is not None
    hours, minutes = divmod(round(shape.seconds / 60), 60)
    said = [
        f"Learnt from the charge of {name} that began {_when(tried.charge, zone)}: {hours} h {minutes:02} min,"
        f" {shape.total_wh:.0f} Wh. Confidence: {lesson.confidence}.",
        *(f"Not sure: {doubt.text}." for doubt in lesson.doubts),
        *(f"Not used: {_when(other.charge, zone)}, {_why(other)}." for other in others[:TOLD]),
    ]
    marks = [(shape.knee_t_s, "k"), (lesson.nominal_t_s, "n"), (lesson.full_t_s, "f")]
    levels = [profile.nominal_stop_w, profile.full_w]
    lines = [line for sentence in said for line in wrap(sentence, WIDTH)]
    lines += ["", *drawn(shape.looks, marks, levels, width=WIDTH, ascii_only=asked.ascii), ""]
    lines += _legend(lesson)
    return "\n".join(
        [
            *(f"# {line}".rstrip() for line in lines),
            "",
            toml(lesson),
            f'# and in [loadpoint.{name}]: vehicle = "{profile.name}"',
        ]
    )


def _legend(lesson: Lesson) -> list[str]:
    shape, profile = lesson.shape, lesson.profile
    assert shape is not None
    assert profile is not None
    tail = "still falling at the end" if shape.tail_w is None else f"up to {shape.tail_w:.1f} W"
    nominal = f"{profile.nominal_stop_w:g} W after {_clock(lesson.nominal_t_s)}, {lesson.nominal_wh:.0f} Wh"
    full = f"{profile.full_w:g} W after {_clock(lesson.full_t_s)}, {lesson.full_wh:.0f} Wh"
    return [
        f"   plateau  {shape.low_w:.0f} to {shape.peak_w:.0f} W",
        f"k  knee     after {_clock(shape.knee_t_s)}; then down by {shape.slope_w_per_min:.1f} W a minute",
        f"n  nominal  {nominal}{_level(lesson.nominal_pct)}",
        f"f  full     {full}{_level(lesson.full_pct)}",
        f"   tail     {tail}",
    ]


def _level(pct: float | None) -> str:
    return "" if pct is None else f": about {pct:.0f} % of what this charger gives"


def _clock(t_s: float) -> str:
    hours, minutes = divmod(round(t_s / 60), 60)
    return f"{hours}:{minutes:02} h"


def toml(lesson: Lesson) -> str:
    """The profile as a table for the configuration file."""
    profile = lesson.profile
    assert profile is not None
    lines = [f"[vehicle.{profile.name}]" if "." not in profile.name else f'[vehicle."{profile.name}"]']
    for key, value in values(lesson).items():
        lines.append(f"{key} = {value:g}")
    lines.append("# storage stops as nominal does: a level of 60 % lies in the plateau, unseen")
    return "\n".join(lines)


def values(lesson: Lesson) -> dict[str, float]:
    """The keys of the profile that are worth writing down: what was learnt, and what was known of the pack."""
    profile = lesson.profile
    assert profile is not None
    plain = Profile("")
    found = {key: getattr(profile, key) for key in KEYS}
    return {key: value for key, value in found.items() if value not in (None, getattr(plain, key))}


def fields(asked: argparse.Namespace, tried: Tried, others: list[Tried]) -> dict[str, Any]:
    """The same for programs."""
    lesson, session = tried.lesson, tried.charge.session
    shape, profile = lesson.shape, lesson.profile
    assert shape is not None
    assert profile is not None
    from chargerd.daemon.times import utc_text

    return {
        "kind": "lesson",
        "loadpoint": asked.loadpoint,
        "session": None if session is None else session.number,
        "began_at": None if tried.charge.began_ms is None else utc_text(tried.charge.began_ms),
        "duration_s": round(shape.seconds),
        "energy_wh": round(shape.total_wh, 1),
        "confidence": lesson.confidence,
        "doubts": [{"code": doubt.code, "text": doubt.text} for doubt in lesson.doubts],
        "not_used": [
            {"session": None if o.charge.session is None else o.charge.session.number, "text": _why(o)} for o in others
        ],
        "profile": {"name": profile.name, **values(lesson)},
        "toml": toml(lesson),
        "plateau_low_w": round(shape.low_w, 1),
        "plateau_high_w": round(shape.peak_w, 1),
        "knee_s": round(shape.knee_t_s),
        "knee_wh": round(shape.energy_at(shape.knee_t_s), 1),
        "slope_w_per_min": round(shape.slope_w_per_min, 2),
        "nominal_s": round(lesson.nominal_t_s),
        "nominal_wh": round(lesson.nominal_wh, 1),
        "nominal_pct": None if lesson.nominal_pct is None else round(lesson.nominal_pct, 1),
        "full_s": round(lesson.full_t_s),
        "full_wh": round(lesson.full_wh, 1),
        "full_pct": None if lesson.full_pct is None else round(lesson.full_pct, 1),
        "tail_w": None if shape.tail_w is None else round(shape.tail_w, 2),
        "idle_w": round(shape.idle_w, 2),
        "stepped": shape.stepped,
        "storage_w": None,
        "curve": [[round(t), round(w, 2)] for t, w in shape.looks],
    }
