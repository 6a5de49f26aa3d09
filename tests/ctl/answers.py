"""Answers: what a chargerd in the middle of an afternoon says, in the shape of the protocol's table."""

from __future__ import annotations

from typing import Any

from chargerd.protocol.framing import CallError
from chargerd.protocol.table import METHODS
from chargerd.protocol.types import TYPES, Fields

NOW = {"now": "2026-05-11T12:14:41Z", "now_local": "2026-05-11T14:14:41+02:00"}


PRESENT = {"at": None, "at_local": None, "running": True, "readings": True}


def answer(kind: str, text: str, **fields: Any) -> dict[str, Any]:
    """A reply with what every reply has."""
    return {"kind": kind, **NOW, "text": text, **fields}


def session(loadpoint: str, **changes: Any) -> dict[str, Any]:
    """A session that runs since 11:48, or what ``changes`` make of it."""
    return {
        "kind": "session",
        "number": 1701,
        "loadpoint": loadpoint,
        "profile": "rad-48v",
        "target": "nominal",
        "by": "anna",
        "started_at": "2026-05-11T09:48:00Z",
        "started_local": "2026-05-11T11:48:00+02:00",
        "ended_at": None,
        "ended_local": None,
        "duration_s": 8801,
        "on_s": 8790,
        "energy_wh": 311.4,
        "estimated_wh": 0.0,
        "solar_wh": None,
        "solar_pct": None,
        "charge_ah": 5.2,
        "peak_w": 131.0,
        "cost": 0.1,
        "currency": "EUR",
        "price_per_kwh": 0.32,
        "priced_wh": 311.4,
        "outcome": None,
        "text": "drawing 118 W, until it falls below 90 W",
        **changes,
    }


def reason(code: str, text: str, **values: Any) -> dict[str, Any]:
    """A reason."""
    return {"code": code, "text": text, "values": values, "seqs": [4711]}


def loadpoint(name: str, **changes: Any) -> dict[str, Any]:
    """A loadpoint that charges, or what ``changes`` make of it."""
    why = reason("charging-to-cutoff", "drawing 118 W, until it falls below 90 W", power_w=118.0, stop_w=90.0)
    return {
        "kind": "loadpoint",
        "name": name,
        "state": "charging",
        "word": "charging",
        "reason": why,
        "limit": None,
        "text": changes.get("reason", why)["text"] if changes.get("reason", why) else "",
        "next_step": "",
        "since": "2026-05-11T09:48:00Z",
        "since_local": "2026-05-11T11:48:00+02:00",
        "power_w": 118.2,
        "enabled": True,
        "loadpoint_kind": "battery",
        "mode": "fast",
        "plan": None,
        "mode_by": "anna",
        "mode_until": None,
        "mode_until_local": None,
        "mode_while_connected": False,
        "target": "nominal",
        "target_text": "nominal, below 90 W",
        "held_by": None,
        "charger": f"shed/{name}",
        "profile": "rad-48v",
        "reachable": True,
        "lease_s": 900,
        "lease_current_a": None,
        "vehicle": None,
        "today_wh": 311.4,
        "set_enabled": True,
        **dict.fromkeys(("set_current_a", "set_phases", "offered_a", "phases", "drawn_phases")),
        **dict.fromkeys(("current_l1_a", "current_l2_a", "current_l3_a", "pilot", "connected", "charger_status")),
        **dict.fromkeys(("share_w", "borrowed_wh")),
        "refused": "",
        "limits_text": "",
        "read_at": "2026-05-11T12:14:38Z",
        "read_age_s": 3,
        "session": session(name),
        **changes,
    }


PLAN = {
    "kind": "plan",
    "loadpoint": "bike-2",
    "target": "full",
    "by": "anna",
    "ready_at": "2026-05-16T05:00:00Z",
    "ready_local": "2026-05-16T07:00:00+02:00",
    "begins_at": "2026-05-16T02:30:00Z",
    "begins_local": "2026-05-16T04:30:00+02:00",
    "step": "hold",
    "measured": False,
    "text": "full by Sat 07:00; nominal until then, tops up from Sat 04:30",
}

