"""Layout: the rules that keep the house in shape. Who may import whom, who may look at the clock, how long things may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "chargerd"
FILES = sorted(PACKAGE.rglob("*.py"))

# What each room may import, besides itself and third parties. docs/architecture.md draws it.
ARROWS = {
    "model": set(),
    "config.base": set(),
    "protocol": set(),
    "policies": {"model"},
    "engine": {"model", "policies"},
    "store": {"model"},
    "drivers": {"model", "config.base"},
    "sinks": {"model", "config.base", "sinks"},
    "config": {"model", "config.base"},
    "daemon": {"model", "config.base", "config", "policies", "engine", "store", "drivers", "sinks", "protocol"},
    "sim": {"model", "config.base", "config", "policies", "engine", "store", "drivers", "daemon", "sim.wire"},
    "sim.wire": {"drivers", "sim.wire"},
    "ctl": {"protocol"},
    "__main__": {"config", "daemon", "sim", "store", "model", "engine"},
}
PURE = {"model", "policies", "engine"}
PURE_THIRD_PARTIES = {"msgspec"}
IMPURE = {
    "time",
    "random",
    "os",
    "socket",
    "logging",
    "threading",
    "subprocess",
    "pathlib",
    "io",
    "sys",
    "secrets",
    "uuid",
}
CLOCK_EXEMPT = ("ctl", "web", "sim.wire", "failsafe")
CLOCKS = {
    "time.time",
    "time.time_ns",
    "time.monotonic",
    "time.monotonic_ns",
    "time.clock_gettime",
    "time.clock_gettime_ns",
}
CLOCKS |= {"time.perf_counter", "time.sleep", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"}
STDLIB_ONLY = {"protocol", "ctl"}


def room(path: Path) -> str:
    """The room of a file: its folder under chargerd, finer for config.base and sim.wire."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    if parts[:2] in (("config", "base"), ("sim", "wire")):
        return ".".join(parts[:2])
    return parts[0]


def room_of_module(module: str) -> str:
    """The room that an imported module of ours lives in."""
    parts = module.split(".")[1:]
    if tuple(parts[:2]) in (("config", "base"), ("sim", "wire")):
        return ".".join(parts[:2])
    return parts[0] if parts else "__init__"


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that a file imports, at the top or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, "imports are written out in full"
            if node.module.startswith("chargerd") and (PACKAGE.parent / Path(*node.module.split("."))).is_dir():
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            else:
                yield node.module


