"""Table: every method of the control sockets, its parameters, its reply, and every error. One place for all who need it.

The Varlink interface text, the checks of parameters, docs/commands.md and shell completion are made from this table.
Types are Varlink's: "?string" may be null or left out, "[]int" is an array, a capital letter is a type of `TYPES`.
"""

from __future__ import annotations

from typing import Any

from chargerd.protocol import plugs
from chargerd.protocol.types import Fields


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
    "until": ("?string", "when the change ends by itself: a time, a duration from now such as +45min, or disconnected"),
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
            "flows": ("?Flows", "what the site takes and gives; null where no meter is configured"),
            "meters": ("[]Meter", "one for each"),
            "storages": ("[]Storage", "house batteries, one for each"),
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
    Method("GetSinks", "Places that are told what happens.", {}, {"sinks": ("[]Sink", "one for each")}),
    Method(
        "GetBatteries",
        "The record of every pack, from its charging sessions.",
        NAMES,
        {
            "batteries": ("[]Battery", "one for each pack that was charged at a loadpoint"),
            "warnings": ("[]string", "what is missing in them, and why"),
        },
    ),
    Method("GetPlans", "Targets with a time.", NAMES, {"plans": ("[]Plan", "one for each loadpoint that has one")}),
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
        {"what": ("string", "loadpoints, devices, entries, settings, modes or sinks")},
        {"names": ("[]string", "the names")},
    ),
    Method(
        "SetMode",
        "Charge, or do not.",
        {
            **NAME,
            "mode": ("string", "off or fast; solar, min-solar or slow where the loadpoint has them"),
            "from_pct": (
                "?float",
                "level of the battery now: for a counted storage level, or with full for its capacity",
            ),
            **ENDS,
        },
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
        {
            **NAME,
            "values": ("object", 'setting → number; "default" takes the override away'),
            "once": ("?bool", "until the end of the session that runs, or of the next one"),
            **ENDS,
        },
        CHANGED,
        kind="control",
        changes=True,
    ),
    Method(
        "SetPlan",
        "Have a target reached by a time: full is held at nominal and topped up just before.",
        {
            **NAME,
            "target": ("string", 'nominal, full, or "none" to drop the plan'),
            "ready_by": ("?string", 'when it is to be reached: 07:00, "sat 07:00"'),
            "best_effort": ("?bool", "also when the time may not suffice"),
            "dry_run": ENDS["dry_run"],
        },
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
            "ready": ("?bool", "be charged by that time, instead of starting at it"),
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
        "TestSink",
        "Send a test message and say whether it was taken.",
        {"name": ("string", "a sink")},
        {"name": ("string", "the sink")},
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
_MORE = tuple(Method(*row[:4], **row[4]) for row in plugs.METHODS)
METHODS: dict[str, Method] = {method.name: method for method in (*_TABLE, *_MORE)}

ERRORS: dict[str, str] = {
    "NoSuchLoadpoint": "No loadpoint has this name. `known` are those that there are.",
    "NoSuchDevice": "No device has this name. `known` are those that there are.",
    "NoSuchEntry": "No schedule entry has this name. `known` are those that there are.",
    "NoSuchSink": "No sink has this name. `known` are those that there are.",
    "SinkFailed": "The sink did not take what it was told.",
    "NotPermitted": "The monitor socket only answers questions; changes are asked on the control socket.",
    "BadValue": "A time, a duration, a key or a number is not one that can be.",
    "Refused": "It was understood, and will not be done.",
    "NotRecorded": "The log cannot be written, so the change was not made.",
    "DeviceFailed": "The device did not answer, or not as it should.",
    "Busy": "Too many clients, or the answer did not come in time.",
    "BadMessage": "The bytes were no message; the connection is closed.",
    "Failed": "A mistake in chargerd; the journal has it.",
}
