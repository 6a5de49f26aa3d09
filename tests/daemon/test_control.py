"""The control server serves everybody, believes nobody, and never holds the main loop up."""

import os
import resource
import socket
import threading
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from statistics import median
from time import monotonic, process_time

import pytest
from msgspec import structs

from chargerd.daemon.connection import Patience
from chargerd.daemon.control import MAX_CLIENTS, ControlServer
from chargerd.model.events import ChargerRead, ModeSet
from chargerd.policies import POLICIES
from chargerd.protocol.framing import CallError
from tests.daemon.hub import Client, Household, descriptors, serving
from tests.house import RAD, Day, configuration, loadpoint
from tests.patience import WAIT_S, until

CHANGED = {"text": "bike-1: fast.", "changed": True, "commands": [], "notes": [], "seq": 7}
FAST = {"name": "bike-1", "mode": "fast"}


@pytest.fixture
def hub(tmp_path):
    """A strip with two bikes, three minutes after midnight."""
    day = Day(
        tmp_path, configuration(loadpoint("bike-1"), loadpoint("bike-2", RAD)), {"bike-1": "rad-full", "bike-2": "dead"}
    )
    day.until(180)
    yield Household(day)
    day.run.kill()


@pytest.fixture
def folder(tmp_path):
    """Where the sockets are."""
    path = tmp_path / "run"
    path.mkdir()
    return path


# Who may do what


def test_monitor_socket_takes_no_changes(folder, hub):
    """A change that is asked on the socket for everybody is refused, and never reaches the main loop."""
    with serving(folder, hub), Client(folder, "monitor") as client:
        for method in (
            "SetMode",
            "SetTarget",
            "SetSetting",
            "Hold",
            "Release",
            "AddSchedule",
            "ReadDevice",
            "CheckConfiguration",
            "Discover",
            "TryPlug",
            "RecordDevice",
            "TestDevice",
            "DraftConfiguration",
        ):
            assert client.error(method) == "NotPermitted"
    assert hub.submitted == []
    assert hub.searches == []


def test_who_asked_is_read_from_the_socket(folder, hub):
    """The user's name and uid come from the kernel, not from the message."""
    import pwd

    hub.answer = lambda _request: CHANGED
    with serving(folder, hub), Client(folder, "control") as client:
        client.ask("SetMode", FAST)
    ((request, _),) = hub.submitted
    assert (request.uid, request.by) == (os.getuid(), pwd.getpwuid(os.getuid()).pw_name)


# Answers


def test_status_is_answered_on_both_sockets(folder, hub):
    """Whoever may change things may look as well."""
    with serving(folder, hub):
        for name in ("monitor", "control"):
            with Client(folder, name) as client:
                assert [point["name"] for point in client.ask("GetStatus")["loadpoints"]] == ["bike-1", "bike-2"]


def test_status_tells_what_the_daemon_holds_in_memory(folder, hub):
    """S2-54: the process' own size as the kernel counts it; growing by 50 MiB shows."""
    with serving(folder, hub), Client(folder) as client:
        before_mib = client.ask("GetStatus")["memory_mib"]
        ballast = bytes(range(256)) * (50 << 12)
        after_mib = client.ask("GetStatus")["memory_mib"]
    assert len(ballast) == 50 << 20
    assert 45 < after_mib - before_mib < 60


def test_questions_on_one_connection_are_answered_in_their_order(folder, hub):
    """Requests may be sent without waiting; answers come one by one and in order, slow ones included."""
    with serving(folder, hub), Client(folder) as client:
        for method in ("GetLog", "GetStatus", "GetSessions", "GetSchedule"):
            client.send(method)
        kinds = [client.receive()["parameters"]["kind"] for _ in range(4)]
    assert kinds == ["log", "status", "sessions", "schedule-list"]


def test_question_about_the_past_keeps_nobody_waiting(folder, hub, monkeypatch):
    """The log is read on a thread of its own: whoever asks about now is answered while it is read."""
    read = threading.Event()
    open_log = hub.log_reader

    def slow():
        assert threading.current_thread().name.startswith("chargerd-history")
        assert read.wait(60)
        return open_log()

    monkeypatch.setattr(hub, "log_reader", slow)
    with serving(folder, hub), Client(folder) as historian, Client(folder) as other:
        historian.send("GetWhy", {"name": "bike-1", "at": "00:02"})
        assert other.ask("GetWhy", {"name": "bike-1"})["at"] is None
        assert other.ask("GetStatus")["kind"] == "status"
        read.set()
        assert historian.receive()["parameters"]["at"] == "2024-03-03T23:02:00Z"
        assert historian.error("GetStatus", {"at": "yesterday"}) == "BadValue"


