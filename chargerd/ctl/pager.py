"""Pager: long text through the user's pager."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess


def page(text: str) -> bool:
    """Show the text in CHARGERCTL_PAGER, PAGER or less. False: there is none, or it cannot be started."""
    command = shlex.split(os.environ.get("CHARGERCTL_PAGER", os.environ.get("PAGER", "less")))
    if not command or command[0] == "cat" or shutil.which(command[0]) is None:
        return False
    environment = {"LESS": "FRX", **os.environ}
    try:
        shown = subprocess.run(command, input=text + "\n", text=True, errors="replace", env=environment, check=False)
    except OSError:
        return False
    return shown.returncode == 0
