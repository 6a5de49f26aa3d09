"""Documentation: every command has help, an example, a section, completion, and its JSON fields written down."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from chargerd.ctl.catalogue import load, parser_of
from chargerd.ctl.commands import GROUPS, REGISTRY
from chargerd.ctl.commands.completion import kinds_of, options_of
from chargerd.ctl.commands.wait import STATES, WORDS
from chargerd.ctl.manual import manual
from chargerd.model.reasons import REASONS
from chargerd.protocol.table import METHODS
from tests.ctl.answers import (
    FLOWS,
    HOME,
    METERS,
    REPLIES,
    STORAGES,
    THEN,
    WHY,
    WHY_THEN,
    asked_names,
    status,
    strays_of_reply,
)
from tests.ctl.conftest import Run
from tests.ctl.stand_in import StandIn

DOCS = Path(__file__).parents[2] / "docs" / "commands.md"


def test_the_page_is_not_stale() -> None:
    """Renew it with: python -m chargerd.ctl.manual > docs/commands.md"""
    assert "%%" not in manual()
    assert DOCS.read_text() == manual()


@pytest.mark.parametrize("name", REGISTRY)
def test_every_command_has_help_examples_and_a_section(name: str, run: Run) -> None:
    """Examples begin with the command itself."""
    command = load(name)
    assert REGISTRY[name][0] in GROUPS
    assert command.examples
    shown = name.removesuffix(" list") if name == "schedule list" else name
    assert all(example.startswith(f"chargerctl {shown}") for example in command.examples)
    assert f"\n### {name}\n" in DOCS.read_text()
    code, out, _ = _helped(run, name)
    assert code == 0
    assert f"chargerctl {shown}" in out


def _helped(run: Run, name: str) -> tuple[int, str, str]:
    return run("help", *name.split())


def test_every_method_of_the_table_has_a_command() -> None:
    """What the daemon can do, chargerctl can ask."""
    # the shell's completion, `chargerd verify` and the guided `configure` ask these
    for_programs = {"Complete", "GetState", "TryPlug", "DraftConfiguration"}
    asked = {method for name in REGISTRY for method in (load(name).method, load(name).changes)}
    assert asked - {""} == set(METHODS) - for_programs


@pytest.mark.parametrize("method", REPLIES)
def test_the_answers_that_these_tests_give_are_those_of_the_table(method: str) -> None:
    """Otherwise the tests would prove something about another daemon."""
    home = status(HOME, flows=FLOWS, meters=METERS, storages=STORAGES)
    names = [asked_names({"what": what}) for what in ("loadpoints", "modes")]
    several: dict[str, list[Any]] = {
        "GetStatus": [status(), status(**THEN), home],
        "GetWhy": [WHY, WHY_THEN],
        "Complete": names,
    }
    reply: Any = several.get(method, REPLIES[method])
    for one in reply if isinstance(reply, list | tuple) else [reply]:
        assert strays_of_reply(method, one) == []
    assert set(REPLIES) == set(METHODS)


def test_wait_knows_every_word_that_status_can_show() -> None:
    """The words are those of the reasons; the states those of the table."""
    assert {text.word for text in REASONS.values()} - {*WORDS, *STATES} == set()
    for state in STATES:
        assert state in METHODS["GetStatus"].reply or state.isidentifier()


def _completed(folder: Path, script: str, *words: str) -> list[str]:
    quoted = " ".join(f'"{word}"' for word in words)
    wrapper = f"""
        chargerctl() {{ python -m chargerd.ctl "$@"; }}
        source "{script}"
        COMP_WORDS=({quoted}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _chargerctl
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    import os
    import sys

    path = folder / "bin"
    path.mkdir(exist_ok=True)
    link = path / "python"
    if not link.exists():
        link.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        link.chmod(0o755)
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}", "CHARGERCTL_SOCKET": str(folder)}
    done = subprocess.run(
        ["bash", "--norc", "-c", wrapper], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completes_commands_names_words_and_options(folder: Path, run: Run) -> None:
    """Names come from the daemon, everything else from the script."""
    script = folder / "chargerctl.bash"
    with StandIn(folder) as daemon:
        script.write_text(run("completion", "bash")[1])
        assert _completed(folder, str(script), "chargerctl", "st") == ["status"]
        assert _completed(folder, str(script), "chargerctl", "schedule", "") == ["list", "add", "remove"]
        assert _completed(folder, str(script), "chargerctl", "mode", "bi") == ["bike-1", "bike-2"]
        assert daemon.last == {"what": "loadpoints"}
        assert _completed(folder, str(script), "chargerctl", "mode", "bike-1", "") == ["off", "fast"]
        assert _completed(folder, str(script), "chargerctl", "mode", "bike-1", "fast", "--u") == ["--until", "--utc"]
        assert _completed(folder, str(script), "chargerctl", "mode", "garage", "off", "--until", "d") == [
            "disconnected"
        ]
        assert _completed(folder, str(script), "chargerctl", "status", "bike-1", "bike-2", "sc") == ["scooter"]
        assert _completed(folder, str(script), "chargerctl", "--color", "al") == ["always"]
        assert _completed(folder, str(script), "chargerctl", "sessions", "--format", "") == ["table", "csv", "json"]


def test_completion_is_silent_without_a_daemon(folder: Path, run: Run) -> None:
    """Nobody wants an error in the middle of a line they type."""
    assert run("--complete", "loadpoints") == (0, "", "")
    with StandIn(folder, {"Complete": b"garbage\0"}):
        assert run("--complete", "loadpoints") == (0, "", "")


def test_every_shell_has_a_script_that_knows_every_command_and_option(run: Run) -> None:
    """bash reads its own script without complaint."""
    for shell in ("bash", "zsh", "fish"):
        code, out, _ = run("completion", shell)
        assert code == 0
        for name in REGISTRY:
            parser = parser_of(name, load(name))
            assert name.split()[-1] in out
            for action in options_of(parser):
                assert all(text.lstrip("-") in out for text in action.option_strings)
        if shell == "bash":
            subprocess.run(["bash", "-n"], input=out, text=True, timeout=10, check=True)


def test_an_option_takes_a_value_everywhere_or_nowhere() -> None:
    """The scripts skip the word after an option that takes a value, whatever the command is."""
    takes: dict[str, bool] = {}
    for name in REGISTRY:
        parser = parser_of(name, load(name))
        assert kinds_of(parser) is not None
        for action in options_of(parser):
            for text in action.option_strings:
                assert takes.setdefault(text, action.nargs != 0) == (action.nargs != 0)
