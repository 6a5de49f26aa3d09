"""The table of methods is complete, and every name in it can be resolved."""

import re

from chargerd.protocol.table import ERRORS, METHODS
from chargerd.protocol.types import TYPES

PLAIN = {"bool", "int", "float", "string", "object"}


def kinds() -> set[str]:
    """Every type that a field has, without "may be null" and "array of"."""
    fields = [fields for method in METHODS.values() for fields in (method.parameters, method.reply)]
    return {re.sub(r"^(\?|\[\])*", "", kind) for each in [*fields, *TYPES.values()] for kind, _ in each.values()}


def test_every_type_is_plain_or_defined_and_used():
    """A field's type is one of Varlink's, or stands in the table; no type is there for nothing."""
    assert kinds() - PLAIN == set(TYPES)


def test_everything_has_a_sentence():
    """Methods, parameters, fields and errors say what they are."""
    for method in METHODS.values():
        assert method.about.endswith("."), method.name
        for name, (_, meaning) in {**method.parameters, **method.reply}.items():
            assert meaning, f"{method.name}.{name}"
    assert all(about.endswith(".") for about in ERRORS.values())


def test_whatever_changes_something_is_asked_on_the_control_socket_and_has_a_request_id():
    """No change can be asked on the socket that everybody may open."""
    for method in METHODS.values():
        assert not method.changes or (method.kind == "control" and "request" in method.parameters), method.name
        assert method.kind in ("monitor", "control")
        assert method.kind == "monitor" or not method.name.startswith("Get")


def test_every_change_can_be_rehearsed():
    """Each change takes dry_run."""
    assert all("dry_run" in method.parameters for method in METHODS.values() if method.changes)
