"""Table: every method of the control sockets, its parameters, its reply, and every error. One place for all who need it.

The Varlink interface text, the checks of parameters, docs/commands.md and shell completion are made from this table.
Types are Varlink's: "?string" may be null or left out, "[]int" is an array, a capital letter is a type of `TYPES`.
"""

from __future__ import annotations

from typing import Any

Fields = dict[str, tuple[str, str]]
"""Name → (Varlink type, meaning)."""


class Method:
    """A row of the table. ``parameters`` and ``reply`` map a name to (Varlink type, meaning)."""

    __slots__ = ("about", "changes", "kind", "name", "parameters", "reply", "streams")

    def __init__(self, name: str, about: str, parameters: Fields, reply: Fields, **marks: Any) -> None:
        self.name = name
        self.about = about
        self.kind: str = marks.get("kind", "monitor")
        self.changes: bool = marks.get("changes", False)  # whether asking twice could do it twice
        self.streams: bool = marks.get("streams", False)
        self.parameters = {**parameters, **(REQUEST if self.changes else {}), **ZONE}
        self.reply = {**COMMON, **reply}


COMMON: Fields = {
    "kind": ("string", "what kind of object this is"),
    "now": ("string", "time of the answer, UTC"),
    "now_local": ("string", "the same as the site's clocks show it"),
    "text": ("string", "the answer as people read it"),
}
ZONE = {"zone": ("?string", "time zone for times in and out; the site's if left out")}
REQUEST = {"request": ("?string", "an id of your choice: a request that was already done under it is not done again")}
NAMES = {"names": ("?[]string", "loadpoints to look at; all if left out")}
NAME = {"name": ("string", "a loadpoint")}
ENDS = {
    "until": ("?string", "when the change ends by itself: a time, or a duration from now such as +45min"),
    "dry_run": ("?bool", "only say what would follow; change nothing"),
}
CHANGED = {
    "changed": ("bool", "false: it was already so"),
    "commands": ("[]Command", "with dry_run: the commands that would follow at once"),
    "notes": ("[]string", "what else is worth knowing, one sentence each"),
    "seq": ("?int", "number of the event that records the change"),
}
AT = {"at": ("?string", "a past moment to look at; now if left out")}
MOMENT = {
    "at": ("?string", "the past moment that was asked about, UTC; null: now"),
    "at_local": ("?string", "the same at the site"),
    "running": ("bool", "false: chargerd did not run at that moment, and this is what it last knew"),
    "readings": ("bool", "false: the readings of that time were given up, and this is what the other events say"),
}
SPAN = {
    "since": ("?string", "not before this time"),
    "lines": ("?int", "at most so many rows, the last ones"),
}