def test_a_long_why_keeps_no_stop_waiting(folder, hub, monkeypatch):
    """What would change a decision is searched on a thread of its own: a stop that is asked meanwhile is done at once."""
    thought, decide = threading.Event(), POLICIES["threshold"]

    def slow(view, memory):
        assert threading.current_thread().name.startswith("chargerd-why")
        assert thought.wait(60)
        return decide(view, memory)

    hub.answer = lambda _request: CHANGED
    with serving(folder, hub), Client(folder) as asker, Client(folder, "control") as other:
        monkeypatch.setitem(POLICIES, "threshold", slow)
        asker.send("GetWhy", {"name": "bike-1"})
        assert other.ask("SetMode", {"name": "bike-1", "mode": "off"})["kind"] == "change"
        assert other.ask("GetStatus")["kind"] == "status"
        thought.set()
        assert asker.receive()["parameters"]["kind"] == "why"
    assert hub.reported == []


def test_client_with_many_questions_lets_others_have_their_turn(folder, hub):
    """Hundreds of questions sent at one go are all answered, and another client's one does not wait for them."""
    with serving(folder, hub), Client(folder) as eager, Client(folder) as other:
        for _ in range(300):
            eager.send("Complete", {"what": "loadpoints"})
        assert other.ask("GetStatus")["kind"] == "status"
        assert [eager.receive()["parameters"]["names"] for _ in range(300)] == [["bike-1", "bike-2"]] * 300


def test_client_that_has_said_all_still_gets_its_answer(folder, hub):
    """Closing one's own side after the question, as shell tools do, does not lose the answer."""
    with serving(folder, hub), Client(folder) as client:
        client.send("GetLog")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.receive()["parameters"]["kind"] == "log"
        assert client.receive() is None


def test_change_is_answered_when_the_main_loop_has_done_it(folder, hub):
    """The reply to a change waits for the main loop, and carries what it said, stamped with the time."""
    with serving(folder, hub), Client(folder, "control") as client:
        client.send("SetMode", {**FAST, "request": "abc"})
        until(lambda: hub.submitted)
        request, reply = hub.submitted[0]
        assert request.parameters == {
            **FAST,
            "from_pct": None,
            "until": None,
            "dry_run": None,
            "request": "abc",
            "zone": None,
        }
        reply.set_result(CHANGED)
        answer = client.receive()["parameters"]
    assert (answer["text"], answer["seq"], answer["kind"]) == ("bike-1: fast.", 7, "change")
    assert answer["now"] == "2024-03-03T23:03:00Z"
    assert answer["now_local"] == "2024-03-04T00:03:00+01:00"


def test_refusal_of_the_main_loop_reaches_the_asker(folder, hub):
    """An error from the main loop arrives with its three texts."""

    def refuse(_request):
        raise CallError("NotRecorded", "the log is full", "nothing changed", "make room")

    hub.answer = refuse
    with serving(folder, hub), Client(folder, "control") as client:
        client.send("SetMode", FAST)
        reply = client.receive()
    assert reply["error"] == "io.chargerd.NotRecorded"
    assert reply["parameters"] == {"message": "the log is full", "means": "nothing changed", "hint": "make room"}


def test_main_loop_that_does_not_come_is_busy_and_the_change_is_called_off(folder, hub):
    """After the time for an answer the asker is told, and a change that was not begun is never done."""
    with serving(folder, hub, Patience(answer_s=0.1)), Client(folder, "control") as client:
        assert client.error("SetMode", FAST) == "Busy"
        assert hub.submitted[0][1].cancelled()
        assert client.ask("GetStatus")["kind"] == "status"


