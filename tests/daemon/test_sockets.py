"""The socket files: who may open them, and that only one daemon serves them."""

import grp
import os
import socket
import stat
from contextlib import contextmanager

import pytest

from chargerd.daemon.sockets import CannotServe, Sockets


@contextmanager
def opened(folder, group=None):
    """The two sockets, for as long as the block lasts."""
    sockets = Sockets(folder, group)
    sockets.open()
    try:
        yield sockets
    finally:
        sockets.close()


def answers(folder) -> bool:
    """Whether somebody listens on both sockets."""
    for name in ("monitor", "control"):
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(folder / name)) != 0:
                return False
    return True


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o000])
def test_everybody_may_look_and_the_group_may_change(tmp_path, umask):
    """Modes of the socket files do not depend on the umask, and both files go with the daemon."""
    before = os.umask(umask)
    try:
        with opened(tmp_path):
            assert stat.S_IMODE((tmp_path / "monitor").stat().st_mode) == 0o666
            assert stat.S_IMODE((tmp_path / "control").stat().st_mode) == 0o660
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == []


def test_control_socket_is_given_to_the_group(tmp_path):
    """The group that was named owns the control socket."""
    gid = sorted({os.getegid(), *os.getgroups()})[-1]
    with opened(tmp_path, grp.getgrgid(gid).gr_name):
        assert (tmp_path / "control").stat().st_gid == gid


def test_group_that_does_not_exist_is_named(tmp_path):
    """A group that is not there refuses the start, and leaves nothing behind."""
    with pytest.raises(CannotServe, match="no-such-group"):
        Sockets(tmp_path, "no-such-group").open()
    assert list(tmp_path.iterdir()) == []


def test_second_daemon_on_the_same_sockets_is_refused(tmp_path):
    """The first goes on undisturbed, and when it has gone the second may serve."""
    with opened(tmp_path):
        with pytest.raises(CannotServe, match="another chargerd"):
            Sockets(tmp_path, None).open()
        assert answers(tmp_path)
    with opened(tmp_path):
        assert answers(tmp_path)


def test_another_program_that_listens_there_is_left_alone(tmp_path):
    """A living socket of somebody else is not taken away, and the one opened before it is closed again."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "control"))
        other.listen()
        with pytest.raises(CannotServe, match="another program"):
            Sockets(tmp_path, None).open()
        assert [path.name for path in tmp_path.iterdir()] == ["control"]


def test_sockets_that_a_dead_daemon_left_are_replaced(tmp_path):
    """After kill -9 the files are still there; the next daemon takes their place."""
    for name in ("monitor", "control"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(tmp_path / name))
    assert not answers(tmp_path)
    with opened(tmp_path):
        assert answers(tmp_path)


def test_file_that_is_no_socket_is_not_removed(tmp_path):
    """Somebody's file in the way is named, not deleted."""
    (tmp_path / "monitor").write_text("notes")
    with pytest.raises(CannotServe, match="no socket"):
        Sockets(tmp_path, None).open()
    assert (tmp_path / "monitor").read_text() == "notes"


@pytest.mark.parametrize("folder", ["nowhere", "x" * 120])
def test_folder_that_cannot_be_used_is_named(tmp_path, folder):
    """A folder that is not there, or whose path is too long for a socket, is named in the error."""
    if len(folder) > 100:
        (tmp_path / folder).mkdir()
    with pytest.raises(CannotServe, match=folder):
        Sockets(tmp_path / folder, None).open()


def test_files_that_others_have_put_in_our_place_stay(tmp_path):
    """Closing removes what we made, and nothing that has come since."""
    sockets = Sockets(tmp_path, None)
    sockets.open()
    (tmp_path / "monitor").unlink()
    (tmp_path / "monitor").write_text("another")
    sockets.close()
    assert [path.name for path in tmp_path.iterdir()] == ["monitor"]