BATTERY = {
    "kind": "battery",
    "loadpoint": "bike-1",
    "profile": "rad-48v",
    "current": True,
    "charges": 212,
    "energy_wh": 70_812.4,
    "full_cycles": 84.3,
    "first_at": "2025-06-01T20:00:00Z",
    "nominal_wh": 672.0,
    "capacity_wh": 641.2,
    "capacity_charges": 4,
    "trend_pct_per_year": -3.1,
    "largest_wh": 788.0,
    "above_80_h": 3_120.5,
    "above_80_of_h": 7_902.0,
    "full_at": "2026-04-30T12:00:00Z",
    "full_days": 11.0,
    "recent_wh": [402.0, 311.4, 20.0, 788.0, 150.5, 402.0],
    "last": session("bike-1"),
    "text": "bike-1 (rad-48v): 212 charges, 84.3 full cycles, last full 11 days ago",
}
OLD_BATTERY = {
    **BATTERY,
    "profile": "default",
    "current": False,
    "charges": 1,
    "energy_wh": 0.0,
    "full_cycles": None,
    "nominal_wh": None,
    "capacity_wh": None,
    "capacity_charges": 0,
    "trend_pct_per_year": None,
    "largest_wh": 0.0,
    "above_80_h": None,
    "above_80_of_h": 0.0,
    "full_at": None,
    "full_days": None,
    "recent_wh": [],
    "text": "bike-1 (default): 1 charge, never charged to full",
}

ENDED = {"ended_at": "2026-05-11T12:12:03Z", "ended_local": "2026-05-11T14:12:03+02:00"}