def test_change_that_was_begun_may_still_be_done(folder, hub):
    """If the main loop has taken it up, the text does not promise that nothing happens."""
    running: Future = Future()
    running.set_running_or_notify_cancel()
    hub.submit = lambda _request: running
    with serving(folder, hub, Patience(answer_s=0.1)), Client(folder, "control") as client:
        client.send("SetMode", FAST)
        assert "may still be done" in client.receive()["parameters"]["means"]
        running.set_result(CHANGED)
        assert client.ask("GetStatus")["kind"] == "status"


def test_time_zone_of_the_asker(folder, hub):
    """Times are shown in the zone that was asked for; one that does not exist is refused before anything is done."""
    with serving(folder, hub), Client(folder, "control") as client:
        assert client.ask("GetStatus", {"zone": "America/New_York"})["now_local"] == "2024-03-03T18:03:00-05:00"
        for zone in ("Mars/Olympus", "../../etc/passwd", "", "\0"):
            assert client.error("SetMode", {**FAST, "zone": zone}) == "InvalidParameter"
    assert hub.submitted == []


def test_mistake_of_ours_is_reported_and_costs_one_answer(folder, hub):
    """An exception in an answer goes to the journal; the connection and everybody else go on."""
    right = hub.now_ms
    with serving(folder, hub), Client(folder) as client:

        def broken():
            raise ZeroDivisionError("a mistake")

        hub.now_ms = broken
        assert client.error("GetStatus") == "Failed"
        hub.now_ms = right
        assert client.ask("GetStatus")["kind"] == "status"
    assert [str(error) for error in hub.reported] == ["a mistake"]


def test_log_that_cannot_be_read_is_said(folder, hub, tmp_path):
    """A log that is gone is an answer, not a crash."""
    hub.day.path = tmp_path / "gone.db"
    with serving(folder, hub), Client(folder) as client:
        assert client.error("GetLog") == "Failed"
        assert client.ask("GetStatus")["kind"] == "status"
    assert hub.reported == []


# Followers


def test_watcher_is_told_of_every_loadpoint_and_then_of_changes(folder, hub):
    """The first replies are the present state; a person's change follows as it happens."""
    with serving(folder, hub) as server, Client(folder) as client:
        client.send("Watch", {}, more=True)
        first = [client.receive() for _ in range(2)]
        assert [reply["parameters"]["loadpoint"]["name"] for reply in first] == ["bike-1", "bike-2"]
        assert all(reply["continues"] for reply in first)
        seen = len(hub.day.events)
        hub.day.charge("bike-1")
        server.publish(hub.day.events[seen:], hub.site())
        reply = client.receive()["parameters"]
    assert (reply["loadpoint"]["name"], reply["loadpoint"]["mode"]) == ("bike-1", "fast")
    assert "fast by anna" in [change["text"] for change in reply["changes"]]


def test_log_follower_misses_nothing_and_sees_nothing_twice(folder, hub):
    """Rows before the question, rows written while it is answered, rows after: each event once."""
    with serving(folder, hub) as server, Client(folder) as client:
        client.send("GetLog", {"follow": True, "lines": 1000, "types": ["mode"]}, more=True)
        for number in range(20):
            seen = len(hub.day.events)
            hub.day.run.ask(ModeSet("bike-2", "fast" if number % 2 else "off", "ben"), by="ben")
            server.publish(hub.day.events[seen:], hub.site())
        expected = [event.seq for event in hub.day.events if isinstance(event.body, ModeSet)]
        seqs: list[int] = []
        while len(seqs) < len(expected):
            seqs += [entry["seq"] for entry in client.receive()["parameters"]["entries"]]
    assert seqs == expected


def test_streams_want_more(folder, hub):
    """Varlink's own error answers a stream that was asked for without more."""
    with serving(folder, hub), Client(folder) as client:
        assert client.error("Watch") == "ExpectedMore"
        assert client.error("GetLog", {"follow": True}) == "ExpectedMore"
        assert client.error("Watch", {"names": ["nobody"]}, more=True) == "NoSuchLoadpoint"
        assert client.ask("GetStatus")["kind"] == "status"


def test_refused_question_about_the_past_ends_its_stream(folder, hub):
    """After an error the connection can be used for other questions."""
    with serving(folder, hub), Client(folder) as client:
        assert client.error("GetLog", {"follow": True, "since": "soon"}, more=True) == "BadValue"
        assert client.ask("GetStatus")["kind"] == "status"


