"""Profiles: the shipped ones, and how a ``[vehicle.NAME]`` becomes one."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib.resources import files

import msgspec

from chargerd.config import times
from chargerd.config.site import VariantTable, VehicleTable
from chargerd.model.settings import Profile, Variant

_FIGURES = set(Profile.__struct_fields__) - {"name", "source", "variants", "variant"}


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
    given = table.model_dump(include=_FIGURES, exclude_none=True)
    variants = tuple(_variant(key, variant) for key, variant in table.variant.items())
    if base is not None:
        variants = (*_inherited(base.variants, given, {variant.name for variant in variants}), *variants)
        return msgspec.structs.replace(base, name=name, source=source, variants=variants, **given)
    plain = Profile(name)
    stop_w = given.get("nominal_stop_w", given.get("nominal_start_w", plain.nominal_stop_w))
    storage_w = given.get("storage_stop_w", stop_w)
    follows = {
        "nominal_start_w": stop_w,
        "nominal_stop_w": stop_w,
        "storage_stop_w": storage_w,
        "storage_start_w": storage_w,
    }
    return msgspec.structs.replace(plain, source=source, variants=variants, **(follows | given))


def _variant(name: str, table: VariantTable) -> Variant:
    """A variant as it is written. Of the start and stop of one target the one that is missing follows from the other."""
    given = table.model_dump(exclude={"from_", "until"}, exclude_none=True)
    for target in ("nominal", "storage"):
        start, stop = f"{target}_start_w", f"{target}_stop_w"
        if stop in given:
            given.setdefault(start, given[stop])
    return Variant(name, times.day_of_year(table.from_), times.day_of_year(table.until), given)


def _inherited(
    variants: tuple[Variant, ...], given: Mapping[str, float], renewed: Collection[str]
) -> Iterator[Variant]:
    """The variants of a shipped profile, without what a person's own figures say of the same target all the year."""
    own = {key.partition("_")[0] for key in given}
    for variant in variants:
        values = {key: value for key, value in variant.values.items() if key.partition("_")[0] not in own}
        if values and variant.name not in renewed:
            yield msgspec.structs.replace(variant, values=values)


def season_faults(profile: Profile) -> list[tuple[tuple[str, ...], str]]:
    """Path and text of what is wrong with the variants: powers in the wrong order, or two variants on one day."""
    faults: list[tuple[tuple[str, ...], str]] = []
    for number, variant in enumerate(profile.variants):
        laid_over = msgspec.structs.replace(profile, **variant.values)
        faults += [((variant.name, key), text) for key, text in order_faults(laid_over) if not order_faults(profile)]
        both = next((other for other in profile.variants[:number] if _share_a_day(variant, other)), None)
        if both is not None:
            faults.append(
                ((variant.name, "from"), f"shares days with variant {both.name}; a day has one variant or none")
            )
    return faults


def _share_a_day(one: Variant, other: Variant) -> bool:
    return any(one.covers(day) for day in (other.from_day, other.until_day)) or other.covers(one.from_day)


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
