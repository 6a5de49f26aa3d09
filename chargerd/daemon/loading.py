"""Loading: configuration files, with every driver and sink that there is. The one place where `config` is told of these."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import structs

from chargerd import drivers, sinks
from chargerd.config.load import ConfigError, Loaded, config_files, load
from chargerd.daemon.secrets import Credentials


def loaded(paths: Sequence[Path], credentials: Credentials | None = None) -> Loaded:
    """What these files amount to; credentials are looked for where some are given. Raises `ConfigError`."""
    return load(
        paths,
        load_driver=drivers.load,
        driver_kinds=drivers.MODULES,
        load_sink=sinks.load,
        sink_kinds=sinks.MODULES,
        credential_fault=None if credentials is None else credentials.fault,
    )


def loader(main: Path, credentials: Credentials) -> Callable[[], Loaded]:
    """A function that reads the configuration anew each time, credentials looked for."""
    return lambda: loaded(config_files(main), credentials)


def prove(text: str, beside: Sequence[Path] = ()) -> None:
    """See whether a text loads, beside other files. Raises `ConfigError` that calls it "the new file"."""
    with tempfile.TemporaryDirectory(prefix="chargerd-draft-") as folder:
        made = Path(folder) / "new.toml"
        made.write_text(text, encoding="utf-8")
        try:
            loaded([*beside, made])
        except ConfigError as error:
            here = [structs.replace(p, file="the new file") if p.file == str(made) else p for p in error.problems]
            raise ConfigError(here) from None