# Bad clients


@pytest.mark.parametrize(
    "noise",
    [b"\0", b"{\0", b"[]\0", b"\xff\xff\0", b'{"method":5}\0', b"{}\0", b"[" * 50_000 + b"\0", b"GET / HTTP/1.1\r\n\0"],
)
def test_noise_is_answered_and_hung_up_on(folder, hub, noise):
    """Bytes that are no request get an error and the end of the connection; others are served on."""
    with serving(folder, hub), Client(folder) as other, Client(folder) as client:
        client.socket.sendall(noise)
        assert client.receive()["error"] == "io.chargerd.BadMessage"
        assert client.receive() is None
        assert other.ask("GetStatus")["kind"] == "status"


def test_ten_megabytes_without_an_end_are_cut_off(folder, hub):
    """A request without end is refused at its limit; the rest is not even read."""
    with serving(folder, hub), Client(folder) as client:
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            client.socket.sendall(b"x" * 10_000_000)
        assert client.receive()["error"] == "io.chargerd.BadMessage"


@pytest.mark.parametrize(
    ("method", "parameters", "error"),
    [
        ("Reboot", {}, "MethodNotFound"),
        ("org.example.GetStatus", {}, "MethodNotFound"),
        ("GetStatus", {"names": "bike-1"}, "InvalidParameter"),
        ("GetStatus", {"colour": "red"}, "InvalidParameter"),
        ("GetStatus", ["bike-1"], "InvalidParameter"),
        ("GetStatus", {"names": ["nobody"]}, "NoSuchLoadpoint"),
        ("GetLog", {"lines": -1}, "BadValue"),
        ("GetLog", {"lines": 10**30}, ""),
        ("GetLog", {"seq": 10**30}, "BadValue"),
        ("GetLog", {"types": ["nonsense"]}, "BadValue"),
        ("GetSessions", {"lines": 0}, "BadValue"),
        ("Complete", {"what": "passwords"}, "BadValue"),
    ],
)
def test_wrong_question_gets_an_error_and_the_connection_goes_on(folder, hub, method, parameters, error):
    """Unknown methods, wrong types and impossible numbers are answered, and the next question too."""
    with serving(folder, hub), Client(folder) as client:
        if error:
            assert client.error(method, parameters) == error
        else:
            client.ask(method, parameters)
        assert client.ask("GetStatus")["kind"] == "status"
    assert hub.reported == []


def keep_asking(client: Client) -> None:
    """Ask and ask, and take no answer."""
    for _ in range(100_000):
        client.send("GetProfiles")


def drip(client: Client) -> None:
    """One byte of a message after the other, for eight seconds at most."""
    end_s = monotonic() + 8
    while monotonic() < end_s:
        client.socket.sendall(b"x")
        threading.Event().wait(0.05)


def test_half_a_message_is_hung_up_on(folder, hub):
    """Whoever begins a message and does not end it is dropped after its time; who is merely silent is not."""
    with serving(folder, hub, Patience(half_message_s=0.1)), Client(folder) as silent, Client(folder) as client:
        client.socket.sendall(b'{"method":')
        assert client.receive() is None
        assert silent.ask("GetStatus")["kind"] == "status"


def test_dripping_does_not_buy_time(folder, hub):
    """One byte at a time does not put the end of the time for a message off."""
    with (
        serving(folder, hub, Patience(half_message_s=0.5)),
        Client(folder) as client,
        pytest.raises((BrokenPipeError, ConnectionResetError)),
    ):
        drip(client)


def test_silent_client_is_let_go_at_last(folder, hub):
    """A connection that is not used is closed."""
    with serving(folder, hub, Patience(idle_s=0.1)), Client(folder) as client:
        assert client.receive() is None


def test_client_that_never_reads_is_dropped_and_nobody_waits(folder, hub):
    """Questions whose answers nobody takes cost bounded memory; others are answered meanwhile."""
    with serving(folder, hub, Patience(write_s=0.3)) as server, Client(folder) as client, Client(folder) as other:
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            keep_asking(client)
        assert other.ask("GetStatus")["kind"] == "status"
        assert server.publish([], hub.site()) is None


