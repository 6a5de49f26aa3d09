"""Journal: one line a change, with its priority, without secrets, and never in the way."""

from __future__ import annotations

import io

from chargerd.daemon.journal import ACT, DETAIL, INFO, NOTICE, WARNING, Journal


def test_line_begins_with_its_priority_under_systemd():
    """So that journalctl -p warning works."""
    stream = io.StringIO()
    Journal(stream=stream, under_systemd=True).say(WARNING, "shed: no answer for 60 s", error="timeout", seq=7)
    assert stream.getvalue() == "<4>shed: no answer for 60 s  error=timeout seq=7\n"


def test_level_hides_detail_but_never_what_switches():
    """S0-29: at the level warning, readings and routine are gone; a relay that moves is told."""
    stream = io.StringIO()
    journal = Journal(WARNING, stream=stream, under_systemd=True)
    for priority, text in ((DETAIL, "reading"), (INFO, "routine"), (NOTICE, "mode"), (ACT, "disk full")):
        journal.say(priority, text)
    journal.say(NOTICE, "bike: switching off", always=True)
    assert stream.getvalue() == "<3>disk full\n<5>bike: switching off\n"


def test_secret_fields_are_not_written():
    """Whoever puts a password among the fields: it does not reach the journal."""
    stream = io.StringIO()
    Journal(stream=stream, under_systemd=True).say(INFO, "login", user="anna", password="hunter2", api_token="chgr_1")
    assert "hunter2" not in stream.getvalue()
    assert "chgr_1" not in stream.getvalue()
    assert "user=anna" in stream.getvalue()


def test_journal_that_is_gone_costs_nothing():
    """Fault 8: a stream that fails, or is closed, never raises."""

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(text)

    Journal(stream=Gone()).say(ACT, "nobody hears this")
    closed = io.StringIO()
    closed.close()
    Journal(stream=closed).say(ACT, "nor this")


def test_a_line_is_one_line():
    """What a device says cannot forge another entry."""
    stream = io.StringIO()
    Journal(stream=stream, under_systemd=True).say(INFO, "garbage\n<0>forged", detail="a\nb")
    assert stream.getvalue().count("\n") == 1
