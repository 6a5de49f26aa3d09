"""Whatever is asked, it becomes facts that can be folded in, or a refusal."""

from hypothesis import given
from hypothesis import strategies as st

from chargerd.daemon.requests import facts_for
from chargerd.engine.evolve import fold
from chargerd.model.events import ConfigLoaded, Event
from chargerd.model.settings import ADJUSTABLE, ScheduleEntry
from chargerd.model.state import Site
from chargerd.protocol.framing import CallError
from chargerd.protocol.table import METHODS
from tests.daemon.hub import complete
from tests.house import MONDAY_MS, configuration, loadpoint

SATURDAY = ScheduleEntry("bike-1/sat@00:00", "bike-1", (5,), 0, target="full")


def home(*facts) -> Site:
    """A bike, and a pack that is kept at storage level, after these facts."""
    points = (loadpoint("bike-1"), loadpoint("spare", target="storage"))
    bodies = [ConfigLoaded(configuration(*points, schedule=(SATURDAY,))), *facts]
    return fold(Site(), [Event(n + 1, MONDAY_MS, n, 1, "test", body) for n, body in enumerate(bodies)])


@given(
    st.sampled_from([name for name, method in METHODS.items() if method.changes]),
    st.text(max_size=12),
    st.sampled_from(["bike-1", "spare", "nobody"]),
    st.dictionaries(
        st.sampled_from([*ADJUSTABLE["battery"], "odd"]),
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        max_size=3,
    ),
)
def test_nothing_that_is_asked_breaks_anything(method, text, name, values):
    """Whatever is written into a request, it becomes facts that can be folded in, or a refusal."""
    given_values = {
        "name": name,
        "values": values,
        "mode": text,
        "target": text,
        "days": text,
        "at": text,
        "entry": text,
        "until": text or None,
    }
    parameters = {key: value for key, value in given_values.items() if key in METHODS[method].parameters}
    try:
        asked = facts_for(method, complete(method, **parameters), home(), "anna", MONDAY_MS)
    except CallError:
        return
    assert home(*asked.facts).seq == 1 + len(asked.facts)
