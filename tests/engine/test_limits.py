"""Limits: the last word on every wish, each with its reason."""

from __future__ import annotations

from msgspec import structs

from chargerd.engine.limits import Case, grant, speaking
from chargerd.model.decision import Decision
from chargerd.model.events import Reason, SetPoint
from chargerd.model.settings import Window
from chargerd.model.state import Charger, Device, Hold, Loadpoint, Session, Site
from tests.house import configuration, loadpoint

WISH_ON = Decision(SetPoint(enabled=True), Reason("switching-on"), {})
WISH_OFF = Decision(SetPoint(enabled=False), Reason("mode-off"), {})
T = 100_000_000


def session(**more) -> Session:
    """A session an hour old."""
    fields = {"number": 5, "loadpoint": "bike", "profile": "rad", "target": "nominal", "stop_w": 90.0, "near_w": 110.0}
    return Session(**{**fields, "by": "anna", "started_at_ms": 0, "started_t_ms": 0, "limit_w": 205.0, **more})


def charger(enabled: bool, age_s: float = 5, since_s: float = 3600, **more) -> Charger:
    """A charger read a moment ago that has been on or off for an hour."""
    power = 103.0 if enabled else 0.0
    read = Charger(
        10, 0, T - round(age_s * 1000), enabled, power, None, None, None, None, None, T - round(since_s * 1000)
    )
    return structs.replace(read, **more)


def case(charger: Charger | None, *, settings=None, started=True, session=session(), device=None, **site) -> Case:  # noqa: B008
    """A moment in the life of a loadpoint."""
    settings = settings or loadpoint("bike")
    conf = configuration(settings)
    device = device or Device(heard=True, reachable=True, lease="unproven")
    whole = structs.replace(Site(configuration=conf, devices={"shed": device}, run_seq=3), **site)
    point = Loadpoint(session=session)
    return Case(T, whole, 1_700_000_000_000, settings, conf.devices["shed"], point, device, charger, started)


def test_wish_that_no_limit_minds_is_granted():
    """Nothing stands in the way."""
    granted = grant(case(charger(False)), WISH_ON)
    assert (granted.grant.enabled, granted.limit) == (True, None)


def test_stale_reading_switches_off():
    """Older than 180 s is no reading."""
    granted = grant(case(charger(True, age_s=181)), WISH_ON)
    assert (granted.grant.enabled, granted.limit.code) == (False, "stale-reading")


def test_reading_of_an_earlier_life_is_no_reading():
    """What was read before the daemon started does not allow switching on."""
    granted = grant(case(charger(False, seq=2)), WISH_ON)
    assert granted.grant.enabled is not True


def test_nothing_is_raised_before_every_device_was_heard():
    """The first thing after a start is to look."""
    granted = grant(case(charger(False), device=Device(heard=False)), WISH_ON)
    assert (granted.grant.enabled, granted.limit.code) == (None, "observing")


def test_nothing_is_raised_while_the_log_cannot_be_written():
    """What cannot be recorded is not switched on; switching off goes through."""
    assert grant(case(charger(False), recording=False), WISH_ON).limit.code == "not-recorded"
    assert grant(case(charger(True), recording=False), WISH_OFF).grant.enabled is False


def test_hold_grants_nothing_either_way():
    """Hands off means off hands."""
    for wish in (WISH_ON, WISH_OFF):
        granted = grant(case(charger(True), hold=Hold("anna", 0)), wish)
        assert (granted.grant.enabled, granted.limit.code) == (None, "held")


def test_minimum_on_time_holds_back_a_wish_that_is_not_final():
    """A policy that changes its mind waits 300 s; a person, a target reached or a limit does not."""
    just_on = charger(True, since_s=100)
    assert grant(case(just_on), WISH_OFF).limit.code == "minimum-on-time"
    assert grant(case(just_on), structs.replace(WISH_OFF, final=True)).grant.enabled is False


def test_minimum_off_time_holds_back_a_restart_but_not_the_first_start():
    """A charge that was going waits 300 s; one that is being set up does not."""
    just_off = charger(False, since_s=100)
    assert grant(case(just_off), WISH_ON).limit.code == "minimum-off-time"
    assert grant(case(just_off, started=False), WISH_ON).grant.enabled is True


def test_starts_of_a_day_are_limited():
    """Twenty in 24 hours; the one from 25 hours ago does not count."""
    hour = 3_600_000
    twenty = tuple(T - n * hour for n in range(20))
    assert grant(case(charger(False, starts=twenty)), WISH_ON).limit.code == "starts-used-up"
    nineteen = (T - 25 * hour, *twenty[:19])
    assert grant(case(charger(False, starts=nineteen)), WISH_ON).grant.enabled is True


def test_time_without_readings_counts_as_on_time():
    """A plug that is on and cannot be read is still on: seven hours end it, read or unread."""
    almost = session(on_ms=7 * 3_600_000 - 60_000)
    granted = grant(case(charger(True, age_s=61), session=almost), WISH_ON)
    assert granted.outcome == "time-limit"


def test_power_above_the_rating_must_last():
    """The inrush of a charger is not a foreign load; half a minute of it is."""
    brief, lasting = session(over_t_ms=T - 20_000), session(over_t_ms=T - 60_000)
    assert grant(case(charger(True), session=brief), WISH_ON).outcome is None
    assert grant(case(charger(True), session=lasting), WISH_ON).outcome == "power-limit"


def test_stopping_leaves_a_leased_plug_to_its_timer_and_switches_the_others_off():
    """On SIGTERM."""
    leased = grant(case(charger(True), stopping=True), WISH_ON)
    assert (leased.grant.enabled, leased.limit.code) == (None, "stopping")
    bare = grant(case(charger(True), stopping=True, device=Device(heard=True, reachable=True)), WISH_ON)
    assert (bare.grant.enabled, bare.limit.code) == (False, "stopping-off")
    left = loadpoint("bike", on_stop="leave")
    kept = grant(case(charger(True), settings=left, stopping=True, device=Device(heard=True, reachable=True)), WISH_ON)
    assert kept.grant.enabled is None


def test_a_lease_that_only_lowers_the_current_ends_nothing():
    """A KEBA that falls to 6 A charges on for ever: on SIGTERM it is told to stop, unless it is to be left."""
    falls, pauses = (Device(heard=True, reachable=True, lease="unproven", lease_current_a=amps) for amps in (6.0, 0.0))
    found = [grant(case(charger(True), stopping=True, device=device), WISH_ON) for device in (falls, pauses)]
    assert [(one.grant.enabled, one.limit.code) for one in found] == [(False, "stopping-off"), (None, "stopping")]
    left = case(charger(True), settings=loadpoint("bike", on_stop="leave"), stopping=True, device=falls)
    assert grant(left, WISH_ON).grant.enabled is None


def test_every_limit_that_speaks_is_named_the_ruling_one_first():
    """On hold, outside its hours and with a full disk: one rules, all three are in the way."""
    night = loadpoint("bike", windows=(Window(0, 1),))
    moment = case(charger(False), settings=night, hold=Hold("anna", 0), recording=False)
    assert [reason.code for reason in speaking(moment, WISH_ON)] == ["held", "outside-window", "not-recorded"]
    assert speaking(case(charger(False)), WISH_ON) == ()
