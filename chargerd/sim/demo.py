"""Demo: a simulated home, the real daemon on it, and a line to try. Ctrl-C ends everything.

The home is a strip with four chargers on recorded curves, one of them with a fault, two more plugs that nobody has configured,
and a house with panels, a battery and a car (see `sim.sunny`). All of it speaks its real protocol on loopback; the daemon does
not know that it is simulated. Home and daemon live on one clock, which runs fast.
"""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from chargerd.daemon.clock import Clock
from chargerd.daemon.journal import INFO, Journal
from chargerd.daemon.run import Places
from chargerd.daemon.secrets import Credentials
from chargerd.daemon.start import serve
from chargerd.drivers.simulated import Socket
from chargerd.model.windows import zone
from chargerd.sim import world
from chargerd.sim.sunny import SunnyHouse
from chargerd.sim.wire.kasa import SimulatedPlug, SimulatedStrip

LOADS = {"rad-1": "rad-nominal", "rad-2": "rad-full", "lectric": "lectric-full", "old-charger": "never-tapers"}
EVERYBODY = "127.255.255.255"
EVENING_MS = round(
    datetime(2026, 3, 6, 21, 0, tzinfo=UTC).timestamp() * 1000
)  # a Friday; Saturday's full charge is near
FASTEST = 600  # beyond this a reading every 60 simulated seconds comes sooner than a plug can answer

CONFIGURATION = """\
# Written by the demo. A real one lies at /etc/chargerd/chargerd.toml and looks the same.
[site]
name = "Demo"
timezone = "Europe/Berlin"

[device.shed]                  # a strip with four metered sockets
driver = "kasa"
host = "{host}"
port = {port}
poll_s = 60
poll_fast_s = 60
max_age_s = 600

[device.inverter]              # a SolarEdge with a meter at the grid connection and a house battery
driver = "solaredge"
host = "{host}"
port = {inverter_port}
poll_s = 60
max_age_s = 600

[device.nrgkick]
driver = "nrgkick"
host = "{host}"
port = {nrgkick_port}
generation = 2
poll_s = 60
max_age_s = 600

[meter.grid]
device = "inverter"
channel = "meter1"
role = "grid"

[meter.roof]
device = "inverter"
channel = "inverter"
role = "pv"
peak_w = 8500

[storage.house]
device = "inverter"
channel = "battery1"

[circuit.main]                 # the fuse; the car gives way to the kettle
max_current_a = 35
meter = "grid"

[vehicle.id4]
capacity_wh = 58000

[loadpoint.garage]
charger = "nrgkick"
vehicle = "id4"
circuit = "main"
mode = "solar"

[discovery]                    # the loopback's own broadcast: the demo sends nothing to your network
networks = ["127.255.255.255:{port}"]

[vehicle.old-pack]             # a charger that never tapers; its time limit will end it
profile = "rad-48v"
max_h = 3

[loadpoint.rad-1]
charger = "shed/rad-1"
vehicle = "rad-48v"
schedule = [ {{ days = "mon-fri", at = "22:30" }}, {{ days = "sat", at = "00:00", target = "full" }} ]

[loadpoint.rad-2]
charger = "shed/rad-2"
vehicle = "rad-48v"
target = "full"
schedule = [ {{ days = "mon-sun", at = "22:15" }} ]

[loadpoint.lectric]
charger = "shed/lectric"
vehicle = "lectric-48v"
window = "22:00-06:00"
schedule = [ {{ days = "mon-sun", at = "22:10" }} ]

[loadpoint.old-charger]
charger = "shed/old-charger"
vehicle = "old-pack"
schedule = [ {{ days = "mon-sun", at = "22:05" }} ]
"""


def demo(folder: Path, speed: float, seed: int) -> int:
    """Run until Ctrl-C; the exit status."""
    if not 1 <= speed <= FASTEST:
        sys.stderr.write(f"chargerd: the demo's speed is a number from 1 to {FASTEST}, not {speed:g} (DEMO_SPEED).\n")
        return 2
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        why_not = _taken(folder, lock)
        if why_not:
            sys.stderr.write(f"chargerd: {why_not}\n")
            return 1
        for name in ("state", "run"):
            shutil.rmtree(folder / name, ignore_errors=True)
        return _run(folder, speed, seed)
    finally:
        os.close(lock)


