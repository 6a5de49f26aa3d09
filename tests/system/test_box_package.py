"""The package's life: from a signed repository, upgraded, downgraded, removed, purged, and across releases of Debian."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chargerd.drivers.simulated import Socket, Steady
from chargerd.engine import VERSION
from chargerd.sim.wire.kasa import SimulatedStrip
from tests.system.boxes import BOX, CONFIGURATION, Box
from tests.system.packages import built, commit, deb_tool, derived

pytestmark = pytest.mark.system

SCHEMA = "usr/lib/chargerd/app/chargerd/store/schema.py"
PORCH = """
[device.porch]
driver = "kasa"
host = "127.0.0.9"
username = { credential = "porch" }
password = { credential = "porch" }
"""
COMPLETED = """
source /usr/share/bash-completion/completions/chargerctl
COMP_WORDS=(%s) COMP_CWORD=%d
_chargerctl
echo ${COMPREPLY[@]}
"""
ZSH = """
fpath=(FOLDER $fpath)
compadd() { shift; print -r -- "$@" }
compdef() { print nothing yet }
autoload -Uz _chargerctl
words=(chargerctl stat) CURRENT=2
_chargerctl
"""
OTHER = {"bookworm": "trixie", "trixie": "bookworm"}


OTHER_RULES = (
    ("usr/lib/chargerd/app/chargerd/policies/threshold.py", '{"started": True}', '{"started": True, "newer": True}'),
    ("usr/lib/chargerd/app/chargerd/engine/__init__.py", f'VERSION = "{VERSION}"', 'VERSION = "later"'),
)
ON_A_TERMINAL = (
    "(sleep WAIT; echo ANSWER) | DEBIAN_FRONTEND=teletype script --quiet --return --command 'COMMAND' /dev/null 2>&1"
)


class Repository:
    """A signed repository in a folder, as one has it on a web server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "repo"
        (self.folder / "pool").mkdir(parents=True)
        self._keys = {**os.environ, "GNUPGHOME": str(folder / "keys")}
        (folder / "keys").mkdir(mode=0o700)
        self._gpg("--quick-gen-key", "--passphrase", "", "chargerd tests", "ed25519", "sign", "never")
        (self.folder / "key.asc").write_bytes(self._gpg("--armor", "--export"))

    def add(self, suite: str, *packages: Path) -> None:
        """Publish packages for a release."""
        pool, lists = self.folder / "pool" / suite, self.folder / "dists" / suite
        pool.mkdir(exist_ok=True)
        for package in packages:
            shutil.copy(package, pool)
        binary = lists / "main" / "binary-amd64"
        binary.mkdir(parents=True, exist_ok=True)
        (binary / "Packages").write_bytes(self._archive("packages", f"pool/{suite}"))
        labels = [
            f"-oAPT::FTPArchive::Release::{key}={value}"
            for key, value in (
                ("Suite", suite),
                ("Codename", suite),
                ("Components", "main"),
                ("Architectures", "amd64"),
            )
        ]
        release = self._archive(*labels, "release", f"dists/{suite}")
        (lists / "Release").write_bytes(release)
        (lists / "InRelease").unlink(missing_ok=True)
        self._gpg("--clearsign", "--output", str(lists / "InRelease"), str(lists / "Release"))

    def close(self) -> None:
        """End the agent that gpg has started."""
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], env=self._keys, check=True)

    def _gpg(self, *words: str) -> bytes:
        return subprocess.run(
            ["gpg", "--batch", "--quiet", *words], env=self._keys, check=True, capture_output=True
        ).stdout

    def _archive(self, *words: str) -> bytes:
        return subprocess.run(["apt-ftparchive", *words], cwd=self.folder, check=True, capture_output=True).stdout


@pytest.fixture
def repository(tmp_path: Path, suite: str, package: Path) -> Iterator[Repository]:
    """A signed repository that has the package."""
    made = Repository(tmp_path)
    made.add(suite, package)
    yield made
    made.close()