BIKE_1 = loadpoint("bike-1")
BIKE_2 = loadpoint(
    "bike-2",
    state="suspended_evse",
    word="finished",
    reason=reason("cutoff-reached", "cut off: below 90 W for 48 s", stop_w=90.0, below_s=48.0),
    since="2026-05-11T12:12:03Z",
    since_local="2026-05-11T14:12:03+02:00",
    power_w=0.0,
    enabled=False,
    mode="off",
    plan=PLAN,
    mode_by="",
    today_wh=402.0,
    session=session("bike-2", **ENDED, outcome="finished", energy_wh=402.0, text="reached its target"),
)
SCOOTER = loadpoint(
    "scooter",
    state="suspended_evse",
    word="waiting",
    reason=reason("outside-window", "outside its hours; goes on at 22:00", opens_at_ms=1778529600000),
    limit=reason("outside-window", "outside its hours; goes on at 22:00", opens_at_ms=1778529600000),
    power_w=0.0,
    enabled=False,
    mode_until="2026-05-12T04:30:00Z",
    mode_until_local="2026-05-12T06:30:00+02:00",
    target="full",
    target_text="full, below 5 W",
    today_wh=0.0,
    session=session("scooter", energy_wh=0.0, target="full"),
)
TRIKE = loadpoint(
    "trike",
    state="fault",
    word="no charger",
    reason=reason(
        "no-charger",
        "no power flows after 3 tries: no charger or no battery on the plug, or one of them is dead",
        attempts=3,
    ),
    next_step="check the charger's lamp and the socket, then chargerctl mode trike fast",
    power_w=0.0,
    enabled=False,
    mode="off",
    mode_by="",
    today_wh=0.0,
    session=session("trike", **ENDED, outcome="no-charger", energy_wh=0.0, text="no power at all"),
)
TOOLS = loadpoint(
    "tools",
    state="unknown",
    word="unknown",
    reason=reason("stale-reading", "the plug has not been read for 11 min; not charged unwatched", age_s=660.0),
    next_step="chargerctl device list",
    since="2026-05-11T12:03:31Z",
    since_local="2026-05-11T14:03:31+02:00",
    power_w=None,
    enabled=None,
    mode="off",
    mode_by="",
    target="storage",
    target_text="storage, below 105 W",
    reachable=False,
    lease_s=None,
    read_at="2026-05-11T12:03:31Z",
    read_age_s=670,
    today_wh=None,
    session=None,
)
GARAGE = loadpoint(
    "garage",
    reason=reason("charging-with-sun", "charging with the sun: 2.9 kW to use", share_w=2900.0, power_w=2790.0),
    loadpoint_kind="evse",
    power_w=2790.0,
    mode="solar",
    mode_by="",
    target="",
    target_text="",
    charger="nrgkick",
    profile="id4",
    lease_s=None,
    vehicle="id4",
    today_wh=7100.0,
    set_current_a=12.0,
    set_phases=1,
    offered_a=12.0,
    phases=1,
    drawn_phases=1,
    current_l1_a=12.1,
    current_l2_a=0.0,
    current_l3_a=0.0,
    pilot="C",
    connected=True,
    charger_status="charging",
    share_w=2900.0,
    borrowed_wh=0.0,
    limits_text="6 A to 15 A, 16 A circuit garage, 600 s between changes of phases",
    session=session(
        "garage", profile="id4", target="", by="vehicle", energy_wh=7100.0, charge_ah=None, peak_w=3450.0,
        solar_wh=6461.0, solar_pct=91.0, cost=0.18, price_per_kwh=0.025, priced_wh=7100.0, text="running",
    ),
)  # fmt: skip
CARPORT = loadpoint(
    "carport",
    state="idle",
    word="idle",
    reason=reason("no-vehicle", "no vehicle is connected"),
    loadpoint_kind="evse",
    power_w=0.0,
    enabled=False,
    mode="min-solar",
    mode_by="",
    target="",
    target_text="",
    charger="keba",
    profile="",
    lease_s=None,
    today_wh=0.0,
    set_enabled=False,
    pilot="A",
    connected=False,
    phases=3,
    limits_text="6 A to 16 A",
    session=None,
)
ROD = loadpoint(
    "rod",
    state="suspended_evse",
    word="waiting",
    reason=reason("waiting-for-sun", "waiting for sun: 1.1 kW to use, 2.0 kW needed", share_w=1100.0, needed_w=2000.0),
    loadpoint_kind="consumer",
    power_w=0.0,
    enabled=False,
    mode="solar",
    mode_by="",
    target="",
    target_text="",
    charger="cellar/rod",
    profile="",
    lease_s=None,
    today_wh=None,
    set_enabled=False,
    session=None,
)
HOME = [GARAGE, CARPORT, ROD]
"""What stands at a home with panels, beside the plugs."""
FLOWS = {
    "kind": "flows", "grid_w": -1200.0, "grid_age_s": 3, "pv_w": 4930.0, "pv_age_s": 3, "pv_asleep": False,
    "house_w": 540.0, "house_age_s": 4, "charging_w": 2790.0, "storage_w": -400.0, "soc_pct": 62.0, "storage_age_s": 3,
    "surplus_w": 3990.0, "solar_share": 1.0, "cloudy": False, "missing": "",
    "text": "solar 4.9 kW, house 540 W, storage 62 %, charging 400 W, exporting 1.2 kW",
}  # fmt: skip
READ = {"read_at": "2026-05-11T12:14:38Z", "read_age_s": 3}
METERS = [
    {
        "kind": "meter", "name": "grid", "address": "inverter/meter1", "role": "grid", "power_w": -1200.0,
        "power_l1_w": 1500.0, "power_l2_w": -1350.0, "power_l3_w": -1350.0, "import_wh": 901_000.0,
        "export_wh": 2_201_000.0, "dc_power_w": None, "temperature_c": None, "status": None, **READ,
    },
    {
        "kind": "meter", "name": "pv", "address": "inverter/inverter", "role": "pv", "power_w": 4530.0,
        "power_l1_w": None, "power_l2_w": None, "power_l3_w": None, "import_wh": None, "export_wh": 18_201_330.0,
        "dc_power_w": 4610.0, "temperature_c": 41.2, "status": "producing", **READ,
    },
]  # fmt: skip
STORAGES = [
    {
        "kind": "storage", "name": "house", "address": "inverter/battery1", "power_w": -400.0, "soc_pct": 62.0,
        "soh_pct": 98.0, "capacity_wh": 9700.0, "max_charge_w": 5000.0, "max_discharge_w": 5000.0,
        "temperature_c": 24.5, "status": "charging", **READ,
    }
]  # fmt: skip
LOADPOINTS = [BIKE_1, BIKE_2, SCOOTER, TRIKE, TOOLS]
PROBLEMS = [
    {
        "kind": "problem",
        "code": "device-lost",
        "severity": 4,
        "subject": "garage-plug",
        "text": "has not answered for 11 min: timed out; tools not watched",
        "since": "2026-05-11T12:03:31Z",
        "since_local": "2026-05-11T14:03:31+02:00",
        "next_step": "chargerctl device read garage-plug",
    },
    {
        "kind": "problem",
        "code": "no-charger",
        "severity": 4,
        "subject": "trike",
        "text": "no power flows after 3 tries",
        "since": "2026-05-11T12:12:03Z",
        "since_local": "2026-05-11T14:12:03+02:00",
        "next_step": "check the charger's lamp and the socket, then chargerctl mode trike fast",
    },
]


