"""Profiles: the shipped ones hold together, and missing powers follow from their neighbours."""

from __future__ import annotations

import pytest

from chargerd.config.profiles import order_faults, profile_of, season_faults, shipped
from chargerd.config.site import VehicleTable
from chargerd.model.settings import ADJUSTABLE, Profile


def _of(base: Profile | None = None, **keys: float) -> Profile:
    return profile_of("x", VehicleTable.model_validate(keys), base)


def test_every_shipped_profile_is_in_order_and_says_where_it_comes_from():
    """start ≥ stop > full, storage start ≥ storage stop, and a source that a person can judge."""
    for profile in shipped().values():
        assert order_faults(profile) == []
        assert season_faults(profile) == []
        assert len(profile.source) > 40


def test_the_shipped_figures_are_those_of_the_seed():
    """Rad 90/45, full 5, storage 115; Lectric 40/40, full 10; built-in 90/90/5."""
    found = {
        name: (p.nominal_start_w, p.nominal_stop_w, p.full_w, p.storage_start_w, p.storage_stop_w, p.efficiency)
        for name, p in shipped().items()
    }
    assert found == {
        "default": (90, 90, 5, 90, 90, 0.8),
        "rad-48v": (90, 45, 5, 115, 115, 0.8),
        "lectric-48v": (40, 40, 10, 40, 40, 0.95),
    }


def test_the_default_is_what_a_profile_without_keys_is():
    """A plug without a vehicle is cut off at the built-in figures."""
    default = shipped()["default"]
    assert profile_of("default", VehicleTable(), None, default.source) == default
    assert Profile("default", default.source) == default


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, (90, 90, 90, 90)),
        ({"nominal_stop_w": 45}, (45, 45, 45, 45)),
        ({"nominal_start_w": 60}, (60, 60, 60, 60)),
        ({"nominal_start_w": 90, "nominal_stop_w": 45}, (90, 45, 45, 45)),
        ({"nominal_stop_w": 45, "storage_stop_w": 100}, (45, 45, 100, 100)),
        ({"storage_start_w": 110}, (90, 90, 110, 90)),
    ],
)
def test_a_missing_power_follows_from_its_neighbour(keys: dict[str, float], expected: tuple[float, ...]):
    """Start from stop, stop from start, storage stop from nominal stop, storage start from storage stop."""
    found = _of(**keys)
    assert (found.nominal_start_w, found.nominal_stop_w, found.storage_start_w, found.storage_stop_w) == expected


def test_on_top_of_a_profile_only_what_is_given_changes():
    """Everything else is the shipped profile's."""
    found = _of(shipped()["rad-48v"], full_w=6)
    assert (found.nominal_start_w, found.nominal_stop_w, found.full_w, found.capacity_ah) == (90, 45, 6, 14)


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({"nominal_start_w": 40, "nominal_stop_w": 45}, "nominal_start_w"),
        ({"nominal_stop_w": 5}, "nominal_stop_w"),
        ({"full_w": 90}, "nominal_stop_w"),
        ({"storage_start_w": 80, "storage_stop_w": 100}, "storage_start_w"),
    ],
)
def test_powers_in_the_wrong_order_are_named(keys: dict[str, float], wrong: str):
    """The key that is wrong, and the number it is measured by."""
    faults = order_faults(_of(**keys))
    assert [key for key, _ in faults] == [wrong]
    assert "which is" in faults[0][1]


def test_files_accept_the_very_range_that_a_person_may_set():
    """A key in the file and the same key of chargerctl set have one range."""
    for key, (low, high) in ADJUSTABLE["battery"].items():
        field = VehicleTable.model_fields.get(key)
        if field is not None:
            assert [getattr(rule, "ge", getattr(rule, "le", None)) for rule in field.metadata] == [low, high]


def test_the_shipped_seasons_are_those_of_the_seed():
    """S0-17: from April to October Rad 90/90, Lectric 80/80; else what the profile says."""
    found = {name: [(v.name, v.from_day, v.until_day, v.values) for v in p.variants] for name, p in shipped().items()}
    summer = ("summer", 401, 1031)
    assert found == {
        "default": [],
        "rad-48v": [(*summer, {"nominal_start_w": 90, "nominal_stop_w": 90})],
        "lectric-48v": [(*summer, {"nominal_start_w": 80, "nominal_stop_w": 80})],
    }


@pytest.mark.parametrize(
    ("keys", "seasons"),
    [
        ({"full_w": 6}, [("summer", {"nominal_start_w": 90, "nominal_stop_w": 90})]),
        ({"nominal_stop_w": 60}, []),
        (
            {"variant": {"summer": {"from": "05-01", "until": "09-30", "nominal_stop_w": 80}}},
            [("summer", {"nominal_start_w": 80, "nominal_stop_w": 80})],
        ),
        (
            {"variant": {"frost": {"from": "12-01", "until": "02-29", "full_w": 8}}},
            [("summer", {"nominal_start_w": 90, "nominal_stop_w": 90}), ("frost", {"full_w": 8})],
        ),
    ],
)
def test_own_figures_come_before_shipped_seasons(keys, seasons):
    """What a person writes for the whole year is not undone in April; their own variant of that name takes its place."""
    found = _of(shipped()["rad-48v"], **keys)
    assert [(variant.name, variant.values) for variant in found.variants] == seasons
    assert season_faults(found) == []