def _use(box: Box, suite: str, *, alone: bool = True) -> None:
    """Have apt know the repository, and by default no other."""
    if alone:
        box.sh("rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*")
    lines = [
        "Types: deb",
        "URIs: file:/box/in/repo",
        f"Suites: {suite}",
        "Components: main",
        "Signed-By: /box/in/repo/key.asc",
    ]
    box.sh("printf '%s\\n' " + " ".join(f"'{line}'" for line in lines) + " > /etc/apt/sources.list.d/chargerd.sources")


def test_from_a_signed_repository(suite: str, repository: Repository):
    """``apt update``, ``apt install chargerd``: it runs."""
    with Box(suite, repository.folder) as box:
        _use(box, suite)
        box.sh("apt-get update 2>&1 && apt-get install --yes chargerd 2>&1")
        assert box.shows("ActiveState") == "active"
        assert box.sh("dpkg --verify chargerd") == ""


@pytest.mark.parametrize("what", ["package", "list", "signature"])
def test_tampered_repository_is_refused(suite: str, repository: Repository, what: str):
    """One byte of the package, of its list, or of what was signed: apt installs nothing."""
    file = {
        "package": next(repository.folder.glob("pool/*/*.deb")),
        "list": repository.folder / "dists" / suite / "main" / "binary-amd64" / "Packages",
        "signature": repository.folder / "dists" / suite / "InRelease",
    }[what]
    data = bytearray(file.read_bytes())
    place = len(data) // 2 if what == "package" else data.index(b"chargerd" if what == "list" else b"main")
    data[place] ^= 1
    file.write_bytes(data)
    with Box(suite, repository.folder) as box:
        _use(box, suite)
        box.sh("apt-get update 2>&1 && apt-get install --yes chargerd 2>&1", status=100)
        box.sh("dpkg-query --status chargerd 2>&1", status=1)


def test_package_for_the_other_debian_is_refused(suite: str):
    """By its dependencies, before anything is unpacked."""
    with Box(suite, built(OTHER[suite])) as box:
        said = box.sh("apt-get install --yes /box/in/chargerd_*.deb 2>&1", status=100)
        assert "python3" in said
        box.sh("dpkg-query --status chargerd 2>&1", status=1)


def test_upgrade_in_mid_charge_clicks_no_relay(suite: str, package: Path, tmp_path: Path):
    """The session goes on under the new version; an edited configuration file is kept without a question."""
    newer = derived(package, tmp_path, "0.9.0")
    with Box(suite, package, newer) as box:
        box.install(package.name)
        box.charging()
        before = box.shows("MainPID")
        box.install(newer.name)
        assert box.shows("MainPID") != before
        assert "chargerd 0.9.0" in box.sh("chargerd --version; journalctl -u chargerd")
        box.until(lambda: box.bike()["state"] == "charging")
        assert [on for _, on, _ in box.plug()["switchings"]] == [True]
        assert len(json.loads(box.sh("chargerctl sessions --json"))["sessions"]) == 1
        assert "shed/bike" in box.sh("cat /etc/chargerd/chargerd.toml")


def test_upgrade_shows_what_the_new_version_would_have_decided_otherwise(suite: str, package: Path, tmp_path: Path):
    """The upgrade gate: nobody is at a terminal, so it is printed and the new version takes over; the charge goes on."""
    newer = derived(package, tmp_path, "0.9.1", *OTHER_RULES)
    with Box(suite, package, newer) as box:
        box.install(package.name)
        box.charging()
        said = box.install(newer.name)
        assert "would have decided this otherwise" in said
        assert "other rules, no damage" in said
        assert "chargerd 0.9.1" in box.sh("chargerd --version")
        box.until(lambda: box.bike()["state"] == "charging")
        assert [on for _, on, _ in box.plug()["switchings"]] == [True]


