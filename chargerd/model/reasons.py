"""Reasons: every code that can explain a decision, the sentence people read, and the word for the state it leads to.

CLI, web page and journal all print from this table. A sentence names its values; units follow from the name's ending:
``_w`` power, ``_wh`` energy, ``_s`` a duration, ``_pct`` percent, ``_at_ms`` a time of day at the site.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

from msgspec import Struct

from chargerd.model import reasons_sun
from chargerd.model.events import Reason
from chargerd.model.settings import Scalar


class Text(Struct, frozen=True):
    """One line of the table. ``word`` is shown for the state; ``next_step`` is what a person can do, if anything."""

    sentence: str
    word: str
    next_step: str = ""


REASONS: dict[str, Text] = {
    # policy off
    "mode-off": Text("mode is off", "off"),
    # policy threshold: the way in
    "switching-on": Text("switching on, try {attempt} of {attempts}", "starting"),
    "waiting-for-power": Text("on for {on_s}, waiting for the charger to draw power", "starting"),
    "setup-pulse": Text("no power on try {attempt} of {attempts}; off for a moment", "starting"),
    "above-start-level": Text(
        "already full enough: draws {power_w}, less than the {start_w} a pack must draw to be charged to {target}",
        "full",
        "to charge it all the same: chargerctl target {loadpoint} full --once",
    ),
    "no-charger": Text(
        "no power flows after {attempts:try}: no charger or no battery on the plug, or one of them is dead",
        "no charger",
        "check the charger's lamp and the socket, then chargerctl mode {loadpoint} fast",
    ),
    "no-battery": Text(
        "the charger draws only {power_w}: no battery is connected",
        "no battery",
        "connect the battery, then chargerctl mode {loadpoint} fast",
    ),
    # policy threshold: charging
    "charging-to-cutoff": Text("drawing {power_w}, until it falls below {stop_w}", "charging"),
    "confirming-cutoff": Text(
        "drawing {power_w}, below {stop_w} for {below_s}; cuts off after {confirm_s}", "charging"
    ),
    "confirming-plateau": Text(
        "power has settled at {power_w} near {stop_w}; full after {confirm_s} of it", "charging"
    ),
    "charging-to-energy": Text("drawing {power_w}, {left_wh} to go to storage level", "charging"),
    "no-reading": Text("the charger has not been read yet", "unknown"),
    # policy threshold: the ways out
    "cutoff-reached": Text("cut off: below {stop_w} for {below_s}", "finished"),
    "energy-reached": Text("cut off: {energy_wh} taken, which brings it from {from_pct} to storage level", "finished"),
    "cutoff-counted": Text("cut off: {readings:reading} below {stop_w}", "finished"),
    "plateau-reached": Text("cut off: full, power has kept to {power_w} for {flat_s}", "finished"),
    "step-reached": Text(
        "cut off: full, power fell to {power_w} in one step and stayed there for {flat_s}", "finished"
    ),
    "battery-removed": Text("power fell from {before_w} to {power_w} at once: the battery was taken off", "removed"),
    "never-full": Text(
        "power has stayed above {stop_w} for {near_s} and never reached it: not full, or the profile does not fit",
        "not full",
        "look at the curve: chargerctl log {loadpoint} --all; set full_w above {power_w} if this charger idles there",
    ),
    # limits that end a session
    "time-limit": Text(
        "on for {on_s}, the longest a session may take",
        "stopped",
        "a pack that needs longer: max_h in its profile",
    ),
    "energy-limit": Text(
        "{energy_wh} taken, more than this pack can hold ({limit_wh})",
        "stopped",
        "check the battery; if it is larger than configured: capacity_ah or max_energy_wh in its profile",
    ),
    "power-limit": Text(
        "draws {power_w}, more than this charger can ({limit_w})",
        "stopped",
        "is something else on this plug? If the charger is larger than configured: charger_a or max_power_w",
    ),
    "foreign-pack": Text(
        "power keeps to {plateau_w}, and this pack's charges have kept to {usual_w}: another pack or another charger?",
        "stopped",
        "if it is all right, begin again and it is learnt: chargerctl mode {loadpoint} fast",
    ),
    "taper-stalled": Text(
        "power has been falling for {falling_s} and still is {power_w}, not below {stop_w}; {longest_s} is the longest",
        "stopped",
        "feel whether the pack is warm; a worn pack does this. Begin again: chargerctl mode {loadpoint} fast",
    ),
    "restart-pulses": Text(
        "the charger has come up from rest {pulses:time} in {within_s}: full and pulsing, or a pack that cuts in and out",
        "stopped",
        "look at the curve: chargerctl log {loadpoint} --all; begin again: chargerctl mode {loadpoint} fast",
    ),
    "storage-cycles": Text(
        "charged to storage {cycles:time} already; {allowed} are allowed",
        "stored",
        "to allow as many again: chargerctl target {loadpoint} storage",
    ),
    "no-effect": Text(
        "the charger was switched on {attempts:time} and stays off",
        "fault",
        "chargerctl device read {device}; is the plug's button stuck or its schedule switched on in the app?",
    ),
    # limits that hold back
    "stopping": Text("chargerd is ending; the charger's own timer takes over for {lease_s}", "paused"),
    "stopping-off": Text("chargerd is ending and nothing else would end this charge", "paused"),
    "held": Text("on hold by {by}: chargerd watches and sends nothing", "held", "chargerctl release"),
    "stale-reading": Text(
        "the charger has not been read for {age_s}; not charged unwatched", "unknown", "chargerctl device list"
    ),
    "outside-window": Text("outside its hours; goes on at {opens_at_ms}", "waiting"),
    "observing": Text("chargerd has just started and looks before it switches anything on", "waiting"),
    "not-recorded": Text(
        "the log cannot be written, so nothing is switched on", "paused", "make room: df -h /var/lib/chargerd"
    ),
    "starts-used-up": Text(
        "switched on {starts:time} in 24 h; {allowed} are allowed",
        "paused",
        "chargerctl set {loadpoint} max_starts_per_day={more}",
    ),
    "minimum-off-time": Text("switched off {off_s} ago; stays off for {min_off_s} at least", "waiting"),
    "minimum-on-time": Text("switched on {on_s} ago; stays on for {min_on_s} at least", "charging"),
    "retry-later": Text("the charger did not follow {attempts:time}; tried again at {retry_at_ms}", "waiting"),
    # ways a session ends that nobody's policy chose
    "stopped": Text("stopped by {by}", "off"),
    "switched-off-elsewhere": Text("switched off at the plug or in its app", "off"),
    "removed-from-configuration": Text("the configuration no longer names this loadpoint", "off"),
    # commands that are not switching
    "lease-renewal": Text("renewing the charger's own timer", "charging"),
}

REASONS |= {code: Text(sentence, word, step) for code, (sentence, word, step, _) in reasons_sun.LINES.items()}

PAST: dict[str, str] = {
    "mode-off": "its mode was off",
    "switching-on": "it was being switched on, try {attempt} of {attempts}",
    "waiting-for-power": "it had been on for {on_s} and the charger was yet to draw power",
    "setup-pulse": "no power had come on try {attempt} of {attempts}, and it was off for a moment",
    "above-start-level": "it drew {power_w}, less than the {start_w} a pack must draw to be charged to {target}",
    "no-charger": "no power had come after {attempts:try}: no charger or no battery on the plug, or one of them dead",
    "no-battery": "the charger drew only {power_w}: no battery was connected",
    "charging-to-cutoff": "it drew {power_w} and was to stop below {stop_w}",
    "confirming-cutoff": "it drew {power_w}, had been below {stop_w} for {below_s}, and is cut off after {confirm_s} of that",
    "confirming-plateau": "power had settled at {power_w} near {stop_w}, which means full after {confirm_s}",
    "charging-to-energy": "it drew {power_w}, with {left_wh} to go to storage level",
    "no-reading": "the charger had not been read yet",
    "cutoff-reached": "it had been below {stop_w} for {below_s} and was cut off",
    "energy-reached": "{energy_wh} had been taken, which brought it from {from_pct} to storage level",
    "cutoff-counted": "{readings:reading} had been below {stop_w} and it was cut off",
    "plateau-reached": "power had kept to {power_w} for {flat_s}, which is full, and it was cut off",
    "step-reached": "power had fallen to {power_w} in one step and stayed there for {flat_s}, which is full",
    "battery-removed": "power had fallen from {before_w} to {power_w} at once: the battery had been taken off",
    "never-full": "power had stayed above {stop_w} for {near_s} and never reached it",
    "time-limit": "it had been on for {on_s}, the longest a session may take",
    "energy-limit": "{energy_wh} had been taken, more than this pack can hold ({limit_wh})",
    "power-limit": "it drew {power_w}, more than this charger can ({limit_w})",
    "foreign-pack": "power kept to {plateau_w} where this pack's charges had kept to {usual_w}",
    "taper-stalled": "power had been falling for {falling_s} and was still {power_w}, not below {stop_w}",
    "restart-pulses": "the charger had come up from rest {pulses:time} in {within_s}",
    "storage-cycles": "it had been charged to storage {cycles:time}, and {allowed} were allowed",
    "no-effect": "the charger had been switched on {attempts:time} and stayed off",
    "stopping": "chargerd was ending and the charger's own timer took over for {lease_s}",
    "stopping-off": "chargerd was ending and nothing else would have ended this charge",
    "held": "{by} held it: chargerd watched and sent nothing",
    "stale-reading": "the charger had not been read for {age_s}, and nothing is charged unwatched",
    "outside-window": "it was outside its hours, which were to begin at {opens_at_ms}",
    "observing": "chargerd had just started and looked before it switched anything on",
    "not-recorded": "the log could not be written, so nothing was switched on",
    "starts-used-up": "it had been switched on {starts:time} in 24 h, and {allowed} were allowed",
    "minimum-off-time": "it had been switched off {off_s} before and stays off for {min_off_s} at least",
    "minimum-on-time": "it had been switched on {on_s} before and stays on for {min_on_s} at least",
    "retry-later": "the charger had not followed {attempts:time} and was to be tried again at {retry_at_ms}",
    "stopped": "{by} had stopped it",
    "switched-off-elsewhere": "it had been switched off at the plug or in its app",
    "removed-from-configuration": "the configuration no longer named it",
    "lease-renewal": "the charger's own timer was being renewed",
}
"""The same sentences about a past moment, to stand after "because"."""
PAST |= {code: past for code, (_, _, _, past) in reasons_sun.LINES.items()}

OUTCOMES: dict[str, str] = {
    "finished": "reached its target",
    "already-full": "was full enough from the start",
    "no-charger": "no power at all",
    "no-battery": "a charger without a battery",
    "removed": "battery taken off",
    "never-reached": "never reached its target",
    "time-limit": "longest time reached",
    "energy-limit": "most energy reached",
    "power-limit": "drew more than it can",
    "foreign-pack": "another pack or charger than before",
    "taper-stalled": "power did not come down in time",
    "restart-pulses": "the charger started again and again",
    "storage-cycles": "stored often enough",
    "fault": "the charger did not follow",
    "stopped": "stopped by a person",
    "removed-from-configuration": "no longer configured",
    **reasons_sun.OUTCOMES,
}
"""How a charging session can end."""

ALARMS = frozenset(
    {"never-reached", "time-limit", "energy-limit", "power-limit", "foreign-pack", "taper-stalled", "restart-pulses", "fault",
     "no-charger", "no-battery"}
)  # fmt: skip
"""Outcomes that a person should look at."""


def sentence(reason: Reason, zone: tzinfo = UTC) -> str:
    """The reason as people read it. A value that is missing shows as "?", never as an error."""
    return _filled(REASONS[reason.code].sentence, reason.values, zone)


def past(reason: Reason, zone: tzinfo = UTC) -> str:
    """The reason as people read it of a past moment, to stand after "because"."""
    return _filled(PAST[reason.code], reason.values, zone)


def next_step(reason: Reason, zone: tzinfo = UTC) -> str:
    """What a person can do about it; empty if nothing needs doing."""
    return _filled(REASONS[reason.code].next_step, reason.values, zone)


def word(reason: Reason, *, flows: bool = True) -> str:
    """The word that people read for the state this reason leads to. ``flows`` False: the charger is off or nothing is taken.

    A reason of charging may be what keeps it from that as well: a fuse that leaves less than the least current.
    """
    said = REASONS[reason.code].word
    return "waiting" if said == "charging" and not flows else said


def _filled(template: str, values: Mapping[str, Scalar], zone: tzinfo) -> str:
    names = [name for _, name, _, _ in string.Formatter().parse(template) if name]
    return template.format(**{name: _Shown.of(name, values.get(name), zone) for name in names})


class _Shown(str):
    """A value's text. With a noun behind the colon of its field it counts that: "{tries:try}" is "1 try", "2 tries".

    Behind the share of the sun that a loadpoint has stands "to use" or "of sun to use": where there is none, who takes it.
    """

    __slots__ = ("short_w",)
    short_w: float

    @classmethod
    def of(cls, name: str, value: Scalar, zone: tzinfo) -> _Shown:
        """A named value. A share below nothing is nothing; by how much is kept."""
        share_w = value if name in SHARES and isinstance(value, int | float) else 0.0
        made = cls(shown(name, max(0.0, value) if share_w < 0 and isinstance(value, int | float) else value, zone))
        made.short_w = max(0.0, -share_w)
        return made

    def __format__(self, noun: str) -> str:
        if not noun:
            return str(self)
        if noun in _USES:
            if self.short_w < SHORT_W:
                return f"{self!s} {noun.removesuffix(' then')}"
            takes, gives = ("took", "gave") if noun.endswith("then") else ("takes", "gives")
            return f"no sun to use (all else {takes} {power(self.short_w)} more than it {gives})"
        many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
        return f"{self!s} {noun if self == '1' else many}"


SHARES = frozenset({"share_w", "mean_w"})
"""Values that are what the sun leaves over for a loadpoint: below nothing when all else takes more than there is."""
SHORT_W = 20.0  # by less than this nobody is short of anything
_USES = frozenset({"to use", "to use then", "of sun to use then"})


def shown(name: str, value: Scalar, zone: tzinfo = UTC) -> str:
    """A named value as text for people: the unit follows from the name."""
    if value is None:
        return "?"
    if isinstance(value, str | bool):
        return str(value)
    if name.endswith("_at_ms"):
        return datetime.fromtimestamp(value / 1000, zone).strftime("%H:%M")
    if name.endswith("_wh"):
        return energy(value)
    if name.endswith("_w"):
        return power(value)
    if name.endswith("_s"):
        return duration(value)
    if name.endswith("_pct"):
        return f"{value:.0f} %"
    return f"{round(value, 1):g}" if name.endswith("_a") else f"{value:g}"


def setting_text(key: str, value: Scalar) -> str:
    """A setting's value as text for people, with its unit: "16 A", "2.5 h", "10 min", "not set"."""
    if value is None:
        return "not set"
    unit = next((unit for end, unit in (("_a", " A"), ("_h", " h")) if key.endswith(end)), "")
    return f"{value:g}{unit}" if unit and not isinstance(value, str) else shown(key, value)


def power(power_w: float) -> str:
    """Power for people: "5.2 W", "103 W", "2.8 kW"."""
    if abs(power_w) >= 1000:
        return f"{power_w / 1000:.1f} kW"
    return f"{power_w:.0f} W" if abs(power_w) >= 20 or power_w == int(power_w) else f"{power_w:.1f} W"


def energy(energy_wh: float) -> str:
    """Energy for people: "412 Wh", "7.1 kWh"."""
    return f"{energy_wh / 1000:.1f} kWh" if abs(energy_wh) >= 1000 else f"{energy_wh:.0f} Wh"


def duration(seconds: float) -> str:
    """A duration for people: "48 s", "11 min", "2 h 24 min", "3 d 4 h"."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, left = divmod(hours, 24)
    return f"{days} d {left} h" if left else f"{days} d"
