"""Main: chargerd's own command line. The daemon, and what needs the engine in a process of its own."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from chargerd import __version__
from chargerd.sim import commands as log_commands

CONFIG = Path("/etc/chargerd/chargerd.toml")
STATE = Path("/var/lib/chargerd")
RUN = Path("/run/chargerd")


def parser() -> argparse.ArgumentParser:
    """The command line of `chargerd`."""
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--config", type=Path, default=CONFIG, metavar="FILE", help=f"main configuration file ({CONFIG})"
    )
    shared.add_argument("--credentials", type=Path, metavar="DIR", help="folder of secrets, in place of systemd's")
    top = argparse.ArgumentParser(
        "chargerd", description="Charges e-bikes, cars and house loads; control it with chargerctl."
    )
    top.add_argument("--version", action="version", version=f"chargerd {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    run = commands.add_parser("run", parents=[shared], help="run in the foreground, as systemd starts it")
    run.add_argument(
        "--state", type=Path, default=_systemd("STATE_DIRECTORY", STATE), metavar="DIR", help="folder of the log"
    )
    run.add_argument(
        "--run", type=Path, default=_systemd("RUNTIME_DIRECTORY", RUN), metavar="DIR", help="folder of the sockets"
    )
    run.add_argument("--group", metavar="NAME", help="group that may use the control socket")
    run.add_argument(
        "--log-level",
        choices=("warning", "notice", "info", "debug"),
        help="what the journal gets, whatever is configured",
    )
    run.add_argument("-q", "--quiet", action="store_true", help="only warnings, and what switches power")
    commands.add_parser("check", parents=[shared], help="check the configuration; exit status 6 if something is wrong")
    demo = commands.add_parser("demo", help="run a simulated home with the real daemon")
    demo.add_argument(
        "--folder", type=Path, default=Path(".demo"), metavar="DIR", help="where it keeps everything (.demo)"
    )
    demo.add_argument(
        "--speed", type=float, default=float(os.environ.get("DEMO_SPEED", "60")), help="how fast time runs (60)"
    )
    demo.add_argument("--seed", type=int, default=1, help="another seed is another home")
    importing = commands.add_parser("import", help="make a configuration of the file of another program")
    importing.add_argument(
        "file", type=Path, metavar="FILE", help="the e-bike battery script's INI file, or chargemanager's database"
    )
    importing.add_argument("--output", type=Path, metavar="FILE", help="write it here; to standard output if left out")
    importing.add_argument("--force", action="store_true", help="replace a file that is there; it is kept as FILE.bak")
    importing.add_argument("--found", type=Path, metavar="FILE", help="plugs that chargerctl discover --json has found")
    importing.add_argument("--json", action="store_true", help="print JSON")
    importing.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    log_commands.add(commands, _systemd("STATE_DIRECTORY", STATE), _systemd("RUNTIME_DIRECTORY", RUN))
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    asked = parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    match asked.command:
        case "check":
            return _check(asked)
        case "import":
            from chargerd.config import convert
            from chargerd.daemon.loading import prove

            return convert.run(asked, prove)
        case "demo":
            from chargerd.sim.demo import demo as run_demo

            return run_demo(asked.folder, asked.speed, asked.seed)
        case "run":
            return _run(asked)
        case "verify" | "export" | "bundle" | "learn":
            return log_commands.run(asked)
    parser().print_help()
    return 2


def _systemd(name: str, otherwise: Path) -> Path:
    return Path(os.environ.get(name, str(otherwise)).partition(":")[0])


def _run(asked: argparse.Namespace) -> int:
    from chargerd.daemon.clock import Clock
    from chargerd.daemon.journal import LEVELS, Journal
    from chargerd.daemon.journald import Journald, is_journal
    from chargerd.daemon.run import Places
    from chargerd.daemon.secrets import Credentials
    from chargerd.daemon.start import serve

    level = "warning" if asked.quiet else asked.log_level
    journald = Journald() if is_journal(sys.stderr.fileno(), os.environ.get("JOURNAL_STREAM")) else None
    journal = Journal(LEVELS[level] if level else None, journald=journald)
    places = Places(asked.state, asked.run, asked.group)
    return serve(asked.config, places, Clock(), journal, Credentials(asked.credentials))


def _check(asked: argparse.Namespace) -> int:
    from chargerd.config.load import ConfigError
    from chargerd.daemon.loading import loader
    from chargerd.daemon.secrets import Credentials

    try:
        loaded = loader(asked.config, Credentials(asked.credentials))()
    except ConfigError as error:
        sys.stdout.write(f"{error}\n")
        return 6
    count = len(loaded.configuration.loadpoints)
    sys.stdout.write(f"The configuration is in order: {count} loadpoint{'' if count == 1 else 's'}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
