"""Guided: question by question from the plugs on the network to a configuration file. Writes only after a yes."""

from __future__ import annotations

import os
import re
import sys

from chargerd.ctl.commands.base import Command
from chargerd.ctl.commands.discover import LOGIN_HINT, add_network, add_seconds, found_table, search
from chargerd.ctl.errors import DONE, FAILED, INTERRUPTED, Failure, usage
from chargerd.ctl.render import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from typing import Any

    from chargerd.ctl.commands.base import Call

NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
CLOCK = r"([01]?\d|2[0-3]):[0-5]\d"
DAY = "(mon|tue|wed|thu|fri|sat|sun)"
DAYS = rf"(daily|{DAY}(-{DAY})?(,{DAY}(-{DAY})?)*)"
WINDOW = re.compile(rf"({DAYS} )?{CLOCK}-({CLOCK}|24:00)")
START = re.compile(rf"({DAYS} )?{CLOCK}")
ZONE = re.compile(r"[A-Za-z_+-]+(/[A-Za-z0-9_+-]+)*")
TARGETS = ("nominal", "full", "storage")
NOT_WRITTEN = "Nothing was written; charging is as before."


class Given(Exception):
    """Somebody has had enough: Ctrl-D, or a no at the end."""


def run(call: Call) -> int:
    """Ask, show, and write."""
    if call.output.form != "text" or not (call.output.terminal and sys.stdin is not None and sys.stdin.isatty()):
        raise usage("configure asks questions, so it needs a terminal; a script writes the file itself", "configure")
    try:
        return _guided(call)
    except Given:
        call.output.text(NOT_WRITTEN)
        return DONE
    except KeyboardInterrupt:
        call.output.text(f"\n{NOT_WRITTEN}")
        return INTERRUPTED


def _guided(call: Call) -> int:
    reply = search(call, call.arguments.network, call.arguments.seconds)
    call.output.text(found_table(reply["plugs"], call.output.width))
    choices = free(reply["plugs"])
    if not choices:
        call.output.text("There is no plug with a meter that could be configured.")
        call.output.text(LOGIN_HINT if any(plug["login"] for plug in reply["plugs"]) else "")
        return FAILED
    known = set(call.client.ask("Complete", what="loadpoints")["names"])
    profiles = call.client.ask("GetProfiles")["profiles"]
    points: list[dict[str, Any]] = []
    for choice in _chosen(call, choices):
        points.append(_point(call, choice, profiles, known | {point["name"] for point in points}))
    timed = any(point["window"] or point["schedule"] for point in points)
    file = None if call.arguments.output is None else os.path.abspath(call.arguments.output)
    draft = call.client.tell("DraftConfiguration", points=points, timezone=None, file=file)
    if timed and draft["timezone"] is None:
        draft = call.client.tell("DraftConfiguration", points=points, timezone=_zone(call), file=file)
    if draft["mistakes"]:
        texts = [f"{mistake['place']}: {mistake['text']} {mistake['allowed']}".strip() for mistake in draft["mistakes"]]
        hint = "Ask again: chargerctl configure      Every key: man chargerd.toml"
        raise Failure(FAILED, "draft", f"that would not load: {'; '.join(texts)}", NOT_WRITTEN, hint)
    return _written(call, draft)


