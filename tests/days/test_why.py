"""A charge that was cut off yesterday: why, asked today about every part of it."""

from __future__ import annotations

from chargerd.daemon.answers import answer
from chargerd.model.events import Decided
from tests.daemon.hub import complete, context
from tests.house import Day, configuration, loadpoint

DAY = 86_400


def test_why_tells_yesterdays_charge_from_its_beginning_to_after_its_end(tmp_path):
    """Before, during, while the cut-off was confirmed, at it and after it: the sentence of then, in the past tense."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-full"})
    day.until(8 * 3600)
    day.charge("bike")
    day.until(DAY + 12 * 3600)
    (ended,) = [event for event in day.all(Decided) if event.body.outcome is not None]
    end_s = (ended.at_ms - day.events[0].at_ms) // 1000

    def why(second: float) -> dict:
        at = f"-{DAY + 12 * 3600 - second:g}s"
        return answer("GetWhy", complete("GetWhy", name="bike", at=at), context(day))

    before, during, confirming = why(7 * 3600), why(8 * 3600 + 900), why(end_s - 5)
    at_once, after = why(end_s), why(end_s + 3600)
    assert before["text"] == "bike was off yesterday at 07:00 (since yesterday 00:00) because its mode was off."
    assert during["text"].startswith(
        "bike was charging yesterday at 08:15 (since yesterday 08:00) because it drew 103 W"
    )
    assert during["loadpoint"]["read_age_s"] < 31
    assert "below 90 W for" in confirming["text"]
    assert confirming["loadpoint"]["word"] == "charging"
    (soon,) = [change for change in confirming["changes"] if change["input"] == "time"]
    assert (soon["outcome"], soon["held_s"] <= 10) == ("finished", True)
    for reply in (at_once, after):
        assert reply["text"].startswith("bike was finished yesterday at ")
        assert "because it had been below 90 W for 40 s" in reply["text"]
        assert reply["seq"] >= ended.seq
    assert at_once["seq"] in range(ended.seq, ended.seq + 30)
    told = {line["label"]: line["text"] for line in at_once["lines"]}
    assert told["Last session"].endswith("reached its target")
    assert told["Would change if"].startswith("mode becomes fast")
    day.run.kill()


def test_why_has_an_answer_for_every_quarter_of_an_hour(tmp_path):
    """A day with a charge: no moment of it is without a sentence, a reason and an event."""
    day = Day(tmp_path, configuration(loadpoint("bike")), {"bike": "rad-nominal"})
    day.until(3600)
    day.charge("bike")
    day.until(DAY / 2)
    for quarter in range(48):
        at = f"{quarter // 4:02}:{quarter % 4 * 15:02}"
        reply = answer("GetWhy", complete("GetWhy", name="bike", at=at), context(day))
        assert reply["text"].startswith("bike was ")
        assert f" at {at} " in reply["text"]
        assert reply["loadpoint"]["reason"] is not None
        assert reply["seq"] is not None or quarter == 0
    day.run.kill()
