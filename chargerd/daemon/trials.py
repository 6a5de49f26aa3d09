"""Trials: what is tried out for a person with plugs, and drafted for them. Each on a thread of its own; nothing is recorded here.

The main loop begins a trial and hears nothing more of it: the answer goes to whoever asked.
"""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from chargerd import drivers
from chargerd.config.base import Credential
from chargerd.config.draft import Part, Value, name_for, text
from chargerd.config.load import ConfigError, config_files
from chargerd.daemon import replies
from chargerd.daemon.clock import real_s
from chargerd.daemon.devices import at_home
from chargerd.daemon.discovery import device_of
from chargerd.daemon.loading import prove
from chargerd.daemon.requests import failed
from chargerd.drivers.base import DriverError, Found
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError

TIMEOUT_S = 2.5  # of a plug that is tried: the asker waits for ten seconds
USER, PASSWORD = "kasa-user", "kasa-password"  # the credentials that a drafted file names

Reply = Future[dict[str, Any]]


class Trials:
    """Begins trials. ``report`` gets mistakes of ours."""

    def __init__(self, report: Callable[[BaseException], None]) -> None:
        self._report = report
        self._makers: dict[str, Callable[[dict[str, Any], Site], dict[str, Any]]] = {
            "TryPlug": _try_plug,
            "DraftConfiguration": draft,
        }

    def knows(self, method: str) -> bool:
        """Whether a method is one of these."""
        return method in self._makers

    def begin(self, method: str, parameters: dict[str, Any], site: Site, reply: Reply) -> None:
        """Do it, and answer."""
        work = (self._makers[method], parameters, site, reply)
        threading.Thread(target=self._work, args=work, name=f"trial-{method}", daemon=True).start()

    def _work(
        self,
        make: Callable[[dict[str, Any], Site], dict[str, Any]],
        parameters: dict[str, Any],
        site: Site,
        reply: Reply,
    ) -> None:
        try:
            reply.set_result(make(parameters, site))
        except CallError as error:
            reply.set_exception(error)
        except Exception as error:  # a mistake of ours costs this request its answer, never the charging
            self._report(error)
            reply.set_exception(failed())


def _try_plug(parameters: dict[str, Any], site: Site) -> dict[str, Any]:
    """Read a plug with a driver made for this one reading."""
    module = drivers.load("kasa")
    keys = {"host": parameters["address"], "port": parameters["port"], "mac": parameters["mac"]}
    try:
        config = module.Driver.Config(driver="kasa", timeout_s=TIMEOUT_S, lease=True, **keys)
    except ValueError as error:
        text = "address, port and mac are those of chargerctl discover"
        raise CallError("BadValue", text, "Nothing was sent.", "Look: chargerctl discover") from error
    channel = parameters["channel"]
    driver = module.Driver("the plug", at_home(config, site.configuration), (channel,) if channel else (), {})
    begun_s = real_s()
    try:
        added, readings = driver.describe(), driver.read()
    except DriverError as error:
        hint = "chargerctl help login" if error.kind == "access-denied" else "Look again: chargerctl discover"
        raise CallError("DeviceFailed", str(error), "Nothing was switched; charging goes on.", hint) from error
    finally:
        driver.close()
    reply = replies.reading("plug", readings, round((real_s() - begun_s) * 1000), site)
    return {**reply, "model": added.model, "firmware": added.firmware, "lease": added.lease}


# A drafted configuration


def draft(parameters: dict[str, Any], site: Site) -> dict[str, Any]:
    """A text with a device and a loadpoint for each plug, and whether it would load. Raises `CallError` BadValue."""
    points = [_point(raw) for raw in parameters["points"]]
    if not points:
        raise _bad("no loadpoint was named")
    file = _file(parameters["file"], site)
    parts, secrets = _parts(points, site)
    zone = _zone([path for path in _others(site) if path != file])
    if parameters["timezone"] and zone is None:  # in a file beside them it would move every time of day that they have
        parts.insert(0, Part("site", "", {"timezone": parameters["timezone"]}))
    made = text(("Written by chargerctl configure. Every key: man chargerd.toml",), parts)
    mistakes = []
    try:
        prove(made, [path for path in _others(site) if path != file])
    except ConfigError as error:
        mistakes = replies.mistakes(error)
    said = "The configuration is in order." if not mistakes else "It would not load."
    reply = {"configuration": made, "file": str(file), "mistakes": mistakes, "secrets": sorted(secrets)}
    return {
        "text": said,
        **reply,
        "timezone": zone,
        "belongs": str(file if _is_read(file, site) else _file(None, site)),
    }