def _taken(folder: Path, lock: int) -> str:
    """Why the demo must not use a folder: another demo runs there, or it holds what no demo has made."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return f"another demo runs in {folder}; end it with Ctrl-C, or use another folder: chargerd demo --folder DIR"
    main = folder / "chargerd.toml"
    ours = main.is_file() and main.read_text(encoding="utf-8", errors="replace").startswith(CONFIGURATION[:24])
    if ours or not any((folder / name).exists() for name in ("chargerd.toml", "state", "run")):
        return ""
    return f"{folder} holds files that no demo has made; use another folder: chargerd demo --folder DIR"


def _run(folder: Path, speed: float, seed: int) -> int:
    clock = Clock(EVENING_MS, speed)
    strip = make_strip(clock.now_s, seed)
    with ExitStack() as home:
        home.callback(strip.stop)
        strip.start()
        for plug in make_others(clock.now_s, seed, strip.port):
            home.callback(plug.stop)
            plug.start()
        house = make_house(clock.now_s)
        home.callback(house.stop)
        house.start()
        main = folder / "chargerd.toml"
        main.write_text(configuration(strip, house), encoding="utf-8")
        sys.stdout.write(_greeting(folder, speed))
        sys.stdout.flush()
        places = Places(folder / "state", folder / "run")
        return serve(main, places, clock, _journal(clock), Credentials())


def _journal(clock: Clock) -> Journal:
    berlin = zone("Europe/Berlin")
    return Journal(
        INFO,
        stream=sys.stdout,
        under_systemd=False,
        stamp=lambda: datetime.fromtimestamp(clock.now_s(), berlin).strftime("%a %H:%M"),
    )


def configuration(strip: SimulatedStrip, house: SunnyHouse) -> str:
    """The text of the demo's configuration file."""
    ports = {"inverter_port": house.inverter.port, "nrgkick_port": house.charger.port}
    return CONFIGURATION.format(host=strip.host, port=strip.port, **ports)


def make_house(now_s: Callable[[], float]) -> SunnyHouse:
    """The house with panels and a car, whose clock shows the time of Berlin."""
    return SunnyHouse(now_s, EVENING_MS / 1000 - 22 * 3600)


def make_strip(now_s: Callable[[], float], seed: int) -> SimulatedStrip:
    """The strip with its four chargers."""
    sockets = {name: Socket(world.load(kind), noise=random.Random(f"{seed}/{name}")) for name, kind in LOADS.items()}
    return SimulatedStrip(
        sockets, now_s=now_s, alias="shed", host="127.0.0.1", port=0, mac="50:C7:BF:00:03:01", broadcast=EVERYBODY
    )


def make_others(now_s: Callable[[], float], seed: int, port: int) -> list[SimulatedPlug]:
    """Plugs of the home that are not configured: one that could be, and one without a meter. They listen beside the strip."""
    trike = Socket(world.load("lectric-full"), noise=random.Random(f"{seed}/trike"))
    lamp = Socket(world.load("dead"))
    return [
        SimulatedPlug(socket, now_s=now_s, alias=alias, model=model, host=host, port=port, mac=mac, broadcast=EVERYBODY)
        for socket, alias, model, host, mac in (
            (trike, "battery_trike", "KP115", "127.0.0.2", "50:C7:BF:00:03:02"),
            (lamp, "hall lamp", "HS100", "127.0.0.3", "50:C7:BF:00:03:03"),
        )
    ]


def _greeting(folder: Path, speed: float) -> str:
    run = folder / "run"
    shown = run.relative_to(Path.cwd()) if run.is_relative_to(Path.cwd()) else run
    program = Path(sys.argv[0]).with_name("chargerctl")
    control = program.relative_to(Path.cwd()) if program.is_relative_to(Path.cwd()) else program
    if not program.exists():  # where both are installed they do not lie side by side
        control = Path("chargerctl")
    ask = f"{control} --socket {shown}"
    return (
        f"A simulated home: four e-bike chargers on a strip, one of them faulty, and a car that waits for the sun.\n"
        f"An hour takes {3600 / speed:.0f} seconds. It is Friday 22:00; charging begins at 22:05, and the sun is up at 7.\n"
        f"In another terminal, try:\n\n"
        f"    {ask}\n"
        f"    {ask} watch\n"
        f"    {ask} why old-charger\n"
        f"    {ask} mode rad-1 off\n"
        f"    {ask} mode garage slow\n"
        f"    {ask} discover\n\n"
        f"Ctrl-C ends everything.\n\n"
    )
