"""Sessions: what a charge adds up to, in energy and in money."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from chargerd.engine.evolve import fold
from chargerd.engine.sessions import aimed, measured
from chargerd.model.events import ChargerRead, ConfigLoaded, Event, ModeSet
from chargerd.model.settings import Configuration
from chargerd.model.state import Charger, Session, Site
from tests.house import configuration, loadpoint

BIKE = configuration(loadpoint("bike"))
MINUTE_MS = 60_000


def priced(price_per_kwh: float | None, currency: str = "EUR") -> ConfigLoaded:
    """The bike's site with a price."""
    return ConfigLoaded(structs.replace(BIKE, import_price_per_kwh=price_per_kwh, currency=currency))


def read(power_w: float = 600.0) -> ChargerRead:
    """The bike's socket, on. At 600 W a minute is 10 Wh."""
    return ChargerRead(enabled=True, power_w=power_w, channel="bike")


def after(*facts: ConfigLoaded | ModeSet | ChargerRead) -> Session | None:
    """The bike's session after these facts, one a minute."""
    events = [
        Event(n + 1, n * MINUTE_MS, n * MINUTE_MS, 1, "shed" if isinstance(fact, ChargerRead) else "daemon", fact)
        for n, fact in enumerate(facts)
    ]
    return fold(Site(), events).loadpoints["bike"].session


FAST = ModeSet("bike", "fast", "anna")


def test_energy_costs_the_price_in_force():
    """30 Wh at 0.30 a kWh are 0.009."""
    session = after(priced(0.30), read(), FAST, read(), read(), read())
    assert session is not None
    assert session.energy_wh == pytest.approx(30)  # from the start on, not from the reading before it
    assert (session.cost, session.priced_wh, session.currency) == (pytest.approx(0.009), pytest.approx(30), "EUR")


def test_without_a_price_the_cost_is_unknown_and_not_nothing():
    """Free of charge is another thing."""
    unknown, free = after(priced(None), read(), FAST, read()), after(priced(0.0), read(), FAST, read())
    assert unknown is not None
    assert free is not None
    assert (unknown.cost, unknown.priced_wh, unknown.currency) == (None, 0.0, "")
    assert (free.cost, free.priced_wh) == (0.0, pytest.approx(10))


def test_a_new_price_counts_from_the_reload_on():
    """10 Wh at 0.30, then the configuration is read again, then 30 Wh at 0.50."""
    session = after(priced(0.30), read(), FAST, read(), priced(0.50), read(), read())
    assert session is not None
    assert session.cost == pytest.approx(0.010 * 0.30 + 0.030 * 0.50)
    assert session.priced_wh == pytest.approx(session.energy_wh) == pytest.approx(40)


@pytest.mark.parametrize("facts", [(None, 0.30), (0.30, None)])
def test_energy_of_unknown_price_is_left_out_and_told_apart(facts):
    """A price that comes late, or goes: the cost is of a part of the energy."""
    first, then = facts
    session = after(priced(first), read(), FAST, read(), priced(then), read(), read())
    assert session is not None
    assert session.energy_wh == pytest.approx(40)
    known_wh = 30 if first is None else 10
    assert session.priced_wh == pytest.approx(known_wh)
    assert session.cost == pytest.approx(known_wh / 1000 * 0.30)


def test_a_session_has_one_currency():
    """Energy after a change of currency is energy of unknown price: francs and euros do not add up."""
    session = after(priced(0.30, "EUR"), read(), FAST, read(), priced(0.28, "CHF"), read(), read())
    assert session is not None
    assert (session.currency, session.priced_wh) == ("EUR", pytest.approx(10))
    assert session.cost == pytest.approx(0.003)


def test_the_last_stretch_before_the_relay_opened_is_paid_for():
    """A reading with the relay off closes the energy that flowed until then."""
    off = ChargerRead(enabled=False, power_w=0.0, channel="bike")
    session = after(priced(0.30), read(), FAST, read(), off)
    assert session is not None
    assert session.priced_wh == pytest.approx(session.energy_wh) == pytest.approx(15)
    assert session.cost == pytest.approx(0.0045)