def free(plugs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Everything that could become a loadpoint: plugs with a meter and sockets of strips that have none yet."""
    found = []
    for plug in plugs:
        if plug["has_meter"] is False:
            continue
        places = [(socket["alias"], socket) for socket in plug["sockets"]] or [(plug["alias"], plug)]
        for alias, place in places:
            if place["loadpoint"] is None:
                channel = _channel(place) if plug["sockets"] else ""
                found.append({"alias": alias or "", "channel": channel, "plug": plug, "note": place["note"]})
    return found


def _channel(socket: dict[str, Any]) -> str:
    """How a socket is named in an address: by its name, or by its id where that does not fit."""
    alias: str = socket["alias"]
    fits = 0 < len(alias) <= 60 and "/" not in alias and alias.isprintable() and not socket["note"]
    return alias if fits else str(socket["channel"])


def _chosen(call: Call, choices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    call.output.text("\nWhat can be configured:")
    for number, choice in enumerate(choices, 1):
        plug = choice["plug"]
        note = f"   ({choice['note']})" if choice["note"] else ""
        call.output.text(
            clean(f"  {number}  {choice['alias'] or plug['model']}  {plug['model']} at {plug['address']}{note}")
        )

    def numbers(text: str) -> list[int]:
        if text.strip().lower() == "all":
            return list(range(1, len(choices) + 1))
        words = re.split(r"[ ,]+", text.strip())
        if not all(word.isascii() and word.isdigit() and 1 <= int(word) <= len(choices) for word in words):
            raise ValueError(f"write numbers from 1 to {len(choices)}, as in 1,2, or all")
        return list(dict.fromkeys(map(int, words)))

    return [choices[number - 1] for number in ask(call, "Which? Numbers, or all", "1", numbers)]


def _point(call: Call, choice: dict[str, Any], profiles: list[dict[str, Any]], taken: set[str]) -> dict[str, Any]:
    plug, alias = choice["plug"], choice["alias"]
    call.output.text("\n" + clean(f"{alias or plug['model']} ({plug['model']} at {plug['address']})"))
    _try(call, choice)

    def name(text: str) -> str:
        if not NAME.fullmatch(text):
            raise ValueError("a name is made of 1 to 40 letters, digits and the signs . _ -")
        if text in taken:
            raise ValueError(f"there is a loadpoint {text} already")
        return text

    proposed = re.sub(r"[^A-Za-z0-9_.-]+", "-", alias).strip("-.")[:40]
    given = ask(call, "Name of the loadpoint", proposed if proposed not in taken else "", name)
    call.output.text("What is charged there:")
    for number, profile in enumerate(profiles, 1):
        stops = f"nominal {profile['nominal_stop_w']:g} W, full {profile['full_w']:g} W"
        call.output.text(clean(f"  {number}  {profile['name']}  {stops}"))
    names = [profile["name"] for profile in profiles]
    usual = "default" if "default" in names else names[0]
    vehicle = ask(call, "Number or name", usual, lambda text: _of(text, names))
    target = ask(call, "Charge to nominal, full or storage", "nominal", lambda text: _of(text, list(TARGETS)))
    shape = "write 22:00-06:00 or mon-fri 22:00-06:00"
    window = ask(call, "Only in a window, such as 22:00-06:00; empty: at any time", "", _like(WINDOW, shape))
    shape = "write 00:00 or mon-fri 00:00"
    start = ask(call, "Begin by itself, such as mon-fri 22:30; empty: only when asked to", "", _like(START, shape))
    keys = {key: plug[key] for key in ("address", "port", "mac", "login")}
    told = {"name": given, "vehicle": vehicle, "target": target, "window": window, "schedule": start}
    return {**told, **keys, "alias": plug["alias"] or "", "channel": choice["channel"]}


def _try(call: Call, choice: dict[str, Any]) -> None:
    """Read the plug, so that a wrong one is seen before anything is written."""
    plug = choice["plug"]
    if plug["login"]:
        call.output.text(f"It wants a login, so it cannot be read yet. {LOGIN_HINT}")
        if not yes("Configure it all the same, to be read once the login is stored"):
            raise Given
        return
    place = {key: plug[key] for key in ("address", "port", "mac")}
    try:
        reply = call.client.tell("TryPlug", **place, channel=choice["channel"])
    except Failure as failure:
        call.output.text(clean(f"It could not be read: {failure.message}"))
        if not yes("Configure it all the same"):
            raise Given from failure
        return
    values = reply["readings"][0]["values"]
    now = {True: "on", False: "off", None: "on or off unknown"}[values["enabled"]]
    power = "power unknown" if values["power_w"] is None else f"{values['power_w']:.1f} W"
    timer = {"none": "has no timer of its own: once on, it stays on if chargerd dies"}
    said = timer.get(
        reply["lease"], "has a timer that switches it off if chargerd dies; prove it: chargerctl device test"
    )
    call.output.text(clean(f"It answers: {now}, {power}. It {said}."))


def _zone(call: Call) -> Any:
    """The site's time zone, for whoever asks for times of day."""
    from zoneinfo import available_timezones

    proposed, zones = local_zone(), available_timezones()

    def zone(text: str) -> str:
        if not ZONE.fullmatch(text) or (zones and text not in zones):
            raise ValueError("write a zone such as Europe/Berlin")
        return text

    call.output.text("")
    return ask(call, "Time zone of these times", proposed, zone)


def local_zone() -> str:
    """This machine's time zone by its name, as far as it has one."""
    try:
        return os.path.realpath("/etc/localtime").rpartition("/zoneinfo/")[2] or "UTC"
    except OSError:
        return "UTC"


def _written(call: Call, draft: dict[str, Any]) -> int:
    text, wanted = draft["configuration"], draft["file"]
    path = wanted if may_write(wanted) else os.path.abspath(os.path.basename(wanted))
    call.output.text(f"\n{text}")
    if path != wanted:
        call.output.text(f"It belongs to {wanted}, where you may not write; it can be put beside you first.")
    kept = f" (what is there is kept as {path}.bak)" if os.path.exists(path) else ""
    if not yes(f"Write this to {path}{kept}"):
        raise Given
    write(path, text)
    call.output.text(f"Written: {path}")
    for secret in draft["secrets"]:
        call.output.text(f"  sudo install -m 600 /dev/stdin /etc/chargerd/secrets/{secret}   # type it, then Ctrl-D")
    if path != draft["belongs"]:
        call.output.text(f"  sudo install -D -m 644 {path} {draft['belongs']}")
    call.output.text("  chargerctl configure check")
    call.output.text(f"  sudo systemctl {'restart' if draft['secrets'] else 'reload'} chargerd")
    return DONE


def may_write(path: str) -> bool:
    """Whether this person may write a file there, folders that have to be made included."""
    folder = os.path.dirname(os.path.abspath(path))
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    there = os.path.exists(path)
    return os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK) and (not there or os.access(path, os.W_OK))


