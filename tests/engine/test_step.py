"""Step: a fact in, the new state and what follows from it out."""

from __future__ import annotations

from chargerd.engine.evolve import fold
from chargerd.engine.settings import policy_of
from chargerd.engine.step import case_of, close, judge, step
from chargerd.model.commands import SetEnabled
from chargerd.model.events import (
    ChargerRead,
    CommandFailed,
    CommandIssued,
    ConfigLoaded,
    DaemonStarted,
    Decided,
    DeviceAdded,
    Event,
    ModeSet,
    ReadFailed,
    Tick,
)
from chargerd.model.state import Site
from tests.house import configuration, loadpoint
from tests.house_sun import believed, clock, consumer, evse, evse_read, grid_read, home, then


def at(seq: int, second: float, body, source="daemon") -> Event:
    """A fact at a second of the day."""
    return Event(seq, round(second * 1000), round(second * 1000), 1, source, body)


def ready() -> Site:
    """A plug that has been read once in this run and is off; somebody wants it charged."""
    facts = [
        at(1, 0, DaemonStarted("1", "1", "b")),
        at(2, 0, ConfigLoaded(configuration(loadpoint("bike")))),
        at(3, 1, DeviceAdded("simulated", accepts=("SetEnabled",), lease="unproven"), "shed"),
        at(4, 1, ChargerRead("bike", False, 0.0), "shed"),
        at(5, 2, ModeSet("bike", "fast", "anna")),
    ]
    return fold(Site(), facts)


def test_fact_other_than_a_tick_decides_nothing():
    """Decisions are made once per transaction."""
    _, followed = step(ready(), at(6, 3, ChargerRead("bike", False, 0.0), "shed"))
    assert followed == ()


def test_tick_decides_and_commands_and_comes_last():
    """Decided, then the command with its reason, then the tick, numbered without a gap."""
    site, followed = step(ready(), at(6, 3, Tick()))
    assert [type(event.body) for event in followed] == [Decided, CommandIssued, Tick]
    assert [event.seq for event in followed] == [6, 7, 8]
    command = followed[1].body
    assert command.command == SetEnabled("shed/bike", True, 900)
    assert command.reason.code == "switching-on"
    assert site.seq == 8


def test_unchanged_decision_is_not_stored_again():
    """A second tick with nothing new is a tick and nothing else; the command in flight is not repeated."""
    site, _ = step(ready(), at(6, 3, Tick()))
    _, followed = step(site, at(9, 4, Tick()))
    assert [type(event.body) for event in followed] == [Tick]


def test_lost_outcome_is_asked_for_again_after_a_minute():
    """A command whose outcome never comes does not block the next for ever."""
    site, _ = step(ready(), at(6, 3, Tick()))
    for second in (10, 30, 50, 62):
        read = at(site.seq + 1, second, ChargerRead("bike", False, 0.0), "shed")
        site, followed = step(fold(site, [read]), at(site.seq + 2, second, Tick()))
        assert CommandIssued not in [type(event.body) for event in followed]
    read = at(site.seq + 1, 64, ChargerRead("bike", False, 0.0), "shed")
    _, followed = step(fold(site, [read]), at(site.seq + 2, 64, Tick()))
    assert CommandIssued in [type(event.body) for event in followed]


def test_lease_that_the_plug_cannot_keep_is_asked_for_every_90_s_and_no_more():
    """It switches on and refuses its timer: told again after 10 s, then every 90 s, however often it is read."""
    site, seconds = ready(), []
    for second in range(3, 303, 5):
        site, followed = step(site, at(site.seq + 1, second, Tick()))
        for event in followed:
            if isinstance(event.body, CommandIssued):
                seconds.append(second)
                failed = CommandFailed(event.seq, "unexpected-answer", "no timer", 10)
                read = ChargerRead("bike", True, 100.0)
                site = fold(site, [at(site.seq + 1, second, failed, "shed"), at(site.seq + 2, second, read, "shed")])
    assert seconds == [3, 13, 103, 193, 283]


def test_what_comes_due_wakes_the_daemon():
    """A request with an end, and nothing else: the daemon is to look again at that time."""
    until = fold(ready(), [at(6, 3, ModeSet("bike", "fast", "anna", until_ms=600_000))])
    closed = close(until, at(7, 3, Tick()))
    assert closed.wake_ms is not None
    assert closed.wake_ms - closed.site.t_ms <= 597_000
    assert "shed" in closed.near


def test_log_order_and_step_order_give_the_same_state():
    """Folding what was recorded gives the state that deciding gave."""
    site, followed = step(ready(), at(6, 3, Tick()))
    assert fold(ready(), followed) == site


def test_a_charge_on_sun_outlives_a_restart_in_which_the_charger_answers_before_the_meter():
    """Until every device was heard it goes on as it is; once the meter has failed, it is paused."""
    rod = consumer(start_delay_s=0, on_above_w=1000)
    conf = home(evse(), rod)
    said = (("shed", DeviceAdded("simulated", accepts=("SetEnabled",))), ("shed", ChargerRead("rod", True, 1500.0)))
    site = then(
        believed(conf, ("garage-box", evse_read(10.0)), ("home", grid_read(-2000)), *said), 1, ("engine", Tick())
    )
    site = then(site, 60, ("daemon", DaemonStarted("1", "6", "boot")), ("daemon", ConfigLoaded(conf)))
    site = then(site, 61, ("garage-box", evse_read(10.0)), ("shed", ChargerRead("rod", True, 1500.0)))

    def decided(site: Site, name: str) -> tuple[str, bool | None]:
        decision, granted = judge(case_of(site, name, clock(61), clock(61)), policy_of(site, name))
        return decision.reason.code, granted.grant.enabled

    assert [decided(site, name) for name in ("garage", "rod")] == [("observing", True), ("observing", True)]
    gone = then(site, 61, ("home", ReadFailed("unreachable", "no answer")))
    assert [decided(gone, name) for name in ("garage", "rod")] == [("sun-unknown", False), ("sun-unknown", False)]