def test_sessions_that_end_together_are_all_known():
    """Twenty loadpoints leave the configuration at once: the state keeps sixteen ended sessions, but never forgets one at once."""
    names = [f"bike-{n}" for n in range(20)]
    facts = [ConfigLoaded(configuration(*map(loadpoint, names))), *(ModeSet(n, "fast", "anna") for n in names)]
    facts.append(ConfigLoaded(BIKE))
    events = [Event(n + 1, n, n, 1, "daemon", fact) for n, fact in enumerate(facts)]
    site = fold(Site(), events)
    assert [session.loadpoint for session in site.ended] == names
    later = [ModeSet("bike", "fast", "anna"), ConfigLoaded(configuration(loadpoint("bike-0")))]
    site = fold(site, [Event(50 + n, 90 + n, 90 + n, 1, "daemon", fact) for n, fact in enumerate(later)])
    assert [session.loadpoint for session in site.ended] == [*names[5:], "bike"]


@given(
    st.lists(
        st.tuples(
            st.one_of(st.floats(85, 125), st.floats(0, 320), st.floats(6, 8), st.floats(12, 16)),
            st.sampled_from([1, 2, 5, 130]),
            st.floats(-0.004, 0.004),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(["nominal", "full"]),
    st.sampled_from([0, 130]),
)
@example([(7.4, 1, 0.0), (6.8, 2, 0.0), (50.0, 1, 0.0)], "full", 130)  # comes to rest, and pulses
@example([(13.5, 2, 0.0), (14.5, 2, 0.0)], "full", 0)  # comes up slowly
@example([(14.0, 130, -0.004)], "nominal", 0)  # meets an edge of the band to the last digit
def test_calm_band_leaves_out_nothing(stretches, target, begun):
    """A reading in the band is counted in a shorter way; the session must be what the long way makes of it."""
    powers = [power_w * (1 + drift * n) for power_w, readings, drift in stretches for n in range(readings)]
    short = long = aimed(Session(1, "bike", "", "", 0.0, 0.0, "anna", 0, 0), loadpoint("bike"), target)
    charger = Charger(1, 0, 0, True, 103.0, None, None, None, None, None, 0, power_t_ms=0, known_w=103.0)
    for number, power_w in enumerate([103.0] * begun + powers + [103.0] * 3, 1):
        t_ms = number * 5000
        short = measured(short, charger, True, power_w, t_ms, Configuration())
        long = measured(
            structs.replace(long, calm_from_w=1.0, calm_to_w=0.0), charger, True, power_w, t_ms, Configuration()
        )
        # The short way keeps the band in which it is; the long one has a new one around each reading.
        assert structs.replace(short, calm_from_w=0, calm_to_w=0) == structs.replace(long, calm_from_w=0, calm_to_w=0)
        charger = structs.replace(charger, t_ms=t_ms, power_w=power_w, power_t_ms=t_ms, known_w=power_w)


@pytest.mark.parametrize(("power_w", "counts"), [(100.0, "plateau"), (80.0, "fall"), (3.0, "rest")])
def test_most_of_a_charge_is_calm(power_w, counts):
    """On the plateau, falling from it and at rest, the next reading at the same level is counted in the short way."""
    session = aimed(Session(1, "bike", "", "", 0.0, 0.0, "anna", 0, 0), loadpoint("bike"), "full")
    charger = Charger(1, 0, 0, True, 100.0, None, None, None, None, None, 0, power_t_ms=0, known_w=100.0)
    for number, level_w in enumerate([100.0] * 130 + [power_w] * 130, 1):
        session = measured(session, charger, True, level_w, number * 5000, Configuration())
    assert session.calm_from_w <= power_w < session.calm_to_w, counts


def test_power_that_comes_back_with_the_relay_is_no_pulse():
    """At rest, then switched off and on by us: what comes up then is a charge that goes on. Without the pause it is a pulse."""
    off = ChargerRead(enabled=False, power_w=0.0, channel="bike")
    begun = (priced(None), read(0.0), FAST, read(100.0), read(1.0))
    paused, unpaused = after(*begun, off, read(100.0)), after(*begun, read(100.0))
    assert paused is not None
    assert unpaused is not None
    assert (len(paused.pulses), len(unpaused.pulses)) == (0, 1)