def test_upgrade_may_be_stopped_when_the_new_version_decides_otherwise(suite: str, package: Path, tmp_path: Path):
    """The upgrade gate: an answer given beforehand, and one at a terminal; "stop" leaves the old version charging."""
    newer = derived(package, tmp_path, "0.9.1", *OTHER_RULES)
    with Box(suite, package, newer) as box:
        box.install(package.name)
        box.charging()
        before = box.shows("MainPID")
        box.sh("echo chargerd chargerd/decided-otherwise boolean false | debconf-set-selections")
        said = box.sh(f"DEBIAN_FRONTEND=noninteractive apt-get install --yes /box/in/{newer.name} 2>&1", status=100)
        assert "other rules, no damage" in said
        assert "goes on charging until it is started anew" in said
        assert (box.shows("MainPID"), box.bike()["state"]) == (before, "charging")
        on_a_terminal = ON_A_TERMINAL.replace("COMMAND", "dpkg --configure chargerd").replace("WAIT", "20")
        said = box.sh(on_a_terminal.replace("ANSWER", "no"), status=1)
        assert "Let the new version of chargerd take over?" in said
        assert (box.shows("MainPID"), box.bike()["state"]) == (before, "charging")
        box.sh(on_a_terminal.replace("ANSWER", "yes"))
        assert box.shows("MainPID") != before
        box.until(lambda: box.bike()["state"] == "charging")
        assert [on for _, on, _ in box.plug()["switchings"]] == [True]
        box.sh("apt-get purge --yes chargerd 2>&1 && ! debconf-show chargerd | grep decided")


def test_upgrade_to_other_rules_that_decide_the_same_asks_nothing(suite: str, package: Path, tmp_path: Path):
    """Not the number of the rules counts but what they would have done: whoever said "stop" to changes is not stopped."""
    newer = derived(package, tmp_path, "0.9.2", OTHER_RULES[1])
    with Box(suite, package, newer) as box:
        box.install(package.name)
        box.charging()
        box.sh("echo chargerd chargerd/decided-otherwise boolean false | debconf-set-selections")
        said = box.install(newer.name)
        assert "otherwise" not in said
        assert "chargerd 0.9.2" in box.sh("chargerd --version")


def test_upgrade_that_would_refuse_the_configuration_leaves_the_old_version_charging(
    suite: str, package: Path, tmp_path: Path
):
    """dpkg names the mistake and stops; mended, ``dpkg --configure`` goes on. A secret kept elsewhere is no mistake."""
    newer = derived(package, tmp_path, "0.9.0")
    with Box(suite, package, newer) as box:
        box.install(package.name)
        box.charging()
        before = box.shows("MainPID")
        box.configure(CONFIGURATION + "max_curent_a = 3\n", take_over=False)
        said = box.sh(f"apt-get install --yes /box/in/{newer.name} 2>&1", status=100)
        assert "the new version would refuse the configuration" in said
        assert "loadpoint.bike.max_curent_a" in said
        assert box.shows("MainPID") == before
        assert box.bike()["state"] == "charging"
        box.configure(CONFIGURATION + PORCH, take_over=False)
        box.sh("dpkg --configure chargerd 2>&1")
        assert box.shows("MainPID") != before
        box.until(lambda: box.bike()["state"] == "charging")
        assert [on for _, on, _ in box.plug()["switchings"]] == [True]


def test_downgrade_below_the_log_is_refused_with_a_sentence(suite: str, package: Path, tmp_path: Path):
    """Fault 7: exit status 78, no loop, not a byte of the log changed; the newer version again goes on with it."""
    version = next(
        line
        for line in (deb_tool().ROOT / "chargerd/store/schema.py").read_text().splitlines()
        if line.startswith("VERSION =")
    )
    number = int(version.split("=")[1])
    newer = derived(package, tmp_path, "0.9.0", (SCHEMA, version, f"VERSION = {number + 1}"))
    with Box(suite, package, newer) as box:
        box.install(newer.name)
        box.sh("systemctl stop chargerd")
        log = box.sh("sha256sum /var/lib/chargerd/log.db")
        box.sh(f"apt-get install --yes --allow-downgrades /box/in/{package.name} 2>&1")
        box.until(lambda: box.shows("ActiveState") == "failed")
        assert (box.shows("ExecMainStatus"), box.shows("NRestarts")) == ("78", "0")
        assert f"was written by a newer chargerd (log version {number + 1}, this one knows {number})" in box.said()
        assert box.sh("sha256sum /var/lib/chargerd/log.db") == log
        box.install(newer.name)
        box.until(lambda: box.shows("ActiveState") == "active")
        assert box.sh("ls /var/lib/chargerd | grep damaged || echo none") == "none\n"
        assert box.sh("chargerctl log --json").count("DaemonStarted") == 2 or box.status()["problems"] == []