def write(path: str, text: str) -> None:
    """Write a file whole or not at all; what was there is kept beside it. Raises `Failure`."""
    made = f"{path}.new"
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(made, "x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(path):
            os.replace(path, f"{path}.bak")
        os.replace(made, path)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        hint = f"Choose another: chargerctl configure --output FILE. In the way may be {made}."
        raise Failure(FAILED, "not-written", f"{path} cannot be written: {why}.", NOT_WRITTEN, hint) from error


# Questions


def ask(call: Call, question: str, default: str, understood: Callable[[str], Any]) -> Any:
    """Ask until the answer is understood. Enter takes the default; Ctrl-D leaves."""
    while True:
        answer = line(f"{question}{f' [{default}]' if default else ''}: ") or default
        try:
            return understood(answer)
        except ValueError as error:
            call.output.text(f"  {error}")


def yes(question: str) -> bool:
    """A question that only a yes answers with yes."""
    return line(f"{question}? [y/N] ").lower() in ("y", "yes")


def line(prompt: str) -> str:
    """What somebody types. Raises `Given` at the end of the input."""
    sys.stdout.write(prompt)
    sys.stdout.flush()
    typed = sys.stdin.readline()
    if not typed:
        sys.stdout.write("\n")
        raise Given
    return typed.strip()


def _of(text: str, known: list[str]) -> str:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= len(known):
        return known[int(text) - 1]
    if text not in known:
        raise ValueError(f"one of: {', '.join(known)}")
    return text


def _like(shape: re.Pattern[str], said: str) -> Callable[[str], str]:
    def understood(text: str) -> str:
        if text and not shape.fullmatch(text):
            raise ValueError(said)
        return text

    return understood


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    parser.add_argument("--output", metavar="FILE", help="the file to write; a new one in conf.d if left out")
    add_seconds(parser)
    add_network(parser)


COMMANDS = {
    "configure": Command(
        run,
        ("chargerctl configure", "chargerctl configure --output ./chargerd.toml"),
        add,
        more="Looks for plugs, asks which to charge on, what and when, reads each of them, shows the file and writes it after a "
        "yes. It is a file of its own beside those that there are, so nothing is replaced; with --output a file that is there is "
        "kept as FILE.bak. Needs a terminal and the control socket.",
    ),
}