def test_follower_that_never_reads_does_not_hold_the_main_loop(folder, hub):
    """Publishing takes no time worth naming, whatever followers do; the one that does not read is dropped."""
    with serving(folder, hub) as server, Client(folder) as deaf, Client(folder) as other:
        deaf.send("GetLog", {"follow": True, "all": True, "lines": 1}, more=True)
        assert deaf.receive() is not None
        reading = next(event for event in hub.day.events if isinstance(event.body, ChargerRead))
        site = hub.site()
        took_s = []
        for begin in range(site.seq + 1, site.seq + 8001, 100):
            events = [structs.replace(reading, seq=seq) for seq in range(begin, begin + 100)]
            begun_s = monotonic()
            server.publish(events, site)
            took_s.append(monotonic() - begun_s)
            assert other.ask("GetStatus")["kind"] == "status"
        assert median(took_s) < 0.05  # one that waits for a follower would wait each time
        until(lambda: _hung_up(deaf))


def _hung_up(client: Client) -> bool:
    """Whether the server has closed its end; asked without reading what it had sent before."""
    try:
        client.socket.send(b"\0", socket.MSG_DONTWAIT)
    except (BrokenPipeError, ConnectionResetError):
        return True
    except BlockingIOError:
        return False
    return False


def test_five_hundred_connections(folder, hub):
    """Five hundred at once: two hundred are served, the rest are told and hung up on, and later there is room again."""
    before = descriptors()
    with serving(folder, hub):
        with ExitStack() as stack:
            clients = [stack.enter_context(Client(folder)) for _ in range(500)]
            refused = [reply for client in clients[MAX_CLIENTS:] if (reply := client.receive()) is not None]
            assert [reply["error"] for reply in refused] == ["io.chargerd.Busy"] * 300
            assert [clients[number].ask("GetStatus")["kind"] for number in (0, 100, 199)] == ["status"] * 3
        with Client(folder) as late:
            until(lambda: late.ask("GetStatus")["kind"] == "status")
    assert descriptors() <= before + 1


def test_descriptors_used_up_turn_newcomers_away_without_spinning(folder, hub):
    """When the process may open no more files, newcomers are hung up on, the others are served, and nothing spins."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with serving(folder, hub), Client(folder) as known:
        known.ask("GetStatus")
        waiting = socket.socket(socket.AF_UNIX)
        waiting.settimeout(WAIT_S)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(int(name) for name in os.listdir("/proc/self/fd")) + 1, hard))
        held: list[int] = []
        try:
            with suppress(OSError):
                while True:
                    held.append(os.dup(0))
            waiting.connect(str(folder / "monitor"))
            assert waiting.recv(10) == b""
            before_s = process_time()
            threading.Event().wait(0.3)
            assert process_time() - before_s < 0.1
            assert known.ask("Complete", {"what": "loadpoints"})["names"] == ["bike-1", "bike-2"]
        finally:
            for number in held:
                os.close(number)
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            waiting.close()
        with Client(folder) as late:
            assert late.ask("GetStatus")["kind"] == "status"


def test_many_at_once_are_all_answered(folder, hub):
    """Fifty clients asking at the same time each get their own answer."""
    answers: list[str] = []

    def ask(number: int) -> None:
        with Client(folder) as client:
            for _ in range(5):
                answers.append(client.ask("GetStatus", {"names": [f"bike-{number % 2 + 1}"]})["loadpoints"][0]["name"])

    with serving(folder, hub):
        threads = [threading.Thread(target=ask, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert sorted(answers) == ["bike-1"] * 125 + ["bike-2"] * 125


def test_client_that_leaves_before_its_answer_is_forgotten(folder, hub):
    """A change goes on without its asker; its late answer goes nowhere."""
    with serving(folder, hub):
        with Client(folder, "control") as client:
            client.send("SetMode", FAST)
            until(lambda: hub.submitted)
        hub.submitted[0][1].set_result(CHANGED)
        with Client(folder) as other:
            assert other.ask("GetStatus")["kind"] == "status"
    assert hub.reported == []


# The end


def test_stopping_twice_and_unstarted_is_harmless(folder, hub):
    """Stop may be called whenever somebody thinks it is needed."""
    server = ControlServer(folder, None, hub)
    server.stop()
    with serving(folder, hub) as served:
        served.stop()
        served.stop()
        served.publish([], hub.site())