def test_removed_purged_and_installed_again(home: Box):
    """Remove keeps all; purge takes configuration and secrets and says where the log is; a new install goes on with it."""
    home.sh("echo hidden > /etc/chargerd/secrets/kasa && touch /etc/chargerd/conf.d/10-more.toml")
    home.sh("apt-get remove --yes chargerd 2>&1")
    assert home.plug(skip_s=121)["on"] is False
    home.sh(
        "test -e /etc/chargerd/secrets/kasa && test -e /etc/chargerd/chargerd.toml && test -s /var/lib/chargerd/log.db"
    )
    home.sh("test -e /usr/lib/chargerd || test -e /usr/sbin/chargerd", status=1)
    home.install()
    home.until(lambda: home.bike()["name"] == "bike")
    said = home.sh("apt-get purge --yes chargerd 2>&1")
    assert "the log of what was switched is kept in /var/lib/chargerd" in said
    home.sh("test -e /etc/chargerd", status=1)
    home.sh("test -s /var/lib/chargerd/log.db && getent passwd chargerd")
    home.install()
    assert home.status()["loadpoints"] == []
    sessions = json.loads(home.sh("chargerctl sessions --json"))["sessions"]
    assert [session["loadpoint"] for session in sessions] == ["bike"]


def test_disabled_by_its_owner_it_stays_so(box: Box):
    """An upgrade or reinstallation does not start what somebody has switched off."""
    box.sh("systemctl disable --now chargerd 2>&1 && apt-get install --reinstall --yes /box/in/chargerd_*.deb 2>&1")
    assert (box.shows("ActiveState"), box.shows("UnitFileState")) == ("inactive", "disabled")


def test_every_program_and_file_format_has_its_manual_page(box: Box):
    """What dpkg has put into bin, sbin and /etc is described; byte code is there and belongs to nobody else."""
    files = box.sh("dpkg -L chargerd").split()
    pages = {Path(file).name.removesuffix(".gz") for file in files if "/man/" in file and file.endswith(".gz")}
    programs = {Path(f).name for f in files if f.startswith(("/usr/bin/", "/usr/sbin/"))}
    formats = {Path(f).name for f in files if f.startswith("/etc/") and Path(f).suffix}
    assert pages == {"chargerctl.1", "chargerd.8", "chargerd.toml.5"}
    assert {page.rpartition(".")[0] for page in pages} == programs | (formats - {"conf.d"})
    box.sh("test -d /usr/lib/chargerd/vendor/msgspec/__pycache__")
    assert box.sh("dpkg --verify chargerd") == ""


def test_completion_knows_commands_and_asks_for_names(home: Box):
    """bash, as the package installs it: the beginning of a command, and a loadpoint's name."""
    for words, place, wanted in (("chargerctl stat", 1, "status"), ("chargerctl mode b", 2, "bike")):
        status, said = home.run("bash", "-c", COMPLETED % (words, place))
        assert (status, said.split()) == (0, [wanted])


