"""Commands: every command of chargerctl: its group, the module it lives in, and what it does in a sentence.

A module is imported when its command is used.
"""

from __future__ import annotations

GROUPS = ("look", "change", "understand", "look after")

REGISTRY: dict[str, tuple[str, str, str]] = {
    "status": ("look", "status", "what every loadpoint does now, why, and what is wrong"),
    "watch": ("look", "watch", "the same, as it changes"),
    "sessions": ("look", "sessions", "charging sessions: when, how much, how they ended"),
    "plan": ("look", "plan", "a target with a time: show plans, set one, drop one"),
    "battery": ("look", "battery", "each pack: charges, cycles, capacity, when it was last full"),
    "schedule list": ("look", "schedule", "recurring starts"),
    "get": ("look", "get", "single values of a loadpoint, for scripts"),
    "wait": ("look", "wait", "wait until a loadpoint is in a state"),
    "mode": ("change", "mode", "charge, or do not"),
    "target": ("change", "target", "when to stop charging"),
    "set": ("change", "set", "override settings of a loadpoint"),
    "hold": ("change", "hold", "hands off: watch and send nothing"),
    "release": ("change", "hold", "end a hold"),
    "schedule add": ("change", "schedule", "start charging at a time of the week, again and again"),
    "schedule remove": ("change", "schedule", "give a recurring start up"),
    "why": ("understand", "why", "why a loadpoint does what it does, with the numbers"),
    "log": ("understand", "log", "what happened to the charging"),
    "verify": ("understand", "verify", "whether the log is whole and explains everything that was done"),
    "failsafe": ("understand", "failsafe", "what each charger does if chargerd dies now"),
    "sink list": ("look after", "sink", "who is told what happens, and whether it arrives"),
    "sink test": ("look after", "sink", "send a test message"),
    "discover": ("look after", "discover", "plugs on the local network, and which of them are configured"),
    "device list": ("look after", "device", "devices: whether they answer, what they last said"),
    "device read": ("look after", "device", "read a device now"),
    "device test": ("look after", "device", "whether a plug really switches off by itself"),
    "device record": ("look after", "device", "what a device answers, without names, for contributors"),
    "profile list": ("look after", "profile", "profiles of chargers and batteries"),
    "profile show": ("look after", "profile", "one of them, with its seasons"),
    "profile learn": ("look after", "learn", "propose a profile from a full charge"),
    "configure": ("look after", "guided", "question by question: from plugs on the network to a file that charges"),
    "configure check": ("look after", "configure", "what is wrong with the configuration files"),
    "configure show": ("look after", "configure", "settings in force, and where each comes from"),
    "configure import": ("look after", "configure", "a configuration from an INI file of the e-bike battery script"),
    "export log": ("look after", "export", "a copy of the whole log, also while chargerd runs"),
    "export readings": ("look after", "export", "readings as a table"),
    "export sessions": ("look after", "export", "charging sessions as a table"),
    "bundle": ("look after", "bundle", "part of the log for others, without names"),
    "demo": ("look after", "demo", "run a simulated home with the real daemon"),
    "completion": ("look after", "completion", "completion for bash, zsh or fish"),
    "help": ("look after", "help", "help on a command or a topic"),
}

DEFAULTS = {"": "status", "schedule": "schedule list", "sink": "sink list"}
"""What a first word means that is not followed by a second one."""
