"""Log: what happened to the charging. What the program itself did is in its journal: journalctl -u chargerd."""

from __future__ import annotations

from chargerd.ctl.commands.base import Command, add_names, lines_of
from chargerd.ctl.errors import DONE, usage
from chargerd.ctl.render import clean, tabs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from chargerd.ctl.commands.base import Call

COLOURS = {"lost": "red", "failed": "red", "back": "green", "command": "bold", "read": "dim"}
TYPE_WIDTH = 9
PLAIN = ("at_local", "seq", "type", "subject", "by", "text", "detail")


def run(call: Call) -> int:
    """Ask for the rows and print them; with --follow, go on as they come."""
    asked, output = call.arguments, call.output
    if asked.output is not None and output.form != "text":
        raise usage(f"--{output.form} and -o exclude each other", "log")
    wanted = {
        "names": asked.names or None,
        "since": asked.since,
        "until": asked.until,
        "lines": asked.lines,
        "types": asked.type.split(",") if asked.type else None,
        "by": asked.by,
        "seq": asked.seq,
        "all": asked.all or None,
    }
    if asked.follow:
        stream = call.client.follow("GetLog", **wanted, follow=True)
        width = 0
        try:
            for reply in stream:
                width = max([width, *(len(entry["subject"]) for entry in reply["entries"])])
                _print(call, reply, width, by_line=True)
        finally:
            stream.close()
        return DONE
    reply = call.client.ask("GetLog", **wanted)
    if output.form == "json":
        output.json(reply)
        return DONE
    _print(call, reply, max((len(entry["subject"]) for entry in reply["entries"]), default=0), by_line=False)
    if reply["cut"]:
        output.hint('there was more: ask for a shorter time, as in chargerctl log --since "14:00" --until "15:00"')
    return DONE


def _print(call: Call, reply: dict[str, Any], width: int, *, by_line: bool) -> None:
    output, entries = call.output, reply["entries"]
    if output.form == "json" or call.arguments.output == "json":
        for entry in entries:
            output.json(entry)
        return
    dated = any(entry["at_local"][:10] != reply["now_local"][:10] for entry in entries)
    if output.form == "plain":
        lines = [tabs([[entry[key] for key in PLAIN]]) for entry in entries]
    elif call.arguments.output == "verbose":
        lines = [verbose(entry) for entry in entries]
    else:
        lines = [short(entry, min(width, 20), output.paint, dated=dated) for entry in entries]
    if by_line:
        output.text("\n".join(lines))
    elif lines:
        output.paged("\n".join(lines))
    elif output.form == "text":
        output.text("Nothing happened in this time.")


def short(entry: dict[str, Any], width: int, paint: Any, *, dated: bool) -> str:
    """One line: time, type, subject, what happened, why and what became of it."""
    local = entry["at_local"]
    time = f"{local[:10]} {local[11:19]}" if dated else local[11:19]
    kind = paint(clean(entry["type"]).ljust(TYPE_WIDTH), COLOURS.get(entry["type"]))
    text = "   ".join(clean(part) for part in (entry["text"], entry["detail"]) if part)
    return f"{paint(time, 'dim')}  {kind} {clean(entry['subject']).ljust(width)}  {text}".rstrip()


def verbose(entry: dict[str, Any]) -> str:
    """Several lines: everything that the event says."""
    by = f"  by {entry['by']}" if entry["by"] else ""
    lines = [f"{entry['at_local']}  {entry['event']}  {entry['subject']}  seq {entry['seq']}{by}"]
    lines.append(f"    {entry['text']}")
    if entry["detail"]:
        lines.append(f"    {entry['detail']}")
    lines += [f"      {key} = {value}" for key, value in sorted(entry["data"].items())]
    return "\n".join(clean(line) for line in lines)


def _seq(text: str) -> int:
    if not text.isdigit() or len(text) > 15:
        raise usage(f'"{text}" is no number of an event', "log")
    return int(text)


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_names(parser)
    option = parser.add_argument
    option("-n", "--lines", type=lines_of, metavar="N", help="at most so many rows, the last ones")
    option("-f", "--follow", action="store_true", help="go on with what happens from now on")
    option("-S", "--since", metavar="TIME", help='not before: 14:00, yesterday, -2h, "2026-05-11 18:00"')
    option("-U", "--until", metavar="TIME", help="not after")
    option("--type", metavar="TYPE,…", help="only rows of these types: command,mode")
    option("--by", metavar="PERSON", help="only what this person asked")
    option("--seq", type=_seq, metavar="N", help="only this event")
    option("--all", action="store_true", help="every reading in a row of its own")
    option("-o", "--output", choices=("short", "json", "verbose"), help="form of the rows; json: one object per line")


COMMANDS = {
    "log": Command(
        run,
        (
            "chargerctl log --since 14:00",
            "chargerctl log bike-1 -f",
            "chargerctl log --type command,mode --by anna -S yesterday",
        ),
        add,
        method="GetLog",
        lines="with -f or -o json one object of kind entry per line",
        more="Readings are folded unless --all. What the program itself did: journalctl -u chargerd. "
        "--plain: time, seq, type, subject, by, text, detail.",
    )
}