def test_completion_of_zsh_works_from_its_first_use_and_that_of_fish_parses(package: Path, tmp_path: Path):
    """The files that the package installs, loaded by the shells themselves as they load them."""
    subprocess.run(["dpkg-deb", "--extract", str(package), str(tmp_path)], check=True)
    share = tmp_path / "usr" / "share"
    loaded = ZSH.replace("FOLDER", str(share / "zsh" / "vendor-completions"))
    said = subprocess.run(["zsh", "-f", "-c", loaded], capture_output=True, text=True, check=True).stdout
    assert {"status", "why", "mode"} <= set(said.split())
    fish = share / "fish" / "vendor_completions.d" / "chargerctl.fish"
    asked = f"source {fish}; complete --do-complete 'chargerctl stat'"
    said = subprocess.run(["fish", "--no-config", "-c", asked], capture_output=True, text=True, check=True).stdout
    assert said.split()[0] == "status"


def test_two_builds_give_the_same_bytes(suite: str, package: Path, tmp_path: Path):
    """The second in another folder, time zone, locale and umask."""
    tool = deb_tool()
    again = tool.build(suite, tmp_path / "again", (tool.HERE,), commit=commit(), check=False, other=True)
    assert again[tool.HERE].read_bytes() == package.read_bytes()


def test_piuparts_finds_nothing_left_behind(suite: str, package: Path, tmp_path: Path):
    """Installed, removed and purged in a chroot without systemd: nothing is left but what is meant to be."""
    root = subprocess.run([str(BOX), "build", suite], check=True, capture_output=True, text=True).stdout.strip()
    (tmp_path / "tmp").mkdir()
    words = [
        "--existing-chroot",
        root,
        "--distribution",
        suite,
        "--no-eatmydata",
        "--keep-sources-list",
        "--skip-logrotatefiles-test",
    ]
    words += ["--tmpdir", str(tmp_path / "tmp"), "--ignore", "/var/lib/chargerd", "--warn-on-leftovers-after-purge"]
    done = subprocess.run(["piuparts", *words, str(package)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert "PASS: All tests" in done.stdout


def test_autopkgtest_passes_in_a_booted_box(suite: str, package: Path, tmp_path: Path):
    """The package's own tests, as Debian's infrastructure runs them."""
    source = deb_tool().tree(suite, tmp_path, commit())
    shutil.rmtree(source / "wheelhouse")
    with Box(suite, package, source, with_="autopkgtest,dpkg-dev,man-db") as box:
        inside = f"autopkgtest --ignore-restrictions=isolation-container /box/in/{package.name} /box/in/{source.name}/ -- null 2>&1"
        said = box.sh(inside, seconds=300)
    assert "service-answers      PASS" in said, said
    assert "programs-start" in said


def test_from_debian_12_to_13_in_mid_charge(tmp_path: Path):
    """apt takes the +deb13 build along; the log goes on under the new Python, and no relay clicks."""
    repository = Repository(tmp_path)
    strip = SimulatedStrip({"bike": Socket(Steady(1500.0), noise=random.Random(1))}, now_s=time.time)
    strip.start()
    try:
        repository.add("bookworm", built("bookworm"))
        repository.add("trixie", built("trixie"))
        with Box("bookworm", repository.folder, net="host") as box:
            _use(box, "bookworm", alone=False)
            box.sh("apt-get update 2>&1 && apt-get install --yes chargerd 2>&1")
            box.configure(CONFIGURATION.replace('"127.0.0.1"', f'"127.0.0.1"\nport = {strip.port}'))
            box.until(lambda: box.bike()["reachable"])
            box.sh("chargerctl mode bike fast")
            box.until(lambda: box.bike()["state"] == "charging")
            box.sh("sed -i s/bookworm/trixie/g $(ls /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null)")
            box.sh("apt-get update 2>&1")
            box.sh("apt-get --yes -o Dpkg::Options::=--force-confold dist-upgrade 2>&1", seconds=380)
            assert box.sh("dpkg-query --show --showformat='${Version}' chargerd").endswith("+deb13")
            box.until(lambda: box.bike()["state"] == "charging")
            assert "3.13" in box.sh(f"grep -m1 -o python3.13 /proc/{box.shows('MainPID')}/maps")
            assert [(switching.on, switching.cause) for switching in strip.switchings] == [(True, "client")]
    finally:
        strip.stop()
        repository.close()
