"""Output: how this call prints: text, tabs or JSON, with or without colour, to a screen or a pager."""

from __future__ import annotations

import os
import sys

from chargerd.ctl.render import WIDTH, clean, painted, plain_ascii

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Output:
    """Writes to standard output and standard error. ``form`` is "text", "plain" or "json"."""

    def __init__(self, form: str = "text", *, color: str = "auto", quiet: bool = False, pages: bool = True) -> None:
        self.form = form
        self.quiet = quiet
        if sys.stdout is None:  # closed by whoever started us
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (it stays open to the end)
        self.terminal = sys.stdout.isatty()
        self.unicode = speaks_utf8(os.environ, sys.stdout.encoding)
        self.colours = form == "text" and wants_colour(color, os.environ, terminal=self.terminal)
        self._pages = pages and self.terminal and form == "text"

    @property
    def width(self) -> int:
        """Columns to fill: the terminal's, or 80."""
        if not self.terminal:
            return WIDTH
        try:
            return max(40, os.get_terminal_size(sys.stdout.fileno()).columns or WIDTH)
        except OSError:
            return WIDTH

    def paint(self, text: str, colour: str | None) -> str:
        """The text in a colour, if this output has colours."""
        return painted(text, colour, colours=self.colours)

    def text(self, text: str) -> None:
        """Print text for people (or rows for awk), if it is not to be quiet."""
        if not self.quiet and text:
            self._write(text if self.unicode else plain_ascii(text))

    def json(self, value: Mapping[str, Any]) -> None:
        """Print one JSON object on one line."""
        if not self.quiet:
            import json

            self._write(json.dumps(value, ensure_ascii=not self.unicode))

    def paged(self, text: str) -> None:
        """Print text for people, through a pager if this is a terminal and the text is longer than the screen."""
        if self._pages and text.count("\n") >= _height():
            from chargerd.ctl.pager import page

            if page(text if self.unicode else plain_ascii(text)):
                return
        self.text(text)

    def hint(self, text: str) -> None:
        """Say on standard error what could come next; only to a person."""
        if text and not self.quiet and self.form == "text" and self.terminal and sys.stderr.isatty():
            sys.stdout.flush()
            error(f"Next: {text}")

    def _write(self, text: str) -> None:
        try:
            sys.stdout.write(text + "\n")
        except UnicodeEncodeError:  # half a surrogate pair: JSON can carry what UTF-8 cannot
            sys.stdout.write(text.encode(errors="replace").decode() + "\n")
        sys.stdout.flush()


def error(text: str) -> None:
    """Print on standard error."""
    cleaned = "\n".join(clean(line) for line in text.split("\n"))
    sys.stderr.write((cleaned if speaks_utf8(os.environ, sys.stderr.encoding) else plain_ascii(cleaned)) + "\n")
    sys.stderr.flush()


def wants_colour(color: str, environment: Mapping[str, str], *, terminal: bool) -> bool:
    """Whether to colour: the option wins, then NO_COLOR, then CLICOLOR_FORCE, then whether it is a terminal."""
    if color != "auto":
        return color == "always"
    if environment.get("NO_COLOR"):
        return False
    return environment.get("CLICOLOR_FORCE", "0") not in ("", "0") or terminal


def speaks_utf8(environment: Mapping[str, str], encoding: str | None) -> bool:
    """Whether the locale is UTF-8. Python itself writes UTF-8 in the C locale, so the encoding alone does not say it."""
    if (encoding or "").lower().replace("-", "") != "utf8":
        return False
    if environment.get("LC_ALL"):
        return _is_utf8(environment["LC_ALL"])
    if environment.get("LANG") in ("C", "POSIX") and environment.get("LC_CTYPE") == "C.UTF-8":
        return False  # Python has put this LC_CTYPE there itself (PEP 538)
    named = environment.get("LC_CTYPE") or environment.get("LANG")
    return not named or _is_utf8(named)


def _is_utf8(locale: str) -> bool:
    return locale.lower().replace("-", "").partition("@")[0].endswith("utf8")


def _height() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).lines or 24
    except OSError:
        return 24
