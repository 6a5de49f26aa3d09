"""Files: which files count, how later ones override earlier ones, and what is no configuration at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chargerd.config.files import config_files
from chargerd.config.load import ConfigError
from tests.config.site_texts import HOME, load_files, loaded, problems


def test_drop_ins_follow_the_main_file_by_name(tmp_path: Path):
    """Only *.toml in conf.d beside it counts; hidden files and backups of editors do not."""
    folder = tmp_path / "conf.d"
    folder.mkdir()
    for name in ("20-b.toml", "10-a.toml", ".hidden.toml", "30-c.toml~", "README"):
        (folder / name).touch()
    main = tmp_path / "chargerd.toml"
    assert config_files(main) == [main, folder / "10-a.toml", folder / "20-b.toml"]


def test_without_drop_ins_the_main_file_is_all(tmp_path: Path):
    """The folder need not exist."""
    assert config_files(tmp_path / "chargerd.toml") == [tmp_path / "chargerd.toml"]


def test_a_drop_in_overrides_key_by_key(tmp_path: Path):
    """Other keys of the same table stay; a list is replaced as a whole; new tables are added."""
    main = tmp_path / "chargerd.toml"
    main.write_text(HOME)
    drop_in = tmp_path / "drop-in.toml"
    drop_in.write_text(
        '[loadpoint.bike-1]\nlease_s = 900\nwindow = "01:00-02:00"\n[loadpoint.bike-2]\ncharger = "shed/battery_2"\n'
    )
    loadpoints = load_files(main, drop_in).configuration.loadpoints
    assert loadpoints["bike-1"].lease_s == 900
    assert loadpoints["bike-1"].target == "full"
    assert [window.from_min for window in loadpoints["bike-1"].windows] == [60]
    assert loadpoints["bike-2"].charger == "shed/battery_2"


def test_an_error_is_placed_in_the_file_that_has_the_key(tmp_path: Path):
    """Which of the files to open is half of the help; a replaced list has the new file's lines."""
    main = tmp_path / "chargerd.toml"
    main.write_text(HOME.replace("lease_s = 600", "lease_s = 1"))
    drop_in = tmp_path / "drop-in.toml"
    drop_in.write_text('# mine\n[loadpoint.bike-1]\nwindow = [\n  "x",\n]\n[device]\nshed = 3\n')
    with pytest.raises(ConfigError) as caught:
        load_files(main, drop_in)
    places = {problem.key: (Path(problem.file).name, problem.line) for problem in caught.value.problems}
    assert places == {
        "loadpoint.bike-1.lease_s": ("chargerd.toml", 19),
        "loadpoint.bike-1.window[1]": ("drop-in.toml", 4),
        "device.shed": ("drop-in.toml", 7),
    }


def test_an_empty_file_is_an_empty_home(tmp_path: Path):
    """A first start needs no configuration to speak of."""
    assert loaded(tmp_path, "").configuration.devices == {}
    assert loaded(tmp_path, "# nothing yet").configuration.site == "Home"


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"\xef\xbb\xbf[site]\n", 1, "byte order mark of UTF-8"),
        ("[site]\n".encode("utf-16"), 1, "byte order mark of UTF-16"),
        (b"[site]\n# caf\xe9\n", 2, "not UTF-8"),
        (b"[site]\nname = Home\n", 2, "is not TOML"),
        (b"site:\n  name: Home\n", 1, "is not TOML"),
        (b"[site]\nname = 'Home", 2, "is not TOML"),
        (b'[loadpoint.a]\n[device.b]\n[loadpoint.a]\ncharger = "x"\n', 3, "is there twice"),
        (b"[site]\nname = 'a'\nname = 'b'\n", 3, "is there twice"),
        (b"[site]\0\n", 1, "is not TOML"),
        (b"a = " + b"[" * 3000 + b"]" * 3000, 0, "nested too deeply"),
        (b"a = " + b"[" * 40 + b"]" * 40, 0, "nested too deeply"),
        (b".".join([b"a"] * 5000) + b" = 1", 0, "nested too deeply"),
        (b"a = " + b"9" * 5000, 0, "cannot be read"),
        (b"a = 1\n" * 1_700_000, 0, "larger than"),
    ],
    ids=[
        "bom",
        "utf-16",
        "latin-1",
        "no quotes",
        "yaml",
        "open string",
        "table twice",
        "key twice",
        "nul",
        "deep",
        "deep enough",
        "deep keys",
        "huge number",
        "10 MB",
    ],
)
def test_what_is_no_configuration_is_refused_with_its_place(tmp_path: Path, content: bytes, line: int, says: str):
    """File, line where there is one, and what is wrong with it."""
    main = tmp_path / "chargerd.toml"
    main.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_files(main)
    (found,) = caught.value.problems
    assert (found.file, found.line) == (str(main), line)
    assert says in found.text