def dotted(node: ast.AST) -> str:
    """``time.monotonic`` from its call's function, by its last two names."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


@pytest.fixture(params=FILES, ids=[str(f.relative_to(PACKAGE)) for f in FILES])
def source(request: pytest.FixtureRequest) -> tuple[Path, ast.Module]:
    """One file of the package, parsed."""
    path: Path = request.param
    return path, ast.parse(path.read_text(encoding="utf-8"))


def test_imports_follow_the_arrows(source):
    """No arrow runs upwards, and there is no circle."""
    path, tree = source
    here = room(path)
    if here == "__init__":
        return
    for module in imports(tree):
        if module.split(".")[0] != "chargerd":
            continue
        there = room_of_module(module)
        assert there in (here, "__init__", "__version__") or there in ARROWS[here], f"{here} must not import {module}"


def test_pure_rooms_touch_nothing_outside(source):
    """Model, policies and engine see no clock, file, socket, environment or chance."""
    path, tree = source
    if room(path) not in PURE:
        return
    ours = {module.split(".")[0] for module in imports(tree)}
    assert not ours & IMPURE
    assert not any(
        isinstance(n, ast.Call) and dotted(n.func) in CLOCKS | {"open", "print", "input"} for n in ast.walk(tree)
    )


def test_core_rooms_need_few_libraries(source):
    """The model stands on msgspec alone; what starts fast stands on the standard library alone."""
    import sys

    path, tree = source
    here = room(path)
    allowed = PURE_THIRD_PARTIES if here in PURE else set() if here in STDLIB_ONLY else None
    if allowed is None:
        return
    foreign = {m.split(".")[0] for m in imports(tree)} - sys.stdlib_module_names - {"chargerd", "__future__"}
    assert foreign <= allowed


def test_only_the_clock_module_asks_for_the_time(source):
    """Everything else is told what time it is, so that days can pass in seconds."""
    path, tree = source
    if path == PACKAGE / "daemon" / "clock.py" or room(path) in CLOCK_EXEMPT:
        return
    calls = {dotted(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert not calls & CLOCKS


def test_functions_and_files_stay_short(source):
    """A function fits on a screen; a file has one subject."""
    path, tree = source
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 500
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} is too long"


def test_module_says_what_it_is(source):
    """The first line of a module names its noun."""
    path, tree = source
    doc = ast.get_docstring(tree) or ""
    assert doc, f"{path.name} has no docstring"
    assert ": " in doc.splitlines()[0], f"{path.name}: 'Noun: what it is.'"


def test_public_module_has_its_test(source):
    """tests/ mirrors the tree; where it does not, the test that proves the module is named."""
    path, _ = source
    name = path.relative_to(PACKAGE).with_suffix("").as_posix()
    if path.name.startswith("__"):
        return
    if name.startswith("ctl/commands/"):
        name = "ctl/options"  # commands print; what they print is golden
    if name in ELSEWHERE:
        assert (ROOT / ELSEWHERE[name]).is_file()
        return
    folder = ROOT / "tests" / path.relative_to(PACKAGE).parent
    assert list(folder.glob(f"test_{path.stem}*.py")), f"tests/{name} has no test file"


ELSEWHERE = {  # a module without a file of its own in the mirrored tree → what proves it
    "daemon/lastwill": "tests/test_failsafe.py",
    "drivers/evse": "tests/drivers/test_nrgkick_gen1.py",
    "drivers/kasa_sockets": "tests/drivers/test_kasa.py",
    "drivers/kasa_timer": "tests/drivers/test_kasa.py",
    "store/batch": "tests/store/test_sealing.py",
    "daemon/loading": "tests/daemon/test_trials.py",
    "daemon/messages": "tests/daemon/test_run.py",
    "daemon/news": "tests/daemon/test_sinks.py",
    "sinks/base": "tests/sinks/test_notify.py",
    "engine/devices": "tests/engine/test_evolve.py",
    "engine/course": "tests/days/test_pack.py",
    "engine/plans": "tests/days/test_rides.py",
    "protocol/types": "tests/protocol/test_table.py",
    "protocol/plugs": "tests/protocol/test_table.py",
    "engine/draft": "tests/engine/test_evolve.py",
    "engine/people": "tests/engine/test_evolve.py",
    "engine/sessions": "tests/engine/test_evolve.py",
    "engine/timeline": "tests/days/test_days.py",
    "policies/off": "tests/days/test_days.py",
    "sim/run": "tests/days/test_replay.py",
    "sim/chain": "tests/sim/test_checks.py",
    "sim/refused": "tests/sim/test_commands.py",
    "model/state": "tests/days/test_replay.py",
    "model/events": "tests/model/test_codec.py",
    "model/readings": "tests/model/test_codec.py",
    "model/reasons_sun": "tests/model/test_reasons.py",
    "model/commands": "tests/model/test_codec.py",
    "model/decision": "tests/policies/test_threshold.py",
    "daemon/answers": "tests/days/test_report.py",
    "daemon/status": "tests/days/test_report.py",
    "daemon/sentences": "tests/ctl/test_whole.py",
    "daemon/logbook": "tests/ctl/test_whole.py",
    "daemon/followers": "tests/ctl/test_whole.py",
    "daemon/context": "tests/ctl/test_whole.py",
    "ctl/catalogue": "tests/ctl/test_manual.py",
    "ctl/errors": "tests/ctl/test_golden.py",
    "ctl/options": "tests/ctl/test_golden.py",
    "ctl/output": "tests/ctl/test_golden.py",
    "ctl/pager": "tests/ctl/test_golden.py",
    "ctl/render": "tests/ctl/test_golden.py",
}


def test_top_level_holds_what_it_should():
    """Nothing else lies at the top of the repository."""
    import subprocess

    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    allowed = {
        "README.md",
        "Makefile",
        "pyproject.toml",
        "CHANGELOG.md",
        "LICENSE",
        "chargerd",
        "systemd",
        "etc",
        "tests",
    }
    allowed |= {"packaging", "docs", "benchmarks", ".ci", ".gitignore"}
    assert {name.split("/")[0] for name in listed} <= allowed