def status(loadpoints: list[dict[str, Any]] | None = None, **changes: Any) -> dict[str, Any]:
    """The answer to GetStatus."""
    return answer(
        "status",
        "bike-1 charging 118 W; tools unknown; 3 idle; 2 problems",
        **{
            **PRESENT,
            "site": "Home",
            "power_w": None,
            "held_by": None,
            "recording": True,
            "flows": None,
            "meters": [],
            "storages": [],
            "loadpoints": LOADPOINTS if loadpoints is None else loadpoints,
            "problems": PROBLEMS,
            "version": "0.1.0",
            "up_s": 1_052_000,
            "memory_mib": 61.4,
            "read_age_s": 3,
            "seq": 4712,
            **changes,
        },
    )


def changed(text: str, **changes: Any) -> dict[str, Any]:
    """The answer to a change."""
    return answer("changed", text, **{"changed": True, "commands": [], "notes": [], "seq": 4713, **changes})


def entry(seq: int, time: str, kind: str, subject: str, text: str, **changes: Any) -> dict[str, Any]:
    """A row of the log at a local time such as 14:02:10 of the 11th."""
    utc = f"{int(time[:2]) - 2:02d}{time[2:]}"
    return {
        "kind": "entry",
        "seq": seq,
        "at": f"2026-05-11T{utc}Z",
        "at_local": f"2026-05-11T{time}+02:00",
        "type": kind,
        "event": {"mode": "ModeSet", "command": "CommandIssued", "read": "ChargerRead"}.get(kind, "DeviceLost"),
        "subject": subject,
        "text": text,
        "detail": "",
        "by": "",
        "count": 1,
        "data": {},
        **changes,
    }


ENTRIES = [
    entry(4690, "14:01:31", "lost", "garage-plug", "no answer for 60 s", detail="timed out"),
    entry(4699, "14:02:10", "read", "bike-1", "×57, 112–118 W", count=57),
    entry(
        4700, "14:09:30", "command", "bike-2", "switching off", detail="cut off: below 90 W for 48 s; done in 0.2 s",
        data={"device": "shed/bike-2", "enabled": False},
    ),
    entry(4702, "14:12:00", "mode", "bike-1", "off → fast by anna", by="anna", data={"mode": "fast", "by": "anna"}),
]  # fmt: skip


def change(field: str, before: Any, after: Any, text: str, **changes: Any) -> dict[str, Any]:
    """A change that would end the charge of bike-1."""
    return {
        "kind": "change",
        "input": field,
        "from": before,
        "to": after,
        "held_s": 0.0,
        "at": None,
        "at_local": None,
        "enabled": False,
        "outcome": None,
        "word": "off",
        "reason": reason("mode-off", "mode is off"),
        "distance": 1.0,
        "text": text,
        **changes,
    }


