"""INI: read as Python's own reader reads it, but for capitals and with lines."""

from __future__ import annotations

import configparser

import pytest

from chargerd.config.ini import read

TEXT = """\
# a comment
[Rad]
full_charge_power_threshold = 5.0
; another = one
Charger_Efficiency : 0.8
bare
empty =
a = b = c

[Plugs]
Rad Battery 1 = Rad
"""


def test_it_reads_what_configparser_reads():
    """The same sections, keys and values; keys keep their capitals."""
    parser = configparser.ConfigParser(allow_no_value=True, interpolation=None)
    parser.read_string(TEXT)
    found, problems = read("x.ini", TEXT)
    assert problems == []
    for section in parser.sections():
        assert {e.key.lower(): e.value for e in found.of(section)} == dict(parser[section])
    assert list(found.sections) == parser.sections()
    assert [entry.key for entry in found.of("Plugs")] == ["Rad Battery 1"]


def test_every_entry_knows_its_line():
    """Lines count from 1."""
    found, _ = read("x.ini", TEXT)
    assert {entry.key: entry.line for entry in found.entries} == {
        "full_charge_power_threshold": 3,
        "Charger_Efficiency": 5,
        "bare": 6,
        "empty": 7,
        "a": 8,
        "Rad Battery 1": 11,
    }


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ("a = 1\n[x]\n", 1, "a = 1", "stands before the first section"),
        ("a = 1\nb = 2\nc = 3\n[x]\n", 1, "a = 1", "stands before the first section, and so do 2 more"),
        ("Dear diary,\nit rained\n  all day\n", 0, "", "is no INI file: it has no [section]"),
        ("[x]\na = 1\nA = 2\n", 3, "x.A", "is there twice, first in line 2"),
        ("[x]\n[y]\n[x]\n", 3, "x", "is there twice, first in line 1"),
        ("[x]\na = 1\n  2\n", 3, "x", "begins with a blank"),
    ],
)
def test_what_is_out_of_shape_is_named(text: str, line: int, key: str, says: str):
    """File, line and key of every mistake; the rest is read all the same."""
    (problem,) = read("x.ini", text)[1]
    assert (problem.file, problem.line, problem.key) == ("x.ini", line, key)
    assert says in problem.text
