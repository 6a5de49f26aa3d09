"""The installed service: hardened, watched, and harmless until somebody says what to charge."""

from __future__ import annotations

import re

import pytest

from tests.system.boxes import CONFIGURATION, Box

pytestmark = pytest.mark.system

MOST_EXPOSED = 1.4


def test_as_shipped_it_runs_watches_and_switches_nothing(box: Box):
    """S2-55: apt has enabled and started it; a strip next door is never asked anything."""
    box.start_plug()
    box.sh("systemctl restart chargerd")
    assert box.shows("ActiveState") == "active"
    assert box.shows("UnitFileState") == "enabled"
    box.until(lambda: box.shows("StatusText"))
    status = box.status()
    assert (status["loadpoints"], status["problems"]) == ([], [])
    assert box.plug()["asked"] == []
    assert box.sh("stat --format '%U %a' /var/lib/chargerd") == "chargerd 750\n"
    box.sh("test -s /var/lib/chargerd/log.db")
    assert "watches 0 loadpoints" in box.said()


def test_exposure_is_low(box: Box):
    """``systemd-analyze security`` of the running unit: at most 1.4."""
    said = box.sh("systemd-analyze security --no-pager chargerd | tail -n 1")
    found = re.search(r"chargerd\.service: ([0-9.]+)", said)
    assert found, said
    assert float(found[1]) <= MOST_EXPOSED, box.sh("systemd-analyze security --no-pager chargerd | grep ✗")
    assert box.sh("systemd-analyze verify --man=no chargerd.service chargerd-gave-up.service 2>&1") == ""


def test_everybody_may_look_and_only_the_group_may_switch(home: Box):
    """bob is nobody; anna is in the group, and the log says that it was she."""
    home.sh("useradd bob && useradd --groups chargerd anna")
    assert "bike" in home.sh("setpriv --reuid=bob --regid=bob --init-groups chargerctl")
    refused = home.sh("setpriv --reuid=bob --regid=bob --init-groups chargerctl mode bike off", status=4)
    assert "you may look but not change things (user bob is not in group chargerd)" in refused
    assert home.plug()["on"]
    for secret in ("/etc/chargerd/secrets", "/var/lib/chargerd"):
        home.sh(f"setpriv --reuid=bob --regid=bob --init-groups ls {secret}", status=2)
    home.sh("setpriv --reuid=anna --regid=anna --init-groups chargerctl mode bike off")
    home.until(lambda: not home.plug()["on"])
    assert "anna" in home.sh("chargerctl log bike")


def test_asked_while_down_chargerctl_says_so_plainly(box: Box):
    """Exit status 3 and three lines; the configuration can be checked all the same."""
    box.sh("systemctl stop chargerd")
    said = box.sh("chargerctl", status=3)
    assert said.startswith("chargerctl: chargerd does not answer at /run/chargerd/monitor")
    assert "sudo systemctl start chargerd" in said
    assert "in order" in box.sh("chargerctl configure check")
    box.configure("[sit]\n", take_over=False)
    assert "/etc/chargerd/chargerd.toml:1: sit" in box.sh("chargerctl configure check", status=6)


def test_reload_takes_over_a_good_file_and_refuses_a_bad_one(home: Box):
    """``systemctl reload``: the mistake is named with its line, and the charge goes on."""
    home.configure(CONFIGURATION + "targett = 3\n")
    line = CONFIGURATION.count("\n") + 1
    assert f"/etc/chargerd/chargerd.toml:{line}: loadpoint.bike.targett" in home.until(
        lambda: "targett" in home.said() and home.said()
    )
    assert home.plug()["on"]
    home.configure(CONFIGURATION.replace("loadpoint.bike", "loadpoint.cargo"))
    home.until(lambda: home.bike()["name"] == "cargo")


def test_broken_configuration_at_boot_fails_with_one_line_and_no_loop(suite: str, package):
    """Exit status 78, file, line and key in one line, no restart; the plug stays as it was told; a mended file heals it."""
    with Box(suite, package, boots=2) as box:
        box.install()
        box.configure(CONFIGURATION + "targett = 3\n", take_over=False)
        box.again(cut=False)
        box.until(lambda: box.shows("ActiveState") == "failed")
        assert (box.shows("ExecMainStatus"), box.shows("NRestarts")) == ("78", "0")
        lines = [line for line in box.said("--boot").splitlines() if "configuration" in line]
        (told,) = [line for line in lines if "targett" in line]
        assert f"/etc/chargerd/chargerd.toml:{CONFIGURATION.count(chr(10)) + 1}: loadpoint.bike.targett" in told
        box.until(lambda: "chargerd has given up (exit-code, status 78)" in box.said("--boot", "--priority=crit"))
        box.configure(take_over=False)
        box.sh("systemctl start chargerd")
        assert box.bike()["name"] == "bike"


