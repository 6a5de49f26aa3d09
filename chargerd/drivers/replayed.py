"""Replayed: a device that plays back recorded readings.

The recording is a file of JSON lines (``{"t_s": 0, "power_w": 103.9}``) or a CSV file with a header row; lines that begin
with ``#`` are comments. ``t_s`` is seconds from the first reading; the other keys are fields of `ChargerRead`, or, with
``reading`` "meter" or "storage", of `MeterRead` or `StorageRead`.
"""

from __future__ import annotations

import csv
import json
from bisect import bisect_right
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import msgspec
from pydantic import Field

from chargerd.config.base import DeviceConfig, Secret
from chargerd.drivers.base import Reading, UnexpectedAnswer, Unreachable, switching
from chargerd.model.commands import Command, SetEnabled
from chargerd.model.events import ChargerRead, DeviceAdded, MeterRead, StorageRead

MAX_BYTES = 50_000_000
KINDS: dict[str, type[Reading]] = {"charger": ChargerRead, "meter": MeterRead, "storage": StorageRead}
Recording = list[tuple[float, tuple[Reading, ...]]]


class Driver:
    """Gives the reading that was the newest at the same distance from the beginning.

    Without ``now_s`` each reading is ``poll_s`` after the one before. A command is accepted, kept in ``applied``, and
    changes nothing but ``enabled`` where the recording does not say it: what was recorded has happened.
    """

    kind = "replayed"
    accepts = frozenset({SetEnabled})

    class Config(DeviceConfig):
        """``path`` is the recording; ``repeat`` begins again at its end, otherwise the device is then unreachable."""

        measures: ClassVar[bool] = True

        path: str = Field(min_length=1)
        repeat: bool = False

    def __init__(
        self,
        name: str,
        config: DeviceConfig,
        channels: tuple[str, ...],
        secrets: Mapping[str, Secret],  # noqa: ARG002
        *,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        assert isinstance(config, self.Config)
        self.applied: list[SetEnabled] = []
        self._name = name
        self._config = config
        self._channels = channels or ("",)
        self._now_s = now_s
        self._start_s: float | None = None
        self._reads = 0
        self._enabled: dict[str, bool] = {}
        self._recording: Recording = []

    def describe(self) -> DeviceAdded:
        """Read the file. Raises `UnexpectedAnswer` with the line that cannot be read, `Unreachable` without a file."""
        self._recording = self._load()
        channels = {channel: channel for channel in self._channels if channel}
        return DeviceAdded(self.kind, "recording", self._config.path, "", channels, ("SetEnabled",))

    def read(self) -> tuple[Reading, ...]:
        """What was recorded last at this distance from the beginning, for the configured channels."""
        if not self._recording:
            self.describe()
        elapsed_s = self._elapsed_s()
        self._reads += 1
        end_s = self._recording[-1][0]
        if elapsed_s > end_s:
            if not self._config.repeat:
                raise Unreachable(f"{self._name}: the recording has ended after {end_s:g} s")
            elapsed_s %= end_s + self._config.poll_s
        index = bisect_right(self._recording, elapsed_s, key=lambda entry: entry[0]) - 1
        return tuple(
            msgspec.structs.replace(reading, enabled=self._enabled.get(reading.channel))
            if isinstance(reading, ChargerRead) and reading.enabled is None
            else reading
            for reading in self._recording[index][1]
            if reading.channel in self._channels
        )

    def apply(self, command: Command) -> None:
        """Remember the command."""
        command = switching(command)
        self.applied.append(command)
        self._enabled[command.device.partition("/")[2]] = command.enabled

    def close(self) -> None:
        """There is nothing to let go of."""

    def _elapsed_s(self) -> float:
        if self._now_s is None:
            return self._reads * self._config.poll_s
        now_s = self._now_s()
        if self._start_s is None:
            self._start_s = now_s
        return now_s - self._start_s

    def _load(self) -> Recording:
        path = Path(self._config.path)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise UnexpectedAnswer(f"{self._name}: {path} has more than {MAX_BYTES} bytes")
            text = path.read_text("utf-8")
        except OSError as error:
            raise Unreachable(f"{self._name}: {error}") from error
        except UnicodeDecodeError as error:
            raise UnexpectedAnswer(f"{self._name}: {path} is no text: {error}") from error
        rows = _csv_rows(text) if path.suffix == ".csv" else _json_rows(text)
        recording: Recording = []
        for number, row in rows:
            try:
                at_s, reading = _reading(row)
            except (msgspec.ValidationError, ValueError, TypeError, KeyError) as error:
                raise UnexpectedAnswer(f"{self._name}: {path}:{number}: {error}", str(row)) from error
            if recording and at_s < recording[-1][0]:
                raise UnexpectedAnswer(
                    f"{self._name}: {path}:{number}: t_s goes back from {recording[-1][0]:g} to {at_s:g}"
                )
            if recording and at_s == recording[-1][0]:
                recording[-1] = (at_s, (*recording[-1][1], reading))
            else:
                recording.append((at_s, (reading,)))
        if not recording:
            raise UnexpectedAnswer(f"{self._name}: {path} holds no reading")
        begin_s = recording[0][0]
        return [(at_s - begin_s, readings) for at_s, readings in recording]


def _json_rows(text: str) -> list[tuple[int, Any]]:
    lines = enumerate(text.splitlines(), start=1)
    return [(number, line) for number, line in lines if line.strip() and not line.startswith("#")]


def _csv_rows(text: str) -> list[tuple[int, Any]]:
    lines = _json_rows(text)
    rows = csv.DictReader(line for _, line in lines)
    return [(number, row) for (number, _), row in zip(lines[1:], rows, strict=False)]


def _reading(row: Any) -> tuple[float, Reading]:
    if isinstance(row, str):
        fields = json.loads(row)
        at_s = float(fields.pop("t_s"))
        return at_s, msgspec.convert(fields, _kind(fields))
    # A CSV knows no types; an empty cell is unknown.
    fields = {key: value for key, value in row.items() if value not in ("", None)}
    at_s = float(fields.pop("t_s"))
    return at_s, msgspec.convert(fields, _kind(fields), strict=False)


def _kind(fields: dict[str, Any]) -> type[Reading]:
    """What the row is a reading of; takes the word for that out of it. Raises ValueError for another word."""
    word = fields.pop("reading", "charger")
    if word not in KINDS:
        raise ValueError(f"{word!r} is no kind of reading; known: {', '.join(KINDS)}")
    return KINDS[word]
