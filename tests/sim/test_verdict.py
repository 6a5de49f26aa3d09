"""Verdict: what a person reads of a check, letter by letter."""

from __future__ import annotations

from chargerd.engine import VERSION
from chargerd.sim.chain import Damaged
from chargerd.sim.checks import Differing, Misfit, Report
from chargerd.sim.verdict import bundle_lines, fields, lines, number

NOON_MS = 1_778_493_600_000  # 2026-05-11 12:00 in Berlin
SOUND = Report(
    "/var/lib/chargerd/log.db",
    timezone="Europe/Berlin",
    last_seq=4_802_113,
    since_ms=NOON_MS - 86_400_000,
    until_ms=NOON_MS,
    replayed=[(1, 4_802_113)],
    running="equal",
    running_seq=4_802_113,
    commands=9120,
    commands_explained=9120,
    decisions=31_222,
    decisions_explained=31_222,
    snapshots=8,
    newest_snapshot_ms=NOON_MS - 240_000,
    sessions=312,
)


def with_(**changes: object) -> Report:
    return Report(**{**{name: getattr(SOUND, name) for name in Report.__struct_fields__}, **changes})


def said(report: Report) -> str:
    return "\n".join(lines(report, thin=" "))


def test_thousands_stand_apart_by_a_thin_space():
    """The narrow one that does not break, where the output can show it."""
    assert number(4_802_113) == "4\u202f802\u202f113"
    assert lines(SOUND)[0].startswith("Log      4\u202f802\u202f113 events")


def test_a_sound_log_in_five_lines():
    """As the design's picture of it."""
    assert said(SOUND) == (
        "Log      4 802 113 events since 2026-05-10, chain intact\n"
        "Replay   state equal to the running one\n"
        "Explains 9 120 commands and 31 222 decisions\n"
        "Sessions 312, as replay gives them\n"
        "Snapshot newest 4 min before the newest event"
    )


def test_without_a_daemon_the_reason_is_said_and_how_the_log_ends():
    """A log that just stops may have lost what lay beside it."""
    text = said(with_(running="no chargerd runs at /run/chargerd", orderly=False, newest_snapshot_ms=None, snapshots=0))
    assert text.splitlines()[1:4] == [
        "  It ends at 2026-05-11 12:00:00 without an orderly end of chargerd. If that is too early, its newest events may be in a",
        "  file log.db-wal beside it that was left behind.",
        "Replay   no snapshot to compare with; not compared with a running one: no chargerd runs at /run/chargerd",
    ]
    assert text.endswith("Snapshot none yet")


def test_damage_says_where_what_is_lost_what_holds_and_what_to_do():
    """One place in the middle, one to the end of the file."""
    places = [
        Damaged(41, 44, "the digest does not match", NOON_MS - 60_000, NOON_MS, 0, 1, 0),
        Damaged(900, None, "database disk image is malformed", NOON_MS, None, None, 0, 2),
    ]
    text = said(with_(damaged=places, replayed=[(1, 40)], running="replay does not get past the damage", last_seq=899))
    assert text.splitlines()[:8] == [
        "Log      899 events since 2026-05-10, damaged in 2 places",
        "  Bad    events 41 to 44 (after 2026-05-11 11:59:00 and before 2026-05-11 12:00:00): the digest does not match",
        "  Lost   no event gone, but they are not to be trusted; among what can be read there: 1 command and 0 requests",
        "  Bad    from event 900 on, to the end of the file (after 2026-05-11 12:00:00): database disk image is malformed",
        "  Lost   how many events cannot be told; among what can be read there: 0 commands and 2 requests",
        "  Holds  the 40 events before it are as they were written",
        "  Do     keep this file; go back to a copy that verifies, or let chargerd begin a new log: docs/log.md",
        "Replay   of events 1 to 40: state equal to 8 snapshots; not compared with a running one: "
        "replay does not get past the damage",
    ]
    middle = said(with_(damaged=places[:1], replayed=[(1, 40), (101, 899)], last_seq=899))
    assert "the 40 events before it are as they were written; the 855 after it hold together" in middle
    assert "of events 1 to 40 and 101 to 899: state equal to the running one" in middle


def test_a_running_state_that_differs_says_what_that_means_and_what_to_do():
    """Charging goes on by what chargerd believes."""
    assert said(with_(running="differs", running_seq=4712)).splitlines()[1:4] == [
        "Replay   state differs from the running one after event 4 712",
        "  What chargerd believes is not what this log says. Charging goes on by what it believes.",
        "  Do     sudo systemctl restart chargerd; it then begins with what the log says",
    ]