FALLS = "power falls below 90 W for 40 s (finished)"
WHY = answer(
    "why",
    "bike-1 is charging since 11:48: drawing 118 W, until it falls below 90 W.",
    **PRESENT,
    loadpoint=BIKE_1,
    lines=[
        {"label": "Wanted", "text": "mode fast, set by anna; target nominal, below 90 W"},
        {"label": "Missing", "text": "28 W: from 118 W to below 90 W; energy unknown, at most 781 Wh before its limit"},
        {"label": "Session", "text": "311 Wh, on for 2 h 26 min, since 11:48"},
        {"label": "Limits", "text": "none reached; nearest: 18:48 comes and nothing else changes (stopped)"},
        {
            "label": "Would change if",
            "text": f"{FALLS} · 18:48 comes and nothing else changes (stopped) · mode becomes off",
        },
        {"label": "Decided by", "text": "policy threshold on event 4701 at 11:48"},
    ],
    limits=[],
    changes=[
        change(
            "power_w", 118.2, 89.98, FALLS, held_s=40.0, outcome="finished", word="finished", distance=0.238,
            reason=reason("cutoff-reached", "cut off: below 90 W for 40 s", stop_w=90.0, below_s=40.0),
        ),
        change("mode", "fast", "off", "mode becomes off"),
    ],
    policy="threshold",
    seq=4701,
    next_step="",
)  # fmt: skip
THEN = {"at": "2026-05-10T14:20:00Z", "at_local": "2026-05-10T16:20:00+02:00", "running": True, "readings": True}
WAITING = "outside its hours; goes on at 22:00"
SPENT = "switched on 20 times in 24 h; 20 are allowed"
WHY_THEN = answer(
    "why",
    "scooter was waiting yesterday at 16:20 (since yesterday 15:02) because it was outside its hours, which were to "
    "begin at 22:00.",
    **THEN,
    loadpoint=SCOOTER,
    lines=[
        {"label": "Wanted", "text": "mode fast, set by anna; target full, below 5 W"},
        {"label": "Limits", "text": f"{WAITING} · {SPENT}"},
        {"label": "Would be charging", "text": "no single change leads there: 2 limits stood in the way"},
        {"label": "Decided by", "text": "policy threshold on event 3902 at yesterday 15:02"},
    ],
    limits=[
        reason("outside-window", WAITING, opens_at_ms=1778529600000),
        reason("starts-used-up", SPENT, starts=20, allowed=20),
    ],
    changes=[],
    policy="threshold",
    seq=3902,
    next_step="",
)


def asked_why(parameters: dict[str, Any]) -> dict[str, Any]:
    """The answer to GetWhy, now or then."""
    return WHY if parameters["at"] is None else WHY_THEN


def asked_status(parameters: dict[str, Any]) -> dict[str, Any]:
    """The answer to GetStatus for the names that were asked for. Raises `CallError` for one that is not known."""
    points = LOADPOINTS
    if {point["name"] for point in HOME} & set(parameters["names"] or ()):
        points = HOME
    known = [point["name"] for point in points]
    for name in parameters["names"] or ():
        if name not in known:
            listed = f"Known: {' '.join(known)}"
            error = CallError("NoSuchLoadpoint", f'no loadpoint "{name}".', "Nothing was changed.", listed, known=known)
            error.parameters["name"] = name
            raise error
    moment = {} if parameters["at"] is None else {**THEN, "up_s": 900_000, "memory_mib": None}
    if points is HOME:
        moment |= {"flows": FLOWS, "meters": METERS, "storages": STORAGES, "problems": []}
    return status([point for point in points if point["name"] in (parameters["names"] or known)], **moment)


def asked_names(parameters: dict[str, Any]) -> dict[str, Any]:
    """The answer to Complete."""
    if parameters["what"] == "modes":
        return answer("names", "off fast", names=["off", "fast"])
    return answer("names", "5 names", names=["bike-1", "bike-2", "scooter", "tools", "trike"])


def plug(alias: str | None, **changes: Any) -> dict[str, Any]:
    """A plug that a search has found: one with a meter that nobody has configured."""
    return {
        "kind": "plug",
        "driver": "kasa",
        "address": "192.168.178.31",
        "port": 9999,
        "mac": "50:C7:BF:00:00:01",
        "model": "HS110",
        "alias": alias,
        "has_meter": True,
        "login": False,
        "device": None,
        "loadpoint": None,
        "sockets": [],
        "note": "",
        **changes,
    }


def strip_socket(alias: str, number: int, loadpoint: str | None = None, note: str = "") -> dict[str, Any]:
    """A socket of a strip."""
    return {"kind": "socket", "alias": alias, "channel": f"{number:02}", "loadpoint": loadpoint, "note": note}


STRIP_SOCKETS = [
    strip_socket("battery_1", 0, "bike-1"),
    strip_socket("battery_2", 1, "bike-2"),
    strip_socket("lamp", 2),
]
PLUGS = [
    plug("battery_trike"),
    plug(
        "hall lamp", address="192.168.178.32", mac="50:C7:BF:00:00:02", model="HS100", has_meter=False, note="no meter"
    ),
    plug(
        "shed", address="192.168.178.40", mac="50:C7:BF:00:03:00", model="HS300", device="shed", sockets=STRIP_SOCKETS
    ),
    plug("tools", address="192.168.178.33", mac="50:C7:BF:00:00:03", device="garage-plug", loadpoint="tools"),
    plug(None, address="192.168.178.34", mac="98:25:4A:00:00:04", model="P110", login=True, note="wants a login"),
]


