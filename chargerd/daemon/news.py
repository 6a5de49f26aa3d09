"""News: which events are told to people by mail or message, and the reports of charging sessions. Sinks carry them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Any, NamedTuple

from chargerd.daemon.context import Context
from chargerd.daemon.history import History
from chargerd.daemon.journal import INFO
from chargerd.daemon.narrator import line
from chargerd.daemon.status import session_row
from chargerd.model import events as e
from chargerd.model.reasons import ALARMS, OUTCOMES, duration, energy, next_step, sentence
from chargerd.model.state import Session, Site
from chargerd.sinks.base import Curve, Message

TOGETHER = 3  # more news than this is one message
LINES = 100  # … of so many lines at most
HEAD = ("LOADPOINT", "ENDED", "TOOK", "ENERGY", "SOLAR", "CHARGE", "COST", "HOW IT ENDED")
SOLAR = HEAD.index("SOLAR")  # left out where nothing knows of the sun
CURVES = 12
POINTS = 400  # more than a picture has room for


class News(NamedTuple):
    """Something to tell. ``kind`` is what a sink's ``tell`` may name."""

    kind: str
    title: str
    text: str
    at_ms: int
    alarm: bool
    seq: int


def news_of(
    event: e.Event,
    site: Site,
    zone: tzinfo,
    session_of: Callable[[int], Session | None],
    state_before: Callable[[e.Event], Site] | None = None,
) -> News | None:
    """What an event means to somebody who is not there; None for nearly all of them.

    ``state_before`` gives the state before an event: one that the journal mentions in passing, as that an inverter sleeps, is no
    news, and whether it was so then ``site``, which is of now, does not know.
    """
    body = event.body
    if isinstance(body, e.Decided):
        return None if body.outcome is None else _ended(event, body, zone, session_of)
    told = _TOLD.get(type(body))
    if told is None or (isinstance(body, e.PlanFired) and (body.step != "over" or body.reached)):
        return None
    said = line(event, site, zone, None if state_before is None else state_before(event))
    if said is None or said.priority >= INFO:
        return None
    kind, alarm = told
    return News(kind, said.text.partition(";")[0], said.text, event.at_ms, alarm, event.seq)


_TOLD: dict[type, tuple[str, bool]] = {
    e.DeviceLost: ("lost", True),
    e.DeviceBack: ("lost", False),
    e.MeterLost: ("lost", True),
    e.MeterBack: ("lost", False),
    e.PlanFired: ("alarm", True),
    e.RecordingLost: ("alarm", True),
    e.RecordingBack: ("alarm", False),
    e.LogSetAside: ("alarm", True),
    e.SinkLost: ("alarm", True),
}


def _ended(event: e.Event, fact: e.Decided, zone: tzinfo, session_of: Callable[[int], Session | None]) -> News:
    outcome, reason = fact.outcome or "", fact.limit or fact.reason
    session = None if fact.session is None else session_of(fact.session)
    took = "" if session is None else f"; {energy(session.energy_wh)} in {duration(session.on_ms / 1000)}"
    step = next_step(reason, zone)
    text = f"{fact.loadpoint}: {sentence(reason, zone)}{took}.{f' {step}' if step else ''}"
    alarm = outcome in ALARMS
    return News(
        "alarm" if alarm else "finished", f"{fact.loadpoint}: {OUTCOMES[outcome]}", text, event.at_ms, alarm, event.seq
    )


def messages(news: Sequence[News], zone: tzinfo) -> Iterator[tuple[Message, int]]:
    """The messages that tell some news, each with the seq up to which it tells: one for each, or one for a long silence."""
    if len(news) <= TOGETHER:
        for one in news:
            yield Message(one.title, f"{one.text}\n{_when(one.at_ms, zone)}", one.alarm), one.seq
        return
    lines = [f"{_when(one.at_ms, zone)}  {one.text}" for one in news[:LINES]]
    if len(news) > LINES:
        lines.append(f"… and {len(news) - LINES} more: chargerctl log")
    title = f"{len(news)} things since {_when(news[0].at_ms, zone)}"
    yield Message(title, "\n".join(lines), any(one.alarm for one in news)), news[-1].seq


def report(context: Context, found: Sequence[Session], log: History, since_ms: int, until_ms: int) -> Message:
    """Charging sessions as a table, those with the most energy first, and their curves."""
    rows = sorted((_row(context, session) for session in found), key=lambda row: -row["energy_wh"])
    total = energy(sum(session.energy_wh for session in found))
    site, zone = context.site, context.zone
    span = f"{_when(since_ms, zone)} to {_when(until_ms, zone)}"
    count = f"{len(found)} charge{'' if len(found) == 1 else 's'}"
    if not found:
        return Message(f"{site.configuration.site}: nothing was charged", f"No charging session ended, {span}.")
    cells = [HEAD, *map(_cells, rows)]
    sunny = any(row["solar_pct"] is not None for row in rows)
    table = tuple(row if sunny else (*row[:SOLAR], *row[SOLAR + 1 :]) for row in cells)
    curves = tuple(curve for session in found[-CURVES:] if (curve := _curve(site, session, log)) is not None)
    alarm = any(session.outcome in ALARMS for session in found)
    return Message(f"{site.configuration.site}: {count}, {total}", f"{count}, {total}, {span}.", alarm, table, curves)


def _row(context: Context, session: Session) -> dict[str, Any]:
    settings = context.site.configuration.loadpoints.get(session.loadpoint)
    return session_row(context, session, None if settings is None else settings.profile)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    charge_ah, cost = row["charge_ah"], row["cost"]
    return (
        row["loadpoint"],
        "" if row["ended_local"] is None else row["ended_local"][:16].replace("T", " "),
        duration(row["on_s"]),
        energy(row["energy_wh"]),
        "" if row["solar_pct"] is None else f"{row['solar_pct']:.0f} %",
        "" if charge_ah is None else f"≈{charge_ah:.1f} Ah",
        "" if cost is None else f"{cost:.2f} {row['currency']}",
        row["text"],
    )


def _curve(site: Site, session: Session, log: History) -> Curve | None:
    settings = site.configuration.loadpoints.get(session.loadpoint)
    if settings is None or session.ended_at_ms is None:
        return None
    source, _, channel = settings.charger.partition("/")
    points = []
    for event in log.read(session.number, log.seq_at(session.ended_at_ms + 1) - 1):
        body = event.body
        if not isinstance(body, e.ChargerRead) or (event.source, body.channel) != (source, channel):
            continue
        if body.power_w is not None:
            points.append(((event.at_ms - session.started_at_ms) / 3_600_000, body.power_w if body.enabled else 0.0))
    step = -(-len(points) // POINTS) or 1
    kept = tuple(points[::step])
    return Curve(session.loadpoint, kept) if len(kept) > 1 else None


def _when(at_ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%a %Y-%m-%d %H:%M")