def test_the_name_of_a_table_that_is_there_twice_is_told(tmp_path: Path):
    """A loadpoint copied and not renamed."""
    (found,) = problems(tmp_path, "[loadpoint.bike-1]\n[loadpoint.bike-1]\n")
    assert (found.key, found.line) == ("loadpoint.bike-1", 2)


def test_what_cannot_be_read_is_named(tmp_path: Path):
    """A file that is not there, a folder, a pipe that would make us wait for ever, a name that is none."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (tmp_path / "missing.toml", tmp_path, pipe, tmp_path / "x\0y"):
        with pytest.raises(ConfigError) as caught:
            load_files(path)
        (found,) = caught.value.problems
        assert found.file == str(path)
        assert found.line == 0


def test_all_broken_files_are_named_at_once(tmp_path: Path):
    """Nobody should have to repair one file to learn of the next."""
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text("x = \n")
    with pytest.raises(ConfigError) as caught:
        load_files(tmp_path / "a.toml", tmp_path / "missing.toml", tmp_path / "b.toml")
    assert [Path(problem.file).name for problem in caught.value.problems] == ["a.toml", "missing.toml", "b.toml"]


SNIPPETS = st.sampled_from(
    [
        "[site]",
        "[device.shed]",
        "[[device]]",
        "[device]",
        "[loadpoint.a]",
        "[[loadpoint.a.schedule]]",
        "[vehicle.v]",
        'driver = "acme"',
        "driver = []",
        'host = "h"',
        "password = {credential = 5}",
        'password = "x"',
        'charger = "shed/1"',
        "charger = {}",
        "vehicle = 3",
        'profile = "rad-48v"',
        "full_w = inf",
        "full_w = -1",
        "nominal_stop_w = 1",
        'schedule = [{days="x", at=1}, 3, []]',
        "schedule = {}",
        "window = [[1]]",
        'window = "22:00-21:00"',
        "timezone = 1979-05-27",
        "labels = [1]",
        "poll_s = 99999999999999999999999",
        "port = 99999999999999999999999",
        '"" = 1',
        "'a\"b'.c = 2",
        "= = =",
        "\t",
    ]
)


@settings(max_examples=400, deadline=None)
@given(text=st.one_of(st.lists(SNIPPETS, max_size=8).map("\n".join), st.text(max_size=80)))
@example(text="[device.shed]\ndriver='acme'\nhost='h'\nlabels=['a']")
def test_garbage_is_refused_and_nothing_else(tmp_path_factory: pytest.TempPathFactory, text: str):
    """Whatever stands in the file: it is a configuration, or a ConfigError with printable problems."""
    main = tmp_path_factory.getbasetemp() / "garbage.toml"
    main.write_text(text, "utf-8")
    assert _is_loaded_or_refused(main)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=60))
def test_bytes_that_are_no_text_are_refused_and_nothing_else(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    """The same for any bytes."""
    main = tmp_path_factory.getbasetemp() / "bytes.toml"
    main.write_bytes(content)
    assert _is_loaded_or_refused(main)


def _is_loaded_or_refused(main: Path) -> bool:
    """Whether the file is a configuration, or is refused with at least one problem that can be printed."""
    try:
        return load_files(main).configuration.files == (str(main),)
    except ConfigError as error:
        return bool(error.problems) and str(error).startswith(str(main))
