"""Main: `python -m chargerd.ctl` is chargerctl."""

from __future__ import annotations

import sys

from chargerd.ctl.main import main

if __name__ == "__main__":
    sys.exit(main())
