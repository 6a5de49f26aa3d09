"""Disks: the ways in which the one below a log can refuse, real ones that need no rights."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def full(size: int = 0) -> Iterator[None]:
    """The kernel refuses to let any file grow beyond a size; Python ignores the signal that comes with it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Nothing in a folder can be written or made, everything read; for root, who may do all, as somebody else."""
    paths = [folder, *folder.iterdir()]
    modes = [path.stat().st_mode for path in paths]
    above = [parent for parent in folder.parents if not parent.stat().st_mode & 0o001]
    me = os.geteuid()
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    for parent in above:
        parent.chmod(parent.stat().st_mode | 0o011)
    if me == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(me)
        for path, mode in zip(paths, modes, strict=True):
            path.chmod(mode)


@contextmanager
def until_told(refusing: AbstractContextManager[None]) -> Iterator[Callable[[], None]]:
    """A refusal that ends when the call that is handed out is made, or at the end of the block."""
    with ExitStack() as stack:
        stack.enter_context(refusing)
        yield stack.close