def test_plugs_are_found_by_broadcast_from_within_the_sandbox(box: Box):
    """A network of its own in the box, a strip in it that is known by its name only."""
    box.sh(
        "ip netns add lan && ip link add here type veth peer name there netns lan"
        " && ip address add 192.168.77.1/24 dev here && ip link set here up"
        " && ip -n lan address add 192.168.77.2/24 broadcast 192.168.77.255 dev there && ip -n lan link set there up"
    )
    inside = "/usr/bin/python3 -BIS /box/in/plug.py 192.168.77.2 9999 192.168.77.255"
    box.sh(f"systemd-run --quiet --unit=plug --property=NetworkNamespacePath=/run/netns/lan {inside}")
    box.until((box.out / "plug").exists)
    by_name = 'alias = "shed"\ndiscovery = "192.168.77.255"'
    box.configure(CONFIGURATION.replace('host = "127.0.0.1"', by_name))
    box.until(lambda: box.bike()["reachable"], 30)
    box.sh("chargerctl mode bike fast")
    box.until(lambda: box.plug()["on"])


@pytest.mark.parametrize("encrypted", [False, True], ids=["file", "systemd-creds"])
def test_secrets_arrive_and_leave_no_trace(box: Box, encrypted: bool):
    """S2-53: the device that needs them is configured; journal, log, command lines and environments hold nothing of them."""
    marker = "xyzzy-plugh-42"
    if encrypted:
        box.sh("install -d -m 700 /etc/credstore.encrypted /etc/systemd/system/chargerd.service.d")
        box.sh(f"printf {marker} | systemd-creds encrypt --with-key=host --name=kasa - /etc/credstore.encrypted/kasa")
        drop_in = "[Service]\\nLoadCredentialEncrypted=kasa:/etc/credstore.encrypted/kasa\\n"
        box.sh(f"printf '{drop_in}' > /etc/systemd/system/chargerd.service.d/kasa.conf && systemctl daemon-reload")
    else:
        box.sh(f"umask 077 && printf {marker} > /etc/chargerd/secrets/kasa")
    login = 'driver = "kasa"\nusername = { credential = "kasa" }\npassword = { credential = "kasa" }'
    box.configure(CONFIGURATION.replace('driver = "kasa"', login), take_over=False)
    box.start_plug()
    box.sh("systemctl restart chargerd")
    box.until(lambda: box.bike()["reachable"])
    box.sh("chargerctl mode bike fast")
    box.until(lambda: box.plug()["on"])
    assert marker not in box.run("journalctl", "--no-pager", "--output=export")[1]
    assert marker not in box.sh("chargerctl log --json; chargerctl status --json; chargerctl configure show --json")
    pid = box.shows("MainPID")
    box.sh(f"grep -q {marker} /proc/{pid}/environ /proc/{pid}/cmdline /var/lib/chargerd/*", status=1)


def test_missing_secret_costs_its_own_device_only(home: Box):
    """Fault 18: after the first start the others go on."""
    second = '\n[device.porch]\ndriver = "kasa"\nhost = "127.0.0.9"\nusername = { credential = "gone" }\n'
    home.configure(CONFIGURATION + second + 'password = { credential = "gone" }\n', take_over=False)
    home.sh("systemctl restart chargerd")
    home.until(lambda: home.bike()["state"] == "charging")
    assert "credential gone is missing" in home.sh("chargerctl device list; journalctl -u chargerd")


def test_without_its_folder_of_secrets_it_says_what_is_missing_and_does_not_loop(box: Box):
    """systemd cannot even begin it then, so nobody else would say it; made again, it starts."""
    box.sh("rmdir /etc/chargerd/secrets && systemctl restart chargerd", status=1)
    box.until(lambda: "sudo install -d -m 700 /etc/chargerd/secrets" in box.said("--priority=crit"))
    assert (box.shows("ActiveState"), box.shows("NRestarts")) == ("failed", "0")
    box.sh("install -d -m 700 /etc/chargerd/secrets && systemctl start chargerd")


def test_a_log_that_belongs_to_root_is_named_with_what_mends_it(box: Box):
    """Somebody worked on it as root. What was charged is not known, so it must not be taken for nothing."""
    box.sh("systemctl stop chargerd && chown root: /var/lib/chargerd/log.db && chmod 600 /var/lib/chargerd/log.db")
    box.sh("systemctl start chargerd", status=1)
    (mend, *_) = re.findall(r"permission denied; .* Mend: sudo (chown .*) && sudo (chmod .*)", box.said())
    box.sh(f"systemctl stop chargerd && {mend[0]} && {mend[1]} && systemctl start chargerd")
    assert box.sh("stat --format %U /var/lib/chargerd/log.db") == "chargerd\n"