def test_differences_say_whether_another_version_explains_them():
    """One that it does, one that nothing does, and how many more."""
    seen = [
        Differing(2_200_187, NOON_MS, "Decided {}", None, "0.0.9", "0", True),
        Differing(2_200_190, NOON_MS, None, "CommandIssued {}", "0.1.0", "1", False),
    ]
    text = said(with_(commands_explained=9118, differing=seen, explained=1, unexplained=22))
    assert text.splitlines()[2:8] == [
        "Explains 9 118 of 9 120 commands and 31 222 decisions; these differ:",
        f"  event 2 200 187 at 2026-05-11 12:00:00: decided by chargerd 0.0.9, engine 0; this is 0.1.0, engine {VERSION}: "
        "other rules, no damage   chargerctl log --seq 2200187",
        "  event 2 200 190 at 2026-05-11 12:00:00: these very rules decide otherwise: the log, or chargerd, is wrong there"
        "   chargerctl log --seq 2200190",
        "    recorded  nothing",
        "    decided   CommandIssued {}",
        "  … and 21 more transactions",
    ]


def test_derived_tables_that_are_wrong_lose_nothing():
    """Sessions and snapshots are made from the events; each wrong row is named."""
    text = said(with_(sessions_wrong=[Misfit(7, "is missing")], snapshots_wrong=[Misfit(5000, "cannot be read")]))
    assert text.splitlines()[3:] == [
        "Sessions 312 by replay; the table of sessions is wrong:",
        "  7: is missing",
        "  Lost   nothing: the table is made from the events, which hold",
        "Snapshot newest 4 min before the newest event",
        "  after event 5 000: cannot be read",
        "  Lost   nothing: a start without it takes longer",
        "  Do     sudo systemctl stop chargerd; then the same command with --repair makes them again",
    ]
    wrong = with_(snapshots_wrong=[Misfit(1, "x")], running="no chargerd runs")
    assert "Replay   state differs from 1 of 8 snapshots; not compared" in said(wrong)


def test_a_log_without_events_was_copied_without_its_other_half():
    """Nothing else can be said of it."""
    empty = Report("log.db")
    assert not empty.sound
    assert "without log.db-wal" in said(empty)
    assert len(lines(empty)) == 3


def test_a_bundle_in_three_lines():
    """As packed, replayed to the same end, explained; another end or other rules are said."""
    assert "\n".join(bundle_lines(with_(first_seq=4_800_000), thin=" ")) == (
        "Bundle   2 114 events from 2026-05-10 on, as they were packed\n"
        "Replay   the state at its end is the one it was made with\n"
        "Explains 9 120 commands and 31 222 decisions"
    )
    assert "another than the one" in bundle_lines(with_(running="differs"))[1]
    assert bundle_lines(with_(running="other rules"))[1].endswith("not compared at its end: other rules")


def test_programs_get_null_where_nothing_is_known():
    """running is true, false or null; times are UTC."""
    assert fields(SOUND)["running"] is True
    assert fields(with_(running="differs"))["running"] is False
    assert fields(with_(running="none"))["running"] is None
    assert fields(SOUND)["until"] == "2026-05-11T10:00:00Z"
    assert fields(Report("x"))["since"] is None


def test_what_was_made_again_is_named():
    """Sessions and snapshots by number, the first twenty of many; and why nothing was."""
    made = with_(repair="done", sessions_repaired=[4, 9], snapshots_repaired=[5000])
    assert (
        said(made).splitlines()[-1] == "Repaired session 4, 9 and snapshot after event 5000: made again from the events"
    )
    many = with_(repair="done", sessions_repaired=list(range(1, 24)))
    assert said(many).splitlines()[-1].endswith("19, 20 and 3 more: made again from the events")
    assert said(with_(repair="no table is wrong")).splitlines()[-1] == "Repaired nothing: no table is wrong"


def test_a_session_that_nothing_can_make_again_is_no_reason_to_repair():
    """Its readings were given up: what is lost is said, and no help is promised."""
    text = said(with_(sessions_wrong=[Misfit(7, "cannot be read", lost=True)]))
    assert "  Lost   what 1 of them took; readings of that time were given up, so nothing can tell" in text
    assert "--repair" not in text


def test_the_age_of_a_snapshot_is_told_on_the_clock_of_its_log():
    """A demo's clock, or a copied log's, is not this machine's: the log of last year ends a minute after its snapshot."""
    year_ms = 365 * 86_400_000
    old = with_(until_ms=NOON_MS - year_ms, newest_snapshot_ms=NOON_MS - year_ms - 60_000)
    assert said(old).splitlines()[-1] == "Snapshot newest 60 s before the newest event"
    assert said(with_(newest_snapshot_ms=NOON_MS + 1)).splitlines()[-1] == "Snapshot newest of 2026-05-11 12:00:00"
