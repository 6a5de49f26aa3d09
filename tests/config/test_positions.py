"""Positions: every key of any TOML text is found on the line where a person finds it."""

from __future__ import annotations

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chargerd.config.positions import Path, positions

TEXT = '''\
# a comment with [brackets] and "quotes"
top = 1
[site]
name = "a # b = [c]"   # real comment
dotted.key . "quo.ted" = 3

[ loadpoint . "bike 1" ]
text = """
[not.a.table]
key = "no key" \\""""
other = \'\'\'
''a = 1'\'\'\'
windows = [
  "00:00-06:00",  # first

  "x",
]
inline = { a = 1, b = { c = [1, {d = 2}] } }
when = 1979-05-27 07:32:00
[[array]]
x = 1
[array.sub]
y = 2
[[array]]
x = 3
'''


def test_every_key_is_found_on_its_line():
    """Tables, dotted and quoted keys, strings over lines that look like TOML, arrays, inline tables, arrays of tables."""
    found = positions(TEXT)
    assert found[("top",)] == 2
    assert found[("site",)] == 3
    assert found[("site", "name")] == 4
    assert found[("site", "dotted", "key", "quo.ted")] == 5
    assert found[("loadpoint", "bike 1")] == 7
    assert found[("loadpoint", "bike 1", "text")] == 8
    assert found[("loadpoint", "bike 1", "other")] == 11
    assert found[("loadpoint", "bike 1", "windows")] == 13
    assert found[("loadpoint", "bike 1", "windows", 1)] == 16
    assert found[("loadpoint", "bike 1", "inline", "b", "c", 1, "d")] == 18
    assert found[("loadpoint", "bike 1", "when")] == 19
    assert found[("array", 0, "x")] == 21
    assert found[("array", 0, "sub", "y")] == 23
    assert found[("array", 1)] == 24
    assert found[("array", 1, "x")] == 25
    assert ("not",) not in found


def test_an_empty_text_has_no_keys():
    """Nothing, blanks, a comment without an end of line."""
    assert positions("") == positions(" \n\t\n") == positions("# only") == {}


def _paths(value: Any, path: Path = ()) -> set[Path]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path} | {deeper for key, each in inner for deeper in _paths(each, (*path, key))}


LINES = st.sampled_from(
    [
        "[a]",
        "[a.b]",
        '["a b".c]',
        "[[t]]",
        "[t.u]",
        "[[t.v]]",
        "x = 1",
        "y.z = 'l'",
        '"q\\u00e4" = "\\"#"',
        'm = """\n\\"""\n[x]""""',
        "l = '''\n[y]\n'''",
        "n = [1, [2, 'a,]'], {k = 3}]",
        "o = [\n # c ]\n 1,\n]",
        "d = 1979-05-27T07:32:00Z # [",
        "i = {a.b = 1, c = []}",
        "",
        "# [c]",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES, max_size=12))
def test_exactly_the_keys_that_tomllib_knows_have_a_line(lines: list[str]):
    """For any text that is TOML, the index and the parser agree about what there is."""
    text = "\n".join(lines)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    found = positions(text)
    assert set(found) == _paths(document) - {()}
    assert all(1 <= line <= text.count("\n") + 1 for line in found.values())