def test_quiet_service_still_tells_every_switching(box: Box):
    """S0-29: with ``--quiet`` in a drop-in the journal has what switches power, and no routine."""
    drop_in = "[Service]\\nExecStart=\\nExecStart=/usr/sbin/chargerd run --quiet\\n"
    box.sh("mkdir -p /etc/systemd/system/chargerd.service.d")
    box.sh(f"printf '{drop_in}' > /etc/systemd/system/chargerd.service.d/quiet.conf && systemctl daemon-reload")
    box.sh("systemctl restart chargerd && journalctl --rotate --vacuum-time=1s")
    box.charging()
    assert "bike: switching on" in box.said()
    assert "watches" not in box.said()


HOOK = """\
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        open("/root/told", "ab").write(self.rfile.read(int(self.headers["Content-Length"])) + b"\\n")
        self.send_response(200)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", 8099), Handler).serve_forever()
"""
PICTURE = (
    'import sys; sys.path[:0] = ["/usr/lib/chargerd/app", "/usr/lib/chargerd/vendor"]\n'
    "from chargerd.sinks.picture import png\n"
    "from chargerd.sinks.base import Curve\n"
    'print(png([Curve("bike", ((0.0, 100.0), (1.0, 5.0)))], "Monday")[:4])\n'
)


def test_installed_service_tells_a_web_hook_and_draws_curves(box: Box):
    """S0-28 on the package: the libraries that carry news and draw are in it and work inside its sandbox."""
    box.sh(f"cat > /root/hook.py <<'END'\n{HOOK}END\nsystemd-run --quiet --unit=hook python3 /root/hook.py")
    box.sh("printf 'json://127.0.0.1:8099/hook' > /etc/chargerd/secrets/hook")
    box.configure('[sink.hook]\nkind = "notify"\nurl = { credential = "hook" }\n', take_over=False)
    box.sh("systemctl restart chargerd")
    box.until(lambda: box.shows("StatusText"))
    assert "hook: the test message was taken." in box.sh("chargerctl sink test hook")
    assert "chargerd: a test" in box.sh("cat /root/told")
    assert box.sh(f"cat > /root/draw.py <<'END'\n{PICTURE}END\npython3 -IBS /root/draw.py") == "b'\\x89PNG'\n"


HOUSE = """\
import signal, sys, time
sys.path[:0] = ["/usr/lib/chargerd/app", "/usr/lib/chargerd/vendor"]
from chargerd.sim.sunny import SunnyHouse
begin = time.time()
house = SunnyHouse(lambda: 12 * 3600 + time.time() - begin, 0.0)
house.start()
open("/root/ports", "w").write(f"{house.inverter.port} {house.charger.port}")
signal.pause()
"""
SUN = """\
[device.inverter]
driver = "solaredge"
host = "127.0.0.1"
port = {inverter}
poll_s = 2
poll_fast_s = 1
max_age_s = 20

[device.nrgkick]
driver = "nrgkick"
host = "127.0.0.1"
port = {nrgkick}
generation = 2
poll_s = 2
poll_fast_s = 1
max_age_s = 20

[meter.grid]
device = "inverter"
channel = "meter1"
role = "grid"

[storage.house]
device = "inverter"
channel = "battery1"

[loadpoint.garage]
charger = "nrgkick"
mode = "solar"
start_delay_s = 5
"""


def test_installed_service_charges_a_car_with_the_sun_and_pauses_it_at_its_end(box: Box):
    """S1-07 on the package: Modbus and HTTP work inside its sandbox; ``systemctl stop`` leaves the car paused, as the box says."""
    box.sh(f"cat > /root/house.py <<'END'\n{HOUSE}END\nsystemd-run --quiet --unit=house python3 -IBS /root/house.py")
    inverter, nrgkick = box.until(lambda: box.sh("cat /root/ports 2>/dev/null || true").split())
    box.configure(SUN.format(inverter=inverter, nrgkick=nrgkick))
    box.until(lambda: box.bike()["state"] == "charging", 90)
    assert box.bike()["power_w"] > 1300
    asks = f"python3 -c 'import urllib.request as r; print(r.urlopen(\"http://127.0.0.1:{nrgkick}/control\").read().decode())'"
    assert '"charge_pause": 0' in box.sh(asks)
    box.sh("systemctl stop chargerd")
    assert '"charge_pause": 1' in box.sh(asks)
