"""Journald: entries arrive with their fields, also long ones, and a journal that is not there costs nothing."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from chargerd.daemon.journal import INFO, NOTICE, WARNING, Journal
from chargerd.daemon.journald import Journald, is_journal
from tests.patience import WAIT_S


class Listener:
    """A socket where the journal's would be, and a reader of its protocol written from its description."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(WAIT_S)

    def entry(self) -> list[tuple[str, str]]:
        """The next entry, from the datagram or from the file that came in its place."""
        data, files, _, _ = socket.recv_fds(self.socket, 1 << 20, 1)
        for file in files:
            data = os.pread(file, 1 << 24, 0)
            with pytest.raises(PermissionError):
                os.write(file, b"x")  # sealed: nobody changes it any more
            os.close(file)
        fields = []
        while data:
            line, _, rest = data.partition(b"\n")
            name, equals, value = line.partition(b"=")
            if not equals:
                size = int.from_bytes(rest[:8], "little")
                value, rest = rest[8 : 8 + size], rest[9 + size :]
            fields.append((name.decode(), value.decode()))
            data = rest
        return fields


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    """Somebody who listens."""
    listener = Listener(tmp_path / "journal")
    yield listener
    listener.socket.close()


def test_an_entry_has_its_line_its_priority_and_its_labels(listener, tmp_path, capsys):
    """What journalctl CHARGERD_LOADPOINT=bike-1 searches for is a field; the terminal gets nothing besides."""
    journal = Journal(journald=Journald(tmp_path / "journal"))
    labels = [("CHARGERD_LOADPOINT", "bike-1"), ("CHARGERD_LOADPOINT", "bike-2")]
    journal.say(WARNING, "shed: no answer for 60 s", labels=labels, error="timeout")
    assert listener.entry() == [
        ("MESSAGE", "shed: no answer for 60 s  error=timeout"),
        ("PRIORITY", "4"),
        ("SYSLOG_IDENTIFIER", "chargerd"),
        *labels,
    ]
    assert capsys.readouterr() == ("", "")


def test_values_with_line_breaks_and_values_too_large_for_a_datagram_arrive(listener, tmp_path):
    """A forged field stays within its value; 300 kB go by way of a sealed file."""
    journald = Journald(tmp_path / "journal")
    assert journald.send([("MESSAGE", "a\nPRIORITY=0\n"), ("CHARGERD_BY", "anna")])
    assert listener.entry() == [("MESSAGE", "a\nPRIORITY=0\n"), ("CHARGERD_BY", "anna")]
    assert journald.send([("MESSAGE", "x" * 300_000)])
    assert listener.entry() == [("MESSAGE", "x" * 300_000)]


def test_without_a_journal_the_line_goes_to_the_stream(tmp_path, capsys):
    """No socket; later one that nobody reads: never an exception, never a wait."""
    journal = Journal(under_systemd=True, journald=Journald(tmp_path / "journal"))
    journal.say(NOTICE, "bike-1: fast")
    assert capsys.readouterr().err == "<5>bike-1: fast\n"
    deaf = Listener(tmp_path / "journal")
    for _ in range(2000):
        journal.say(INFO, "x" * 1000)
    assert len(capsys.readouterr().err) > 100_000
    deaf.socket.close()
    journal.say(NOTICE, "bike-1: off")
    assert capsys.readouterr().err == "<5>bike-1: off\n"


def test_only_a_stream_that_is_the_journals_is_taken_for_it(tmp_path):
    """systemd names the stream by device and inode; a daemon started by hand within a service writes to a terminal."""
    with (tmp_path / "stream").open("w") as stream:
        found = os.fstat(stream.fileno())
        assert is_journal(stream.fileno(), f"{found.st_dev}:{found.st_ino}")
        assert not is_journal(stream.fileno(), f"{found.st_dev}:{found.st_ino + 1}")
        assert not is_journal(stream.fileno(), "nonsense")
        assert not is_journal(stream.fileno(), None)
    assert not is_journal(9999, "1:2")


def test_the_configured_level_counts_unless_one_was_given(capsys):
    """A reload changes what is said; --log-level is stronger."""
    journal = Journal()
    journal.follow("warning")
    journal.say(NOTICE, "unheard")
    journal.follow("notice")
    journal.say(NOTICE, "heard")
    fixed = Journal(WARNING)
    fixed.follow("debug")
    fixed.say(NOTICE, "unheard")
    assert capsys.readouterr().err == "heard\n"