def _zone(files: list[Path]) -> str | None:
    """The time zone that these files give the site. One that cannot be read is named by `prove`."""
    found = None
    for path in files:
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8")).get("site")
        except (OSError, ValueError):
            continue
        if isinstance(table, dict) and isinstance(table.get("timezone"), str):
            found = table["timezone"]
    return found


def _point(raw: Mapping[str, Any]) -> dict[str, Any]:
    texts = ("name", "vehicle", "target", "window", "schedule", "address", "mac", "alias", "channel")
    if any(not isinstance(raw.get(key, ""), str) for key in texts) or not raw.get("mac"):
        raise _bad("a loadpoint's keys are texts, and its plug has a mac")
    if not isinstance(raw.get("port", 9999), int):
        raise _bad("a port is a number")
    plain = {key: raw.get(key, "") for key in texts}
    return {**plain, "port": raw.get("port", 9999), "login": bool(raw.get("login"))}


def _parts(points: list[dict[str, Any]], site: Site) -> tuple[list[Part], set[str]]:
    devices: dict[str, Part] = {}  # by hardware address
    chargers: list[str] = []
    secrets: set[str] = set()
    for point in points:
        owner = device_of(_seen(point), site)
        if owner is None and point["mac"] not in devices:
            taken = [*site.configuration.devices, *(part.name for part in devices.values())]
            name = name_for(point["alias"] or point["name"], taken)
            keys: dict[str, Value] = {"driver": "kasa", "host": point["address"], "mac": point["mac"]}
            keys |= {"port": point["port"]} if point["port"] != 9999 else {}
            if point["login"]:
                keys |= {"username": Credential(credential=USER), "password": Credential(credential=PASSWORD)}
                secrets |= {USER, PASSWORD}
            devices[point["mac"]] = Part("device", name, keys)
        device = owner or devices[point["mac"]].name
        chargers.append(f"{device}/{point['channel']}" if point["channel"] else device)
    loadpoints = [_loadpoint(point, charger) for point, charger in zip(points, chargers, strict=True)]
    return [*devices.values(), *loadpoints], secrets


def _loadpoint(point: dict[str, Any], charger: str) -> Part:
    keys: dict[str, Value] = {"charger": charger, "vehicle": point["vehicle"] or "default"}
    keys["target"] = point["target"] or "nominal"
    if point["window"]:
        keys["window"] = point["window"]
    if point["schedule"]:
        days, _, at = point["schedule"].rpartition(" ")
        keys["schedule"] = [{"days": days, "at": at} if days and days != "daily" else {"at": at}]
    return Part("loadpoint", point["name"], keys)


def _file(asked: str | None, site: Site) -> Path:
    """Where the text belongs: beside the main file, so that nothing that somebody wrote is replaced."""
    if asked:
        return Path(asked)
    folder = _main(site).parent / "conf.d"
    taken = {path.stem for path in _others(site)}
    return folder / f"{name_for('plugs', taken)}.toml"


def _is_read(file: Path, site: Site) -> bool:
    """Whether the daemon reads what is in such a file: its main one, or one in conf.d beside that."""
    main = _main(site)
    beside = file.parent == main.parent / "conf.d" and file.suffix == ".toml" and not file.name.startswith(".")
    return beside or file == main


def _main(site: Site) -> Path:
    return Path(site.configuration.files[0]) if site.configuration.files else Path("/etc/chargerd/chargerd.toml")


def _others(site: Site) -> list[Path]:
    if not site.configuration.files:
        return []
    return [path for path in config_files(Path(site.configuration.files[0])) if path.exists()]


def _seen(point: Mapping[str, Any]) -> Found:
    return Found("kasa", point["address"], point["port"], point["mac"], "", None, True, False, "")


def _bad(said: str) -> CallError:
    return CallError("BadValue", said, "Nothing was written.", "Ask by: chargerctl configure")
