"""Settings: how long, how much and how strongly a profile lets charge, whatever it leaves out."""

from __future__ import annotations

import pytest

from chargerd.model.settings import (
    ADJUSTABLE,
    TARGETS,
    Configuration,
    DeviceSettings,
    LoadpointSettings,
    Profile,
    Variant,
)


@pytest.mark.parametrize(
    ("profile", "hours"),
    [
        (Profile("rad", capacity_ah=14, charger_a=2), 7),  # S0-22
        (Profile("odd", capacity_ah=15, charger_a=2), 8),  # whole hours, rounded up
        (Profile("unknown"), 12),  # S0-23
        (Profile("half", capacity_ah=14), 12),
        (Profile("other half", charger_a=2), 12),
        (Profile("own", capacity_ah=14, charger_a=2, max_h=3.5), 3.5),
    ],
)
def test_a_session_has_a_longest_time_always(profile, hours):
    """Capacity by current; 12 h if either is unknown; what the profile says itself comes first."""
    assert profile.time_limit_s == hours * 3600


@pytest.mark.parametrize(
    ("profile", "limit_wh"),
    [
        (Profile("rad", capacity_ah=14), 1092),  # 1.3 × 672 Wh ÷ 0.8
        (Profile("36 V", capacity_ah=10, voltage_v=36, efficiency=0.9), 520),
        (Profile("unknown"), 1200),
        (Profile("own", capacity_ah=14, max_energy_wh=500), 500),
    ],
)
def test_a_session_has_a_most_energy_always(profile, limit_wh):
    """What the pack holds, losses and a third on top; 1.2 kWh for a pack nobody described."""
    assert profile.energy_limit_wh == pytest.approx(limit_wh)


@pytest.mark.parametrize(
    ("profile", "limit_w"),
    [
        (Profile("rad", charger_a=2), 205.2),  # 1.5 × 2 A × 54.7 V ÷ 0.8
        (Profile("fast", charger_a=5, voltage_v=36, efficiency=0.9), 342),
        (Profile("unknown"), 300),
        (Profile("own", charger_a=2, max_power_w=120), 120),
    ],
)
def test_a_charger_has_a_most_power_always(profile, limit_w):
    """Half more than it draws at its end of charge; 300 W for a charger nobody described."""
    assert profile.power_limit_w == pytest.approx(limit_w)


def test_capacity_is_known_in_wh_or_not_at_all():
    """14 Ah at 48 V are 672 Wh; without Ah it is unknown, not 0."""
    assert Profile("rad", capacity_ah=14).capacity_wh == 672
    assert Profile("unknown").capacity_wh is None


def test_each_target_has_its_power_to_stop_and_to_start():
    """Full starts with any power; the others want as much as they are worth."""
    profile = Profile("p", nominal_start_w=95, nominal_stop_w=90, full_w=5, storage_start_w=115, storage_stop_w=110)
    assert [(profile.start_w(target), profile.stop_w(target)) for target in TARGETS] == [(95, 90), (0, 5), (115, 110)]
    for of in (profile.start_w, profile.stop_w):
        with pytest.raises(KeyError):
            of("half")


def test_a_charger_is_found_on_its_device():
    """A channel's address and a whole device's."""
    shed = DeviceSettings("shed", "kasa")
    configuration = Configuration(devices={"shed": shed})
    assert configuration.device_of("shed/battery_1") is shed
    assert configuration.device_of("shed") is shed
    with pytest.raises(KeyError):
        configuration.device_of("garage/shed")


@pytest.mark.parametrize("key", ADJUSTABLE["battery"])
def test_what_can_be_adjusted_is_a_setting_whose_default_is_in_its_range(key):
    """A range that its own default breaks would refuse to give it back."""
    low, high = ADJUSTABLE["battery"][key]
    profile = Profile("p")
    value = getattr(profile, key, None) if hasattr(profile, key) else getattr(LoadpointSettings("l", "s", profile), key)
    assert low < high
    assert value is None or low <= value <= high


@pytest.mark.parametrize(
    ("variant", "inside", "outside"),
    [
        (Variant("winter", 1101, 331, {}), (1101, 1231, 101, 229, 331), (1031, 401, 701)),
        (Variant("summer", 401, 1031, {}), (401, 701, 1031), (331, 1101, 101)),
        (Variant("christmas", 1225, 1225, {}), (1225,), (1224, 1226)),
        (Variant("always", 301, 229, {}), (301, 1231, 101, 229), ()),
    ],
)
def test_a_variant_covers_its_days_also_over_new_year(variant, inside, outside):
    """Both ends included; an end before the beginning lies in the next year."""
    assert all(variant.covers(day) for day in inside)
    assert not any(variant.covers(day) for day in outside)
