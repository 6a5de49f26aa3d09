"""Profiles: the shipped ones, and how a ``[vehicle.NAME]`` becomes one."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files

import msgspec

from chargerd.config.site import VehicleTable
from chargerd.model.settings import Profile


@cache
def shipped() -> dict[str, Profile]:
    """The profiles that come with chargerd, by name."""
    tables = tomllib.loads((files("chargerd.config") / "profiles.toml").read_text("utf-8"))
    return {
        name: profile_of(
            name, VehicleTable.model_validate({k: v for k, v in keys.items() if k != "source"}), None, keys["source"]
        )
        for name, keys in tables.items()
    }


def profile_of(name: str, table: VehicleTable, base: Profile | None, source: str = "") -> Profile:
    """The profile that a table describes, on top of another profile or of nothing.

    On top of nothing a missing power follows from its neighbour, as in the script this project started from: the start
    from the stop and the other way round, the storage stop from the nominal stop, the storage start from the storage stop.
    """
    given = table.model_dump(exclude={"profile"}, exclude_none=True)
    if base is not None:
        return msgspec.structs.replace(base, name=name, source=source, **given)
    plain = Profile(name)
    stop_w = given.get("nominal_stop_w", given.get("nominal_start_w", plain.nominal_stop_w))
    storage_w = given.get("storage_stop_w", stop_w)
    follows = {
        "nominal_start_w": stop_w,
        "nominal_stop_w": stop_w,
        "storage_stop_w": storage_w,
        "storage_start_w": storage_w,
    }
    return msgspec.structs.replace(plain, source=source, **(follows | given))


def order_faults(profile: Profile) -> list[tuple[str, str]]:
    """Key and text of every power that is in the wrong order: start ≥ stop > full, storage start ≥ storage stop."""
    faults = []
    if profile.nominal_start_w < profile.nominal_stop_w:
        faults.append(
            (
                "nominal_start_w",
                f"must be at least nominal_stop_w, which is {profile.nominal_stop_w:g};"
                " else a pack that is full enough is charged again and again",
            )
        )
    if profile.nominal_stop_w <= profile.full_w:
        faults.append(
            (
                "nominal_stop_w",
                f"must be above full_w, which is {profile.full_w:g}: power falls while a pack fills,"
                " so nominal ends before full",
            )
        )
    if profile.storage_start_w < profile.storage_stop_w:
        faults.append(
            (
                "storage_start_w",
                f"must be at least storage_stop_w, which is {profile.storage_stop_w:g};"
                " else a pack that is full enough is charged again and again",
            )
        )
    return faults
