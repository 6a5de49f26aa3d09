"""Chargemanager texts: databases as that program makes them, in each of its shapes, with what somebody has set."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

PIN = "4711-secret-pin"
PAGE_SECRET = "5SECRETOFTHEPAGE"

_FIRST: dict[str, object] = {
    "seip": "192.168.1.20",
    "seport": 1502,
    "pvpeakpower": 9400,
    "batterystartsoc": 65,
    "batterymaxconsumption": 2600,
    "batterymaxinput": 4950,
    "chargemodeauto": 1,
    "measurementsurl": "http://192.168.1.31/api/measurements/04:91:62:00:00:01",
    "settingsurl": "http://192.168.1.31/api/settings/04:91:62:00:00:01",
    "chargerpassword": PIN,
}
_SECOND: dict[str, object] = {
    "chargingphases": 2,
    "webport": 5000,
    "secretkey": PAGE_SECRET,
    "authenticationenabled": 0,
    "plugip": "192.168.1.41",
    "plugonpower": 2100,
}
_LAST: dict[str, object] = {"plugstartFromSOC": 70, "plugEnabled": 1}
_BATTERY: dict[str, object] = {"allowPlugUseBattery": 1}
_WINDOWS: dict[str, object] = {
    "pvPlugstartFrom": "09:30",
    "pvPlugstartTo": "16:15",
    "alwaysPlugstartFrom": "04:00",
    "alwaysPlugstartTo": "05:00",
}
_OLD_WINDOWS: dict[str, object] = {
    "firstPlugstartFrom": "11:00",
    "firstPlugstartTo": "12:30",
    "secondPlugstartFrom": "14:00",
    "secondPlugstartTo": "16:00",
}
_BOXES: dict[str, object] = {"pulsarwallboxtopicname": "wallbox_x", "mqttip": "192.168.178.x"}
_KEBA: dict[str, object] = {"kebap30ip": "192.168.178.x"}

SHAPES: dict[int, dict[str, object]] = {
    1: {**_FIRST, **_SECOND, "plugmaxSeconds": 7200, "plugstartFrom": 13, **_LAST},
    2: {**_FIRST, **_SECOND, **_OLD_WINDOWS, **_LAST, **_BATTERY},
    3: {**_FIRST, **_SECOND, **_WINDOWS, **_LAST, **_BATTERY},
    4: {**_FIRST, **_BOXES, **_SECOND, **_WINDOWS, **_LAST, **_BATTERY},
    5: {**_FIRST, **_BOXES, **_KEBA, **_SECOND, **_WINDOWS, **_LAST, **_BATTERY},
}
"""Columns of its table of settings, oldest first, with what somebody has set."""
NEWEST = SHAPES[5]


def database(path: Path, settings: Mapping[str, object] = NEWEST, strategy: int | None = 0) -> Path:
    """Make such a file: one row of settings, one of controls, and a little history."""
    with closing(sqlite3.connect(path)) as connection:
        kinds = {key: "integer" if isinstance(NEWEST.get(key, SHAPES[1].get(key)), int) else "TEXT" for key in settings}
        columns = ", ".join(f"{key} {kind} NOT NULL" for key, kind in kinds.items())
        connection.execute(f"CREATE TABLE settings ({columns})")
        marks = ", ".join("?" for _ in settings)
        connection.execute(f"INSERT INTO settings VALUES ({marks})", list(settings.values()))
        if strategy is not None:
            connection.execute("CREATE TABLE controls (chargemode integer NOT NULL, cloudy integer NOT NULL)")
            connection.execute("INSERT INTO controls VALUES (?, 0)", [strategy])
        connection.execute("CREATE TABLE modbus (timestamp TEXT NOT NULL, pvprod integer NOT NULL)")
        connection.executemany("INSERT INTO modbus VALUES (?, ?)", [(str(n), n) for n in range(500)])
        connection.commit()
    return path
