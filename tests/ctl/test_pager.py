"""Pager: the user's, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from chargerd.ctl.pager import page


def test_the_text_goes_through_the_pager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CHARGERCTL_PAGER wins over PAGER, and may have arguments."""
    monkeypatch.setenv("PAGER", "false")
    monkeypatch.setenv("CHARGERCTL_PAGER", f"tee '{tmp_path}/shown text'")
    assert page("one\ntwo")
    assert (tmp_path / "shown text").read_text() == "one\ntwo\n"


@pytest.mark.parametrize("pager", ["", "cat", "no-such-pager-anywhere", "false"])
def test_without_a_pager_the_caller_prints(pager: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """None, cat, one that is not there and one that fails are all the same."""
    monkeypatch.setenv("CHARGERCTL_PAGER", pager)
    assert not page("one")