TYPES: dict[str, Fields] = {
    "Reason": {
        "code": ("string", "code of the reason"),
        "text": ("string", "its sentence"),
        "values": ("object", "the numbers it rests on, by name"),
        "seqs": ("[]int", "numbers of the events it rests on"),
    },
    "Session": {
        "kind": ("string", '"session"'),
        "number": ("int", "number of the event that began it"),
        "loadpoint": ("string", "where"),
        "profile": ("string", "profile of charger and battery"),
        "target": ("string", "nominal, full or storage"),
        "by": ("string", "who asked for it"),
        "started_at": ("string", "start, UTC"),
        "started_local": ("string", "start at the site"),
        "ended_at": ("?string", "end, UTC; null while it runs"),
        "ended_local": ("?string", "end at the site"),
        "duration_s": ("int", "from start to end, or to now"),
        "on_s": ("int", "how long the charger was on"),
        "energy_wh": ("float", "energy at the socket, from power over time"),
        "estimated_wh": ("float", "the part of it that lies in gaps between readings"),
        "charge_ah": ("?float", "charge that reached the pack: energy × efficiency ÷ voltage"),
        "peak_w": ("float", "highest power"),
        "cost": ("?float", "what its energy cost; null if no price was known"),
        "currency": ("string", "currency of the cost and the price, three letters"),
        "price_per_kwh": ("?float", "price of a kWh, on average if it changed; null if not known"),
        "priced_wh": (
            "float",
            "energy that the cost is of: less than energy_wh if the price was not known all the time",
        ),
        "outcome": ("?string", "how it ended; null while it runs"),
        "text": ("string", "how it ended, or what it does now"),
    },
    "Total": {
        "energy_wh": ("float", "energy of the sessions"),
        "priced_wh": ("float", "the part of it that the cost is of"),
        "cost": ("?float", "their cost; null if none is known, or if they are in several currencies"),
        "currency": ("?string", "currency of the cost; null if it is null"),
    },
    "Loadpoint": {
        "kind": ("string", '"loadpoint"'),
        "name": ("string", "name from the configuration"),
        "state": ("string", "unknown, idle, connected, charging, suspended_ev, suspended_evse, discharging or fault"),
        "word": ("string", "the state as people read it"),
        "reason": ("?Reason", "why it is so; null before the first decision"),
        "limit": ("?Reason", "the limit that holds it back, if one does"),
        "text": ("string", "why, as a sentence"),
        "next_step": ("string", "what a person can do about it; empty if nothing needs doing"),
        "since": ("?string", "since when it is in this state, UTC"),
        "since_local": ("?string", "the same at the site"),
        "power_w": ("?float", "power now; null if unknown or too old"),
        "enabled": ("?bool", "whether the charger is on, by its last reading"),
        "mode": ("string", "off or fast"),
        "mode_by": ("string", "who set it; empty if nobody did"),
        "mode_until": ("?string", "when it ends by itself, UTC"),
        "mode_until_local": ("?string", "the same at the site"),
        "target": ("string", "nominal, full or storage"),
        "target_text": ("string", 'the target with its figure: "nominal, below 90 W"'),
        "held_by": ("?string", "who holds it, if somebody does"),
        "charger": ("string", "address of its charger: device or device/channel"),
        "profile": ("string", "profile of charger and battery"),
        "reachable": ("?bool", "whether the charger's device answers"),
        "lease_s": ("?int", "after so long the plug cuts off by itself unless told otherwise"),
        "read_at": ("?string", "time of the last reading, UTC"),
        "read_age_s": ("?int", "age of the last reading"),
        "session": ("?Session", "the charging session that runs, or else the last one"),
    },
    "Problem": {
        "kind": ("string", '"problem"'),
        "code": ("string", "what kind of problem"),
        "severity": ("int", "3: a person must act; 4: worse than configured"),
        "subject": ("string", "the loadpoint, device or part that has it"),
        "text": ("string", "the problem in one sentence"),
        "since": ("?string", "since when, UTC"),
        "since_local": ("?string", "the same at the site"),
        "next_step": ("string", "what a person can do"),
    },
    "Line": {
        "label": ("string", "what the line is about"),
        "text": ("string", "the line"),
    },
    "Change": {
        "kind": ("string", '"change"'),
        "input": (
            "string",
            "power_w, session.energy_wh, set.max_h, time, mode, target, hold, windows, enabled, answers, …",
        ),
        "from": ("object", "its value now: a number, a text or null"),
        "to": ("object", "the value at which the decision turns"),
        "held_s": ("float", "how long it would have to stay there; 0: it turns at once"),
        "at": ("?string", "for time: when, UTC"),
        "at_local": ("?string", "the same at the site"),
        "enabled": ("?bool", "whether the charger is on after it"),
        "outcome": ("?string", "how the session ends by it, if it does"),
        "word": ("string", "the state after it, as people read it"),
        "reason": ("Reason", "why it is so then"),
        "distance": ("float", "how far away the change is; 0 is here"),
        "text": ("string", "the change in words"),
    },
    "Entry": {
        "kind": ("string", '"entry"'),
        "seq": ("int", "number of the event; the last one for folded readings"),
        "at": ("string", "time, UTC"),
        "at_local": ("string", "time at the site"),
        "type": ("string", "read, failed, lost, back, device, mode, target, set, hold, schedule, decided, command, …"),
        "event": ("string", "the event's own name"),
        "subject": ("string", "loadpoint, device or part it is about"),
        "text": ("string", "what happened"),
        "detail": ("string", "why, and what became of it"),
        "by": ("string", "who asked; empty if nobody did"),
        "count": ("int", "how many readings are folded into this row; else 1"),
        "data": ("object", "the event's own fields; empty for folded readings"),
    },
    "Device": {
        "kind": ("string", '"device"'),
        "name": ("string", "name from the configuration"),
        "driver": ("string", "its driver"),
        "model": ("string", "what it says it is"),
        "device_id": ("string", "its own id"),
        "firmware": ("string", "its firmware"),
        "reachable": ("?bool", "whether it answers; null before the first try"),
        "lost_since": ("?string", "since when it has not answered, UTC"),
        "lost_since_local": ("?string", "the same at the site"),
        "error": ("string", "unreachable, access-denied or unexpected-answer; empty if it answers"),
        "detail": ("string", "the error in its own words"),
        "has_meter": ("bool", "whether it measures power"),
        "lease": ("string", "none, unproven or proven: whether it cuts off by itself"),
        "channels": ("[]Channel", "what is read from it"),
    },
    "Channel": {
        "address": ("string", "device or device/channel"),
        "loadpoint": ("?string", "the loadpoint that has it"),
        "enabled": ("?bool", "whether it is on"),
        "power_w": ("?float", "power"),
        "voltage_v": ("?float", "voltage"),
        "current_a": ("?float", "current"),
        "energy_wh": ("?float", "the device's own counter"),
        "read_at": ("?string", "time of the reading, UTC"),
        "read_age_s": ("?int", "age of the reading"),
    },
    "Scheduled": {
        "kind": ("string", '"schedule"'),
        "entry": ("string", "name of the entry"),
        "loadpoint": ("string", "where"),
        "when": ("string", "days and time at the site"),
        "does": ("string", "what it sets"),
        "mode": ("string", "mode it sets"),
        "target": ("?string", "target it sets, for that session"),
        "origin": ("string", '"file", or "added" with chargerctl'),
        "next": ("?string", "next time it is due, UTC"),
        "next_local": ("?string", "the same at the site"),
    },
    "Failsafe": {
        "kind": ("string", '"failsafe"'),
        "loadpoint": ("string", "where"),
        "charger": ("string", "address of its charger"),
        "enabled": ("?bool", "whether it is on now"),
        "lease": ("string", "none, unproven or proven"),
        "lease_left_s": ("?int", "after so long the device cuts off by itself"),
        "on_stop": ("string", "what it is left at when chargerd ends in order: off or leave"),
        "safe": ("bool", "whether it ends by itself if chargerd dies now"),
        "text": ("string", "what happens if chargerd dies now"),
    },
    "Value": {
        "kind": ("string", '"value"'),
        "subject": ("string", "the loadpoint"),
        "key": ("string", "the setting"),
        "value": ("object", "its value in force: a number, a text or null"),
        "text": ("string", "the value with its unit"),
        "source": ("string", "where it comes from"),
        "adjustable": ("bool", "whether chargerctl set can change it"),
    },
    "Profile": {
        "kind": ("string", '"profile"'),
        "name": ("string", "name"),
        "source": ("string", "where its figures come from"),
        "nominal_start_w": ("float", "a pack that draws less when switched on is full enough"),
        "nominal_stop_w": ("float", "cut-off power of the target nominal"),
        "full_w": ("float", "cut-off power of the target full"),
        "storage_start_w": ("float", "a pack that draws less is not charged to storage level"),
        "storage_stop_w": ("float", "cut-off power of the target storage"),
        "capacity_wh": ("?float", "content of the pack"),
        "charger_a": ("?float", "current of the charger at the pack"),
        "max_h": ("float", "longest session"),
        "used_by": ("[]string", "loadpoints with this profile"),
    },
    "Command": {
        "kind": ("string", '"command"'),
        "device": ("string", "address of the charger"),
        "text": ("string", "the command in words"),
    },
    "Mistake": {
        "kind": ("string", '"mistake"'),
        "place": ("string", "file and line"),
        "text": ("string", "what is wrong there"),
        "allowed": ("string", "what would be accepted, and what may have been meant"),
    },
    "Reading": {
        "kind": ("string", '"reading"'),
        "address": ("string", "device or device/channel"),
        "values": ("object", "what the device says, by name with unit"),
    },
}

