"""Man: makes the manual pages from docs/man/*.md and from what chargerctl knows of itself.

    python3 packaging/man.py FOLDER

Reads the little Markdown that those pages use: headings, paragraphs, lists, tables, blocks of code, **bold**, `code`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from chargerd import __version__  # noqa: E402
from chargerd.ctl import manual  # noqa: E402

PAGES = {"chargerd": 8, "chargerd.toml": 5}


def pages() -> dict[str, str]:
    """File name → text of every page."""
    made = {
        f"{name}.{section}": page((ROOT / "docs" / "man" / f"{name}.md").read_text("utf-8"), name, section)
        for name, section in PAGES.items()
    }
    return made | {"chargerctl.1": page(chargerctl(), "chargerctl", 1)}


def chargerctl() -> str:
    """The page of chargerctl: the beginning by hand, and all commands from their parsers."""
    before = (ROOT / "docs" / "man" / "chargerctl.md").read_text("utf-8")
    commands = manual.manual().partition("## Options of every command")[2]
    return f"{before}\n## Options of every command{commands}"


def page(markdown: str, name: str, section: int) -> str:
    """A page in the language of man."""
    head = [f'.TH {name} {section} "" "chargerd {__version__}" "chargerd"', ".nh", ".ad l"]
    return "\n".join([*head, *_blocks(markdown)]) + "\n"


def _blocks(markdown: str) -> Iterator[str]:
    for block in re.findall(r"(?ms)^```.*?^```$|^(?:(?!```)[^\n]+\n?)+", markdown):
        text = block.strip("\n")
        if text.startswith("```"):
            yield from (".PP", ".RS 4", ".nf", *map(_literal, text.split("\n")[1:-1]), ".fi", ".RE")
        elif text.startswith("# "):
            continue
        elif text.startswith("## "):
            yield f".SH {_literal(text[3:]).upper()}"
        elif text.startswith("### "):
            yield f".SS {_literal(text[4:])}"
        elif text.startswith("|"):
            yield from _rows(text.split("\n"))
        elif text.startswith("- "):
            yield from _items(text)
        else:
            yield from (".PP", _inline(" ".join(text.split("\n"))))


def _rows(lines: list[str]) -> Iterator[str]:
    """A table: the first cell stands out, the others are said of it."""
    for line in lines[2:]:
        first, *others = (cell.strip() for cell in line.strip("|").replace(r"\|", "\0").split("|"))
        said = f"({others[0]}) {others[1]}" if len(others) == 2 else others[0]
        yield from (".TP", _inline(first.replace("\0", "|")), _inline(said.replace("\0", "|")))


def _items(text: str) -> Iterator[str]:
    """A list; ``- `option`: what it does`` gets a hanging text."""
    for item in re.split(r"(?m)^- ", text)[1:]:
        words = " ".join(item.split())
        named = re.match(r"(`[^`]+`): (.*)", words)
        yield from (".TP", _inline(named[1]), _inline(named[2])) if named else (".IP \\(bu 2", _inline(words))


def _inline(text: str) -> str:
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)
    parts = re.split(r"(`[^`]+`|\*\*[^*]+\*\*)", text)
    return _guarded(
        "".join(f"\\fB{_escaped(p.strip('`*'))}\\fR" if p[:1] in ("`", "*") else _escaped(p) for p in parts)
    )


def _literal(text: str) -> str:
    return _guarded(_escaped(text))


def _escaped(text: str) -> str:
    """Backslash, and the characters that groff would set as typographic ones."""
    return (
        text.replace("\\", "\\e")
        .replace("-", "\\-")
        .replace("'", "\\(aq")
        .replace("`", "\\(ga")
        .replace("~", "\\(ti")
        .replace("^", "\\(ha")
    )


def _guarded(line: str) -> str:
    """A line of text that begins like a request is none."""
    return f"\\&{line}" if line[:1] in (".", "'") else line


def main() -> int:
    """Write the pages into a folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
