"""Errors: what went wrong, in three lines or one JSON object, and the exit code for it.

The lines say what did not happen, what that means for charging right now, and what to do. No sockets, no printing.
"""

from __future__ import annotations

from chargerd.protocol.framing import INTERFACE, CallError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DONE = 0
FAILED = 1
USAGE = 2
NO_ANSWER = 3
NOT_PERMITTED = 4
NO_SUCH = 5
FOUND = 6
TIMED_OUT = 7
INTERRUPTED = 130
PIPE_CLOSED = 141

EXIT_CODES = {
    DONE: 'done, or already so (the text says "already")',
    FAILED: "chargerd refused or failed; the message says why",
    USAGE: "wrong command line",
    NO_ANSWER: "chargerd is not running or does not answer",
    NOT_PERMITTED: "not permitted",
    NO_SUCH: "no such loadpoint, device or entry",
    FOUND: "a check found something: verify, configure check, status --check",
    TIMED_OUT: "time ran out: wait",
    INTERRUPTED: "interrupted",
    PIPE_CLOSED: "the program that read the output went away",
}

_CODES = {
    "NoSuchLoadpoint": NO_SUCH,
    "NoSuchDevice": NO_SUCH,
    "NoSuchEntry": NO_SUCH,
    "NoSuchSink": NO_SUCH,
    "NotPermitted": NOT_PERMITTED,
    "BadValue": USAGE,
    "Busy": NO_ANSWER,
}


class Failure(Exception):
    """A command that did not do what was asked. ``error`` is a name for programs; the other texts are for people."""

    def __init__(self, code: int, error: str, message: str, means: str = "", hint: str = "", **values: Any) -> None:
        super().__init__(message)
        self.code = code
        self.error = error if "." in error else f"{INTERFACE}.{error}"
        self.message = message
        self.means = means
        self.hint = hint
        self.values = values

    @classmethod
    def answered(cls, error: CallError) -> Failure:
        """The failure that an error reply amounts to."""
        texts = {"message", "means", "hint"}
        values = {key: value for key, value in error.parameters.items() if key not in texts}
        message, means, hint = (str(error.parameters[key]) for key in ("message", "means", "hint"))
        return cls(_CODES.get(error.short, FAILED), error.name, message, means, hint, **values)

    def lines(self) -> str:
        """For people."""
        return "\n".join([f"chargerctl: {self.message}", *(f"  {line}" for line in (self.means, self.hint) if line)])

    def fields(self) -> dict[str, Any]:
        """For programs."""
        known = {"known": self.values["known"]} if "known" in self.values else {}
        texts = {"message": self.message, "means": self.means, "hint": self.hint}
        return {"kind": "error", "code": self.code, "error": self.error, **texts, **known}


def usage(message: str, command: str = "") -> Failure:
    """A command line that cannot be understood."""
    asked = f"chargerctl {command} --help" if command else "chargerctl --help"
    return Failure(USAGE, "usage", message, "Nothing was asked and nothing was changed.", f"Look: {asked}")


def no_daemon(path: str, what: str) -> Failure:
    """Nobody answers at a socket."""
    return Failure(
        NO_ANSWER,
        "no-answer",
        f"chargerd does not answer at {path} ({what}).",
        "Nothing is being controlled; devices stay as they were last told, or as their own timers say.",
        "Start: sudo systemctl start chargerd      Look: journalctl -u chargerd -n 20",
    )


def broken(path: str, what: str, *, change: bool = False) -> Failure:
    """Somebody answered, but not with a whole answer."""
    unsure = "Whether the change was made is not known." if change else "Whether charging goes on is not known."
    look = "Look: chargerctl status      journalctl -u chargerd -n 20"
    return Failure(NO_ANSWER, "broken-answer", f"chargerd at {path} {what}.", unsure, look)


def not_allowed(path: str, user: str) -> Failure:
    """The socket's permissions say no."""
    if path.endswith("/monitor"):
        message, means = (
            f"{path} may not be opened by user {user}.",
            "chargerd may well be running; nothing was changed.",
        )
        return Failure(NOT_PERMITTED, "not-permitted", message, means, f"Look: ls -ld {path.rpartition('/')[0]}")
    return Failure(
        NOT_PERMITTED,
        "not-permitted",
        f"you may look but not change things (user {user} is not in group chargerd).",
        "Nothing was changed; charging goes on as before.",
        f"Add: sudo usermod -aG chargerd {user}, then log in again.",
    )