_TABLE = (
    Method(
        "GetStatus",
        "What every loadpoint does, why, and what is wrong: now, or at any past moment.",
        {**NAMES, **AT},
        {
            **MOMENT,
            "site": ("string", "the site's name"),
            "power_w": ("?float", "power of all loadpoints; null if one of them is unknown"),
            "held_by": ("?string", "who holds the whole site, if somebody does"),
            "recording": ("bool", "whether the log can be written"),
            "loadpoints": ("[]Loadpoint", "one for each"),
            "problems": ("[]Problem", "what is wrong"),
            "version": ("string", "chargerd's version"),
            "up_s": ("?int", "how long chargerd has been running; null: it was not"),
            "memory_mib": ("?float", "what chargerd holds in memory, MiB; null for a past moment"),
            "read_age_s": ("?int", "age of the newest reading of any device"),
            "seq": ("int", "number of the last event this rests on"),
        },
    ),
    Method(
        "Watch",
        "One reply for each loadpoint now, then one for every change.",
        NAMES,
        {
            "loadpoint": ("?Loadpoint", "the loadpoint that changed"),
            "changes": ("[]Entry", "what happened to it, readings left out"),
        },
        streams=True,
    ),
    Method(
        "GetWhy",
        "Why a loadpoint does what it does, with the numbers, and what would change it: now, or at any past moment.",
        {
            **NAME,
            **AT,
            "not": ("?string", "a state or a word for one: why it is not so, and what would bring it there"),
        },
        {
            **MOMENT,
            "loadpoint": ("Loadpoint", "the loadpoint"),
            "lines": ("[]Line", "what is wanted and missing, the limits, what would change it"),
            "limits": ("[]Reason", "every limit that speaks, the first one first"),
            "changes": ("[]Change", "single changes that would turn the decision, the smallest first"),
            "policy": ("?string", "the policy that decided"),
            "seq": ("?int", "number of the event that records the decision"),
            "next_step": ("string", "what a person can do"),
        },
    ),
    Method(
        "GetLog",
        "What happened to the charging, oldest first.",
        {
            **NAMES,
            **SPAN,
            "until": ("?string", "not after this time"),
            "types": ("?[]string", "only these types of rows"),
            "by": ("?string", "only what this person asked"),
            "seq": ("?int", "only this event"),
            "all": ("?bool", "every reading in a row of its own"),
            "follow": ("?bool", "go on with what happens from now on; wants more"),
        },
        {
            "entries": ("[]Entry", "the rows"),
            "cut": ("bool", "true: there was more than could be sent; ask for a shorter time"),
            "seq": ("int", "number of the newest event that was looked at"),
        },
        streams=True,
    ),
    Method(
        "GetSessions",
        "Charging sessions, newest first.",
        {
            "name": ("?string", "a loadpoint; all if left out"),
            "since": ("?string", "ended at or after this time"),
            "until": ("?string", "ended before this time"),
            "lines": ("?int", "at most so many, the newest"),
            "price": ("?float", "price of a kWh at which every session is to be counted, in place of what was known"),
        },
        {
            "sessions": ("[]Session", "the sessions"),
            "total": ("Total", "all of them together"),
            "warnings": ("[]string", "what is missing among them, and why"),
        },
    ),
    Method("GetSchedule", "Recurring starts.", {}, {"schedule": ("[]Scheduled", "the entries")}),
    Method(
        "GetDevices",
        "Devices: whether they answer, and what they last said.",
        {"names": ("?[]string", "devices to look at; all if left out")},
        {"devices": ("[]Device", "one for each")},
    ),
    Method(
        "GetFailsafe",
        "What each charger does if chargerd dies at this moment.",
        {},
        {"chargers": ("[]Failsafe", "one for each loadpoint"), "warnings": ("[]string", "what is not safe")},
    ),
    Method(
        "GetProfiles", "Profiles of chargers and batteries.", {}, {"profiles": ("[]Profile", "shipped and configured")}
    ),
    Method(
        "GetConfiguration",
        "Settings in force, each with where it comes from.",
        NAMES,
        {
            "files": ("[]string", "configuration files"),
            "loaded_at": ("?string", "when they were read, UTC"),
            "values": ("[]Value", "one for each setting"),
        },
    ),
    Method(
        "GetState",
        "The state as a digest, for chargerctl verify to compare its replay of the log with.",
        {},
        {
            "seq": ("int", "number of the last event that the state rests on"),
            "digest": ("string", "digest of the whole state"),
            "engine": ("string", "version of the rules that made it"),
            "recording": ("bool", "whether the log can be written; if not, the state is ahead of the file"),
            "run_seq": ("int", "number of the event with which this daemon started"),
            "boot_id": ("string", "the boot of the machine that it counts its time in"),
        },
    ),
    Method(
        "Complete",
        "Names for the shell's completion.",
        {"what": ("string", "loadpoints, devices, entries or settings")},
        {"names": ("[]string", "the names")},
    ),
    Method(
        "SetMode",
        "Charge, or do not.",
        {**NAME, "mode": ("string", "off or fast"), **ENDS},
        CHANGED,
        kind="control",
        changes=True,
    ),
    Method(
        "SetTarget",
        "When to stop charging.",
        {
            "name": ("?string", "a loadpoint"),
            "all": ("?bool", "every loadpoint but those kept at storage level"),
            "target": ("string", 'nominal, full, storage, or "default" for the configured one'),
            "once": ("?bool", "for the next charging session only"),
            **ENDS,
        },
        CHANGED,
        kind="control",
        changes=True,
    ),
    Method(
        "SetSetting",
        "Override settings of a loadpoint or its profile.",
        {**NAME, "values": ("object", 'setting → number; "default" takes the override away'), **ENDS},
        CHANGED,
        kind="control",
        changes=True,
    ),
    Method(
        "Hold",
        "Hands off: watch, and send nothing but lease renewals.",
        {"name": ("?string", "a loadpoint; all if left out"), **ENDS},
        CHANGED,
        kind="control",
        changes=True,
    ),
    Method(
        "Release",
        "End a hold.",
        {"name": ("?string", "a loadpoint; all if left out"), "dry_run": ENDS["dry_run"]},
        CHANGED,
        kind="control",
        changes=True,
    ),
    Method(
        "AddSchedule",
        "Start charging at a time of the week, again and again.",
        {
            **NAME,
            "days": ("string", "mon-fri,sun or daily"),
            "at": ("string", "time of day at the site: 06:30"),
            "mode": ("?string", "mode to set; fast if left out"),
            "target": ("?string", "target of that session; as configured if left out"),
            "dry_run": ENDS["dry_run"],
        },
        {**CHANGED, "entry": ("?string", "name of the entry")},
        kind="control",
        changes=True,
    ),
    Method(
        "RemoveSchedule",
        "Give a recurring start up.",
        {"entry": ("string", "name of the entry"), "dry_run": ENDS["dry_run"]},
        {**CHANGED, "entry": ("?string", "name of the entry")},
        kind="control",
        changes=True,
    ),
    Method(
        "ReadDevice",
        "Read a device now.",
        {"name": ("string", "a device")},
        {"readings": ("[]Reading", "what it said"), "took_ms": ("int", "how long that took")},
        kind="control",
    ),
    Method(
        "CheckConfiguration",
        "Read the configuration files and say what is wrong with them; nothing is loaded.",
        {},
        {"mistakes": ("[]Mistake", "what is wrong"), "files": ("[]string", "files that were read")},
        kind="control",
    ),
)
METHODS: dict[str, Method] = {method.name: method for method in _TABLE}

ERRORS: dict[str, str] = {
    "NoSuchLoadpoint": "No loadpoint has this name. `known` are those that there are.",
    "NoSuchDevice": "No device has this name. `known` are those that there are.",
    "NoSuchEntry": "No schedule entry has this name. `known` are those that there are.",
    "NotPermitted": "The monitor socket only answers questions; changes are asked on the control socket.",
    "BadValue": "A time, a duration, a key or a number is not one that can be.",
    "Refused": "It was understood, and will not be done.",
    "NotRecorded": "The log cannot be written, so the change was not made.",
    "DeviceFailed": "The device did not answer, or not as it should.",
    "Busy": "Too many clients, or the answer did not come in time.",
    "BadMessage": "The bytes were no message; the connection is closed.",
    "Failed": "A mistake in chargerd; the journal has it.",
}