def discovered(plugs: list[dict[str, Any]], left_s: float = 0.0, **changes: Any) -> dict[str, Any]:
    """A reply of a search."""
    return answer(
        "discovery",
        f"{len(plugs)} plugs",
        **{
            "networks": ["255.255.255.255"], "seconds": 5, "left_s": left_s, "plugs": plugs, "others": 0 if left_s else 1,
            "notes": [], **changes,
        },
    )  # fmt: skip


REPLIES: dict[str, Any] = {
    "GetStatus": asked_status,
    "GetWhy": asked_why,
    "GetLog": answer("log", "4 rows", entries=ENTRIES, cut=False, seq=9),
    "GetSessions": answer(
        "sessions",
        "3 sessions",
        sessions=[
            session("bike-1"),
            {**session("bike-2"), **ENDED, "outcome": "finished", "energy_wh": 402.0, "text": "reached its target"},
            session(
                "scooter",
                number=1402,
                started_at="2026-05-10T20:31:00Z",
                started_local="2026-05-10T22:31:00+02:00",
                ended_at="2026-05-11T01:32:00Z",
                ended_local="2026-05-11T03:32:00+02:00",
                duration_s=18060,
                on_s=17900,
                energy_wh=1204.0,
                charge_ah=None,
                target="full",
                by="schedule sat-full",
                outcome="time-limit",
                text="longest time reached",
                cost=None,
                price_per_kwh=None,
                priced_wh=0.0,
            ),
        ],
        total={"energy_wh": 1917.4, "priced_wh": 622.8, "cost": 0.2, "currency": "EUR"},
        warnings=[],
    ),
    "GetBatteries": answer("batteries", "bike-1 (rad-48v): 3 charges", batteries=[BATTERY, OLD_BATTERY], warnings=[]),
    "GetPlans": answer("plan-list", "1 plan", plans=[PLAN]),
    "SetPlan": changed(
        "bike-1: full by Sat 07:00.",
        notes=["Charges to nominal now and waits there; tops up from Sat 04:30 (2 h 30 min, a cautious guess)."],
    ),
    "GetSinks": answer(
        "sink-list",
        "2 sinks",
        sinks=[
            {
                "kind": "sink", "name": "mail", "driver": "notify", "tell": ["finished", "alarm", "lost"],
                "report": "sun 20:00", "lost_since": None, "lost_since_local": None, "error": "",
            },
            {
                "kind": "sink", "name": "phone", "driver": "notify", "tell": ["alarm"], "report": "off",
                "lost_since": "2026-05-11T12:03:31Z", "lost_since_local": "2026-05-11T14:03:31+02:00",
                "error": "refuses the login: Socket Exception: (535, b'5.7.8 Authentication credentials invalid')",
            },
        ],
    ),
    "TestSink": answer("sink-test", "mail: the test message was taken.", name="mail"),
    "GetSchedule": answer(
        "schedule",
        "2 entries",
        schedule=[
            {
                "kind": "schedule", "entry": "bike-1-1", "loadpoint": "bike-1", "when": "Mon–Fri 06:30",
                "does": "fast", "mode": "fast", "target": None, "ready": False, "origin": "added",
                "next": "2026-05-12T04:30:00Z", "next_local": "2026-05-12T06:30:00+02:00",
            },
            {
                "kind": "schedule", "entry": "scooter-sat", "loadpoint": "scooter", "when": "Sat 00:00",
                "does": "fast, target full", "mode": "fast", "target": "full", "ready": False, "origin": "file",
                "next": "2026-05-15T22:00:00Z", "next_local": "2026-05-16T00:00:00+02:00",
            },
        ],
    ),
    "GetDevices": answer(
        "devices",
        "2 of 3 devices answer",
        devices=[
            {
                "kind": "device", "name": "shed", "driver": "kasa", "model": "HS300", "device_id": "8006AA",
                "firmware": "1.0.21", "reachable": True, "lost_since": None, "lost_since_local": None, "error": "",
                "detail": "", "has_meter": True, "lease": "unproven",
                "channels": [
                    {
                        "address": "shed/bike-1", "name": "bike-1", "role": "charger", "text": "on, 118 W",
                        "loadpoint": "bike-1", "enabled": True, "power_w": 118.2,
                        "voltage_v": 230.1, "current_a": 0.52, "energy_wh": 4021.0,
                        "read_at": "2026-05-11T12:14:38Z", "read_age_s": 3,
                    }
                ],
            },
            {
                "kind": "device", "name": "garage-plug", "driver": "kasa", "model": "", "device_id": "",
                "firmware": "", "reachable": False, "lost_since": "2026-05-11T12:03:31Z",
                "lost_since_local": "2026-05-11T14:03:31+02:00", "error": "unreachable", "detail": "timed out",
                "has_meter": True, "lease": "none", "channels": [],
            },
            {
                "kind": "device", "name": "inverter", "driver": "solaredge", "model": "SE8K", "device_id": "7E01",
                "firmware": "4.20", "reachable": True, "lost_since": None, "lost_since_local": None, "error": "",
                "detail": "", "has_meter": True, "lease": "none",
                "channels": [
                    {
                        "address": meter["address"], "name": meter["name"], "role": meter.get("role", "storage"),
                        "text": text, "loadpoint": None, "enabled": None, "power_w": meter["power_w"],
                        "voltage_v": None, "current_a": None, "energy_wh": None, **READ,
                    }
                    for meter, text in zip(
                        (*METERS, *STORAGES), ("exporting 1.2 kW", "4.5 kW", "62 %, charging 400 W"), strict=True
                    )
                ],
            },
        ],
    ),
    "GetFailsafe": answer(
        "failsafe",
        "1 of 2 chargers that are on ends by itself",
        chargers=[
            {
                "kind": "failsafe", "loadpoint": "bike-1", "charger": "shed/bike-1", "enabled": True,
                "lease": "unproven", "tested_at": None,
                "tested_local": None, "lease_left_s": 840, "falls_to_a": None,
                "on_stop": "off", "safe": True, "text": "off in 14 min",
            },
            {
                "kind": "failsafe", "loadpoint": "tools", "charger": "garage-plug", "enabled": None,
                "lease": "none", "tested_at": None,
                "tested_local": None, "lease_left_s": None, "falls_to_a": None,
                "on_stop": "off", "safe": False, "text": "not known",
            },
            {
                "kind": "failsafe", "loadpoint": "carport", "charger": "keba", "enabled": True, "lease": "proven",
                "tested_at": None, "tested_local": None, "lease_left_s": 540, "falls_to_a": 6.0, "on_stop": "off",
                "safe": False, "text": "goes to 6 A in 9 min",
            },
        ],
        warnings=[
            "tools: its plug has no timer of its own",
            "carport: keba goes to 6 A when its timer has run out, and charges on if chargerd dies",
        ],
    ),
    "GetProfiles": answer(
        "profiles",
        "1 profile",
        profiles=[
            {
                "kind": "profile", "name": "rad-48v", "source": "shipped", "nominal_start_w": 90.0,
                "nominal_stop_w": 90.0, "full_w": 5.0, "storage_start_w": 105.0, "storage_stop_w": 105.0,
                "capacity_wh": 672.0, "charger_a": 2.0, "max_h": 7.0,
                "variant": "summer",
                "variants": [
                    {"name": "summer", "from": "04-01", "until": "10-31", "values": {"nominal_stop_w": 90.0}}
                ],
                "used_by": ["bike-1", "bike-2"],
            }
        ],
    ),
    "GetConfiguration": answer(
        "configuration",
        "2 settings",
        files=["/etc/chargerd/chargerd.toml"],
        loaded_at="2026-04-29T08:01:21Z",
        values=[
            {
                "kind": "value", "subject": "bike-1", "key": "max_starts_per_day", "value": 20, "text": "20",
                "source": "as shipped", "adjustable": True,
            },
            {
                "kind": "value", "subject": "bike-1", "key": "nominal_stop_w", "value": 95.0, "text": "95 W",
                "source": "set by anna until 22:00", "adjustable": True,
            },
        ],
    ),
    "GetState": answer(
        "state", "event 4712", seq=4712, digest="00" * 16, engine="1", recording=True, run_seq=1, boot_id="7e3c"
    ),
    "Complete": asked_names,
    "SetMode": changed("bike-1: fast until 16:20, then off again."),
    "SetTarget": changed("bike-1: stop at 105 W (storage); was nominal (90 W)."),
    "SetSetting": changed("bike-1: nominal_stop_w 95 W until 22:00 (was 90 W)."),
    "Hold": changed("Holding: chargerd watches and sends nothing but lease renewals.", notes=["bike-1 goes on."]),
    "Release": changed("Released: chargerd controls again."),
    "AddSchedule": changed("bike-1: fast Mon–Fri 06:30, next tomorrow.", entry="bike-1.2"),
    "RemoveSchedule": changed("Schedule entry bike-1.2 removed.", entry="bike-1.2"),
    "ReadDevice": answer(
        "readings",
        "shed answered in 0.1 s",
        readings=[
            {"kind": "reading", "address": "shed/bike-1", "values": {"enabled": True, "power_w": 118.2}},
            {"kind": "reading", "address": "shed/bike-2", "values": {"enabled": False, "power_w": None}},
        ],
        took_ms=103,
    ),
    "CheckConfiguration": answer(
        "check",
        "1 mistake. chargerd keeps running with the configuration it has.",
        mistakes=[
            {
                "kind": "mistake", "place": "/etc/chargerd/chargerd.toml:41",
                "text": "loadpoint.bike-1.lease_s = 9", "allowed": "must be 60 or more. Did you mean 900?",
            }
        ],
        files=["/etc/chargerd/chargerd.toml"],
    ),
    "Discover": (discovered([], 5.0), discovered(PLUGS[2:3], 3.2), discovered(PLUGS)),
    "TestDevice": answer(
        "test",
        "shed/bike-1: on with a timer of 15 s; watching whether it goes off by itself.",
        address="shed/bike-1",
        lease_s=15,
        longest_s=70,
        seq=40,
    ),
    "RecordDevice": answer(
        "recording",
        "shed: HS300 with firmware 1.0.21",
        file="HS300_1.0_1.0.21.json",
        recording={"driver": "kasa", "model": "HS300", "answers": {"": {"emeter": {}}}},
    ),
    "TryPlug": answer(
        "readings",
        "plug: enabled False   power_w 0.4",
        readings=[{"kind": "reading", "address": "plug", "values": {"enabled": False, "power_w": 0.4}}],
        model="HS110",
        firmware="1.5.2",
        lease="unproven",
        took_ms=80,
    ),
    "DraftConfiguration": answer(
        "draft",
        "The configuration is in order.",
        configuration="[device.battery_trike]\n",
        file="/etc/chargerd/conf.d/plugs.toml",
        belongs="/etc/chargerd/conf.d/plugs.toml",
        mistakes=[],
        timezone=None,
        secrets=[],
    ),
    "Watch": [answer("watch", "bike-1 charging", loadpoint=BIKE_1, changes=[])],
}  # fmt: skip


def strays(value: object, kind: str, place: str) -> list[str]:
    """Where a value is not of a Varlink type of the table."""
    if kind.startswith("?"):
        return [] if value is None else strays(value, kind[1:], place)
    if kind.startswith("[]"):
        if not isinstance(value, list):
            return [f"{place} is no array"]
        return [stray for item in value for stray in strays(item, kind[2:], f"{place}[]")]
    if kind in TYPES:
        return _strays_of_fields(value, TYPES[kind], place)
    plain: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (int, float), "string": (str,)}
    if kind == "object" or isinstance(value, plain[kind]):
        return []
    return [f"{place} is no {kind}"]


def _strays_of_fields(value: object, fields: Fields, place: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{place} is no object"]
    found = [f"{place}.{name} is not in the table" for name in value if name not in fields]
    for name, (kind, _) in fields.items():
        found += strays(value[name], kind, f"{place}.{name}") if name in value else [f"{place}.{name} is missing"]
    return found


def strays_of_reply(method: str, reply: object) -> list[str]:
    """Where a reply is not what the table says."""
    return _strays_of_fields(reply, METHODS[method].reply, method)
