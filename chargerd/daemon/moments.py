"""Moments: the context of an answer about a past moment: state, settings, zone and daemon as they were then."""

from __future__ import annotations

from typing import Any

from msgspec import structs

from chargerd.daemon.context import Context, zone_of
from chargerd.model.events import DaemonStarted, Event
from chargerd.protocol.framing import CallError


def then(context: Context, parameters: dict[str, Any]) -> Context:
    """The context at the time that the parameter ``at`` names; the one given if it names none.

    Chargerd did not run then if the next event is the start of a daemon, and readings were given up if there is no next.

    Raises `CallError` BadValue for a text that is no time, one that is still to come, and one before the log begins.
    """
    at_ms = context.time(parameters, "at")
    if at_ms is None:
        return context
    assert context.log is not None
    if at_ms > context.now_ms:
        message = f"{context.clock(at_ms)} is still to come, and only what was can be told"
        raise CallError("BadValue", message, "Nothing was changed.", "Without --at it is about now.")
    site = context.log.state_at(at_ms)
    if not site.seq:
        raise _too_early(context, at_ms)
    started, after = _event(context, site.run_seq), _event(context, site.seq + 1)
    return structs.replace(
        context,
        site=site,
        now_ms=at_ms + site.skew_ms,  # what the wall clock showed: the state's own ends and windows are counted on it
        started_ms=site.at_ms if started is None else started.at_ms,
        zone=zone_of(parameters, site),
        version="" if started is None or not isinstance(started.body, DaemonStarted) else started.body.version,
        at_ms=at_ms,
        asked_ms=context.now_ms,
        memory_mib=None,
        down=(site.at_ms, after.at_ms) if after is not None and isinstance(after.body, DaemonStarted) else None,
        readings=after is not None or site.seq == context.log.last_seq,
    )


def _too_early(context: Context, at_ms: int) -> CallError:
    first = _event(context, 1)
    begins = "the log is empty" if first is None else f"the log begins {context.clock(first.at_ms)}"
    message = f"nothing is known of {context.clock(at_ms)}: {begins}"
    return CallError("BadValue", message, "Nothing was changed.", "What there is: chargerctl log --since TIME")


def _event(context: Context, seq: int) -> Event | None:
    assert context.log is not None
    return next(context.log.read(seq, seq), None) if seq else None
