"""Plugs: rows of the table about devices that are looked for, tried out and recorded. Data only; `protocol.table` takes it in."""

from __future__ import annotations

from typing import Any

Fields = dict[str, tuple[str, str]]

TYPES: dict[str, Fields] = {
    "Plug": {
        "kind": ("string", '"plug"'),
        "driver": ("string", "the driver that can use it"),
        "address": ("string", "its address on the network"),
        "port": ("int", "the port that it was asked at"),
        "mac": ("string", "its hardware address, by which it is known again"),
        "model": ("string", "what it says it is"),
        "alias": ("?string", "its name in the maker's app; null: not told before a login"),
        "has_meter": ("?bool", "whether it measures power; null: not known"),
        "login": ("bool", "whether it wants a login"),
        "device": ("?string", "the device that it is configured as"),
        "loadpoint": ("?string", "the loadpoint that has it"),
        "sockets": ("[]Socket", "the sockets of a strip; empty for a single plug"),
        "note": ("string", "what keeps it from being used, if anything does"),
    },
    "Socket": {
        "kind": ("string", '"socket"'),
        "alias": ("string", "its name in the maker's app"),
        "channel": ("string", "its id within the strip, by which it can be named in an address"),
        "loadpoint": ("?string", "the loadpoint that has it"),
        "note": ("string", "what keeps it from being used, if anything does"),
    },
}

METHODS: tuple[tuple[str, str, Fields, Fields, dict[str, Any]], ...] = (
    (
        "Discover",
        "Look for plugs on the local network: one reply for each that answers, the last one when the time is over.",
        {
            "networks": (
                "?[]string",
                "where to look: 192.168.178.255, 192.168.178.0/24, 192.168.178.40:9999; as configured",
            ),
            "seconds": ("?int", "how long to look, 1 to 60; 5 if left out"),
        },
        {
            "networks": ("[]string", "where was looked"),
            "seconds": ("int", "for how long"),
            "left_s": ("float", "how long it still looks; 0 in the last reply"),
            "plugs": ("[]Plug", "those that have answered so far"),
            "others": ("int", "TP-Link devices that answered and are no plugs"),
            "notes": ("[]string", "what else is worth knowing, one sentence each"),
        },
        {"kind": "control", "streams": True},
    ),
    (
        "TestDevice",
        "Switch a socket on with a short timer and see whether that switches it off; the result is an event LeaseTested.",
        {"name": ("string", "a loadpoint, a device with one socket in use, or device/channel; it must be off")},
        {
            "address": ("string", "the socket that is tried"),
            "lease_s": ("int", "its timer"),
            "longest_s": ("int", "at most so long it takes"),
            "seq": ("int", "number of the event that records the begin"),
        },
        {"kind": "control"},
    ),
    (
        "RecordDevice",
        "What a device answers to the driver's questions, for contributors: without names, ids and places.",
        {"name": ("string", "a device")},
        {
            "file": ("string", "a good name for the file"),
            "recording": ("object", "driver, model, hardware, firmware, and answers by socket, module and method"),
        },
        {"kind": "control"},
    ),
    (
        "TryPlug",
        "Read a plug that a search has found and nobody has configured.",
        {
            "address": ("string", "its address on the network"),
            "port": ("int", "the port it answers on"),
            "mac": ("string", "its hardware address; another device at that address is not read"),
            "channel": ("string", "a socket of a strip, by its name or its id in the strip; empty for a single plug"),
        },
        {
            "model": ("string", "what it says it is"),
            "firmware": ("string", "its firmware"),
            "lease": ("string", "none, unproven or proven: whether it cuts off by itself"),
            "readings": ("[]Reading", "what it said"),
            "took_ms": ("int", "how long that took"),
        },
        {"kind": "control"},
    ),
    (
        "DraftConfiguration",
        "A configuration for plugs, as a text that loads beside the files that there are. Nothing is written.",
        {
            "points": (
                "[]object",
                "loadpoints: name, vehicle, target, window and schedule (texts, may be empty), and of their plug address, port, "
                "mac, alias, channel, login",
            ),
            "timezone": ("?string", "the site's time zone, if it has none yet"),
            "file": ("?string", "the file that it is to be; one that is there is taken for replaced"),
        },
        {
            "configuration": ("string", "the text"),
            "file": ("string", "where it is to be written: the file that was named, or one beside the main file"),
            "belongs": (
                "string",
                "where chargerd reads it: that file, or one beside the main file if it is none of chargerd's",
            ),
            "mistakes": ("[]Mistake", "why it would not load; then it must not be used"),
            "timezone": ("?string", "the site's time zone by the other files; null: they have none"),
            "secrets": ("[]string", "credentials that have to be stored before it can be used"),
        },
        {"kind": "control"},
    ),
)
