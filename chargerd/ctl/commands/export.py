"""Export: a copy of the log, and tables of what is in it. Done by the daemon's own program."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, completes
from chargerd.ctl.commands.program import add_file, add_span, add_state, become, given

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import NoReturn

    from chargerd.ctl.commands.base import Call

READINGS = {
    "kind": ("string", '"reading"; not in the CSV'),
    "at": ("string", "when it arrived, UTC"),
    "seq": ("int", "number of the event"),
    "loadpoint": ("?string", "the loadpoint that had this charger then"),
    "charger": ("string", "device or device/channel, also of a meter or a house battery"),
    "role": ("string", "charger, grid, pv, load or storage, as configured then"),
    "name": ("?string", "the loadpoint, meter or house battery that had this address then"),
    "soc_pct": ("?float", "house battery: its level"),
    "import_wh": ("?float", "meter: its counter of import"),
    "export_wh": ("?float", "meter: its counter of export; inverter: of production"),
    "dc_power_w": ("?float", "inverter: what it takes from its panels"),
    "temperature_c": ("?float", "inverter, house battery: its temperature"),
    "status": ("?string", "the device's own word"),
    "pilot": ("?string", "EVSE: letter of IEC 61851"),
    "offered_a": ("?float", "EVSE: the current that it was set to"),
    "phases": ("?int", "EVSE: the phases that it was switched to"),
    "current_l1_a": ("?float", "EVSE, meter: current on L1"),
    "current_l2_a": ("?float", "EVSE, meter: current on L2"),
    "current_l3_a": ("?float", "EVSE, meter: current on L3"),
    "enabled": ("?bool", "whether it was on"),
    "power_w": ("?float", "power"),
    "voltage_v": ("?float", "voltage"),
    "current_a": ("?float", "current"),
    "energy_wh": ("?float", "the device's own counter, which may fall to 0"),
    "lease_s": ("?int", "what is left of a cut-off timer in the device"),
    "timer": ("?string", "whose timer that is: ours or foreign"),
    "measured_at": ("?string", "the device's own time of the measurement, UTC"),
}
SESSIONS = {
    "kind": ("string", '"session"; not in the CSV'),
    "number": ("int", "number of the event that began it"),
    "loadpoint": ("string", "where"),
    "profile": ("string", "profile of charger and battery"),
    "target": ("string", "nominal, full or storage"),
    "by": ("string", "who asked for it"),
    "started_at": ("string", "start, UTC"),
    "ended_at": ("string", "end, UTC"),
    "duration_s": ("float", "from start to end"),
    "on_s": ("float", "how long the charger was on"),
    "energy_wh": ("float", "energy at the socket, from power over time"),
    "estimated_wh": ("float", "the part of it that lies in gaps between readings"),
    "peak_w": ("float", "highest power"),
    "outcome": ("string", "how it ended"),
    "reason": ("?string", "code of the reason for that"),
    "solar_wh": ("?float", "the part of its energy that came from the sun; null where nobody looked"),
    "cost": ("?float", "what it cost; null if no price was known"),
    "priced_wh": ("float", "energy that the cost is of"),
    "currency": ("?string", "currency of the cost"),
}
_TABLES = "Times are UTC. What is not known is empty in CSV and null in JSON. Straight from the log; needs no daemon."


def run_log(call: Call) -> int:
    """Become `chargerd export log`."""
    force = ["--force"] if call.arguments.force else []
    become(call, "export", "log", *force, last=["--", call.arguments.file])


def run_readings(call: Call) -> int:
    """Become `chargerd export readings`."""
    _table(call, "readings")


def run_sessions(call: Call) -> int:
    """Become `chargerd export sessions`."""
    _table(call, "sessions")


def _table(call: Call, what: str) -> NoReturn:
    become(call, "export", what, *given(call, "since", "until", "format"), last=["--", *call.arguments.names])


def add_log(parser: argparse.ArgumentParser) -> None:
    """Arguments of export log."""
    add_file(parser, "COPY.db")
    add_state(parser)


def _add_table(parser: argparse.ArgumentParser, form: str, about: str) -> None:
    names = parser.add_argument("names", metavar="NAME", nargs="*", help=about)
    completes(names, "loadpoints")
    add_span(parser)
    parser.add_argument(
        "--format", choices=("csv", form), default="csv", help=f"{form}: one JSON object per line (csv)"
    )
    add_state(parser)


def add_readings(parser: argparse.ArgumentParser) -> None:
    """Arguments of export readings."""
    _add_table(parser, "jsonl", "loadpoints, devices or device/channel; all if left out")


def add_sessions(parser: argparse.ArgumentParser) -> None:
    """Arguments of export sessions."""
    _add_table(parser, "json", "loadpoints; all if left out")


COMMANDS = {
    "export log": Command(
        run_log,
        ("chargerctl export log copy.db", "chargerctl export log /mnt/usb/chargerd.db --force"),
        add_log,
        {
            "kind": ("string", '"copy"'),
            "file": ("string", "the file that was made"),
            "events": ("int", "how many events it holds"),
            "until": ("?string", "time of the newest, UTC"),
        },
        more="The copy is whole and as of one moment; charging and recording go on. How to go back to it: docs/log.md.",
    ),
    "export readings": Command(
        run_readings,
        (
            "chargerctl export readings bike-1 --since -7d > week.csv",
            "chargerctl export readings --since yesterday --until today --format jsonl",
        ),
        add_readings,
        READINGS,
        lines="one object of kind reading per line",
        more=_TABLES,
    ),
    "export sessions": Command(
        run_sessions,
        (
            "chargerctl export sessions --since 2026-01-01 > 2026.csv",
            "chargerctl export sessions bike-1 --format json",
        ),
        add_sessions,
        SESSIONS,
        lines="one object of kind session per line",
        more=f"Sessions that ended in that time. {_TABLES}",
    ),
}
