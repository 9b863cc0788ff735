"""Recording from a program of one's own: what goes in, how it ends, what goes wrong."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import runreel
from runreel.model.errors import (
    BadValue,
    DatabaseUnavailable,
    RecordingError,
    RunNotFound,
    SourceConflict,
    SourceMismatch,
    UsageError,
)
from runreel.model.events import GAP, LOST
from runreel.model.messages import Author, Citation, Message, PartialMessage, UnknownSource
from runreel.model.results import (
    FunctionCall,
    RunResult,
    RunStreamEvent,
    ToolCall,
    ToolCallList,
    Usage,
)
from runreel.model.status import MessageStatus, RunStatus, StreamEvent
from runreel.recording.recorder import Recorder
from runreel.store.connection import Connection
from runreel.store.drivers.postgres.prepared import Prepared
from runreel.store.events import event_log
from tests import logs

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = ToolCallList((ToolCall("call-1", FunctionCall("add", {"n": 1, "deep": [{"π": None}]})),))


def partial(*parts: str) -> RunStreamEvent:
    return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(parts))


def done(text: str) -> RunStreamEvent:
    message = Message(
        id="msg-1",
        parts=(text,),
        thread_id="thread-1",
        created_by=None,
        created_at=datetime(2025, 4, 7, 14, 42, 57, 152722),  # noqa: DTZ001 - as in the SDK
        labels={"k": "v"},
        author=Author("asst-1", "ASSISTANT"),
        citations=(Citation((UnknownSource("elsewhere"),)),),
        status=MessageStatus.TRUNCATED,
    )
    return RunStreamEvent(StreamEvent.DONE, _message=message)


def types(reel, run_id="run-1") -> list[str | None]:
    return [event.type for event in reel.events(run_id)]


# -- What goes in ----------------------------------------------------------------------------------


def test_events_come_back_as_they_were_given(reel):
    given = [
        partial("Hel"),
        partial("Hello", "wor\0ld"),
        partial(),
        RunStreamEvent(StreamEvent.PARTIAL_MESSAGE),
        RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=CALLS),
        RunStreamEvent(StreamEvent.UNKNOWN),
        done("Hello, world \ud83d"),
        RunStreamEvent(StreamEvent.ERROR, error="too late"),
        RunStreamEvent(StreamEvent.ERROR, error=""),
    ]
    with reel.recording("run-1") as recording:
        stored = [recording.append(event) for event in given]

    assert [event.event for event in stored] == given
    assert [event.event for event in reel.events("run-1") if event.event] == given
    assert list(reel.replay("run-1", instant=True)) == given
    assert [event for event in reel.events("run-1") if event.event] == stored


def test_what_append_answers_is_what_the_log_has(reel):
    before = datetime.now(UTC)
    with reel.recording("run-1") as recording:
        first, second = recording.append(partial("Hel")), recording.append(partial("Hello"))

    assert (first.seq, second.seq) == (1, 2)
    assert (first.text, first.added) == ("Hel", "Hel")
    assert (second.text, second.added) == ("Hello", "lo")
    assert before - timedelta(milliseconds=1) <= first.at <= second.at <= datetime.now(UTC)
    assert timedelta(0) <= first.elapsed <= second.elapsed


def test_results_states_and_answers_to_tools_move_the_run(reel):
    recording = reel.recording(
        "run-1", assistant_id="asst-1", thread_id="thread-1", model="m", labels={"team": "ads"}
    )
    recording.append(partial("Let me"))
    assert reel.run("run-1").status is RunStatus.IN_PROGRESS
    recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=CALLS))
    assert reel.run("run-1").tool_calls == CALLS
    assert recording.tool_results([{"id": "call-1", "content": "3"}]).kind == "tool_results"
    assert reel.run("run-1").status is RunStatus.IN_PROGRESS
    assert reel.run("run-1").tool_calls is None
    recording.result(RunResult(RunStatus.IN_PROGRESS, usage=Usage(1, 3, 2)))
    outcome = RunResult(RunStatus.COMPLETED, _message=PartialMessage(("3",)), usage=Usage(4, 9, 5))
    recording.result(outcome)
    recording.close()

    run = reel.run("run-1")
    assert reel.result("run-1") == outcome
    assert (run.status, run.usage, run.recording) == (RunStatus.COMPLETED, Usage(4, 9, 5), "closed")
    assert (run.assistant_id, run.thread_id, run.model) == ("asst-1", "thread-1", "m")
    assert (run.labels, run.source, run.events) == ({"team": "ads"}, "plain", 2)
    assert run.started_at <= run.finished_at
    assert run.started_at <= run.first_text_at <= run.finished_at
    assert (run.requested_at, run.first_text_ms) == (None, None)
    assert run.duration_ms >= 0
    assert reel.rebuild(check=True) == []


def test_a_recording_that_stores_nothing_leaves_no_trace(reel):
    with reel.recording("run-1", model="m"):
        pass
    with pytest.raises(RunNotFound):
        reel.run("run-1")
    assert logs.rows(reel) == []


def test_the_first_row_says_who_records_and_about_what(reel):
    with reel.recording("run-1", thread_id="thread-1", labels={"a": "b"}) as recording:
        recording.append(partial("x"))
    (opened, note), (closed, _) = logs.notes(reel, "run-1")

    assert (opened, closed) == ("opened", "closed")
    assert (note["source"], note["via"], note["pid"]) == ("plain", "program", os.getpid())
    assert (note["thread_id"], note["labels"]) == ("thread-1", {"a": "b"})


def test_offers_of_what_the_log_has_are_known(reel):
    event = {"type": "PARTIAL_MESSAGE", "text": "a", "source_index": 0}
    unnumbered = {"type": "COMPLETED", "text": "a"}
    with reel.recording("run-1") as recording:
        assert recording.offer("stream_event", event)[:2] == (1, True)
        assert recording.offer("stream_event", dict(reversed(event.items())))[:2] == (1, False)
        assert recording.offer("run", unnumbered)[:2] == (2, True)
        assert recording.offer("run", unnumbered)[:2] == (3, True), "told twice is two rows"
    with reel.recording("run-1") as again:
        assert again.offer("run", unnumbered)[:2] == (2, False)
        assert again.offer("run", unnumbered)[:2] == (3, False)
        assert again.offer("stream_event", event)[:2] == (1, False)
        assert again.offer("run", unnumbered)[:2] == (6, True)

    assert types(reel)[4:] == ["closed", "resumed", "COMPLETED", "closed"]


def test_an_offer_equal_to_what_was_appended_is_known(reel):
    with reel.recording("run-1") as recording:
        recording.result(RunResult(RunStatus.COMPLETED))
        assert recording.offer("run", {"type": "COMPLETED"})[:2] == (1, False)
        recording.result(RunResult(RunStatus.COMPLETED))
        assert recording.offer("run", {"type": "COMPLETED"})[:2] == (2, False)
        assert recording.offer("run", {"type": "COMPLETED"})[:2] == (3, True)


def test_a_conflict_is_answered_and_the_first_telling_stays(reel):
    recording = reel.recording("run-1")
    recording.offer("stream_event", {"type": "DONE", "text": "a", "source_index": 0})
    other = recording.offer("stream_event", {"type": "DONE", "text": "b", "source_index": 0})
    again = recording.offer("stream_event", {"type": "DONE", "text": "b", "source_index": 0})

    assert (other.seq, other.conflict, other.new) == (1, True, True)
    assert (again.seq, again.conflict, again.new) == (1, True, False)
    assert types(reel) == ["opened", "DONE", "conflict"]
    assert reel.result("run-1").text == "a"


@pytest.mark.parametrize("strict", [False, True])
def test_a_conflict_is_logged_once_or_raised_each_time(reel, strict, caplog):
    first, *others = ({"type": "DONE", "text": text, "source_index": 0} for text in "abbc")
    with reel.recording("run-1") as recording:
        recording.offer("stream_event", first, strict=strict)
        for other in others:
            outcome = pytest.raises(SourceConflict, match="other content in row 1")
            with outcome if strict else nullcontext():
                assert recording.offer("stream_event", other, strict=strict).conflict

    warned = [one for one in caplog.records if "with other content in row 1" in one.message]
    assert len(warned) == (0 if strict else 2)
    offered = [note["offered"]["text"] for type_, note in logs.notes(reel, "run-1")[1:-1]]
    assert offered == ["b", "c"]
    assert reel.result("run-1").text == "a"


def test_a_gap_is_noted_before_the_event_that_shows_it(reel):
    recording = reel.recording("run-1")
    offer = recording.offer("stream_event", {"type": "DONE", "text": "a", "source_index": 3})

    assert (offer.missing, offer.seq) == (3, 2)
    assert logs.notes(reel, "run-1")[1] == (GAP, {"expected": 0, "got": 3})


# -- How it ends -----------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_interrupts_the_recording_and_goes_on(reel, error):
    with pytest.raises(error), reel.recording("run-1") as recording:
        recording.append(partial("Hel"))
        raise error

    assert logs.notes(reel, "run-1")[-1] == ("interrupted", {"reason": error.__name__})
    assert reel.run("run-1").recording == "interrupted"
    assert reel.run("run-1").status is RunStatus.IN_PROGRESS


def test_a_run_that_failed_is_a_recording_that_did_not(reel):
    with reel.recording("run-1") as recording:
        recording.append(RunStreamEvent(StreamEvent.ERROR, error="no more"))
    assert reel.run("run-1").recording == "closed"
    assert reel.run("run-1").error.message == "no more"


def test_recording_the_run_again_goes_on_behind_it(reel):
    for text in ("a", "ab", "abc"):
        with reel.recording("run-1", labels={text: "yes"}) as recording:
            recording.append(partial(text))

    assert types(reel) == [
        *("opened", "PARTIAL_MESSAGE", "closed"),
        *("resumed", "PARTIAL_MESSAGE", "closed") * 2,
    ]
    assert [event.text for event in reel.events("run-1") if event.event] == ["a", "ab", "abc"]
    assert reel.run("run-1").labels == {"a": "yes", "ab": "yes", "abc": "yes"}
    assert reel.rebuild(check=True) == []


def test_a_closed_recording_that_goes_on_is_resumed(reel):
    recording = reel.recording("run-1")
    recording.append(partial("a"))
    recording.close()
    recording.close()
    recording.append(partial("ab"))
    recording.close()

    assert types(reel) == [
        *("opened", "PARTIAL_MESSAGE", "closed"),
        *("resumed", "PARTIAL_MESSAGE", "closed"),
    ]


def test_a_run_has_one_source(reel):
    with reel.recording("run-1") as recording:
        recording.append(partial("a"))
    with pytest.raises(SourceMismatch, match="from plain, not from yandex-assistants") as caught:
        reel.recording("run-1", source="yandex-assistants")
    assert caught.value.exit_code == 4


def test_a_source_that_nobody_knows_is_refused_before_anything_is_written(reel):
    with pytest.raises(UsageError, match="unknown source 'rumours'"):
        reel.recording("run-1", source="rumours")
    assert logs.rows(reel) == []


# -- What cannot be stored -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), {1, 2}, b"bytes", [[[]] * 3, 1e400]]
)
def test_a_value_that_is_no_json_is_refused_and_the_recording_goes_on(reel, value):
    with reel.recording("run-1") as recording:
        recording.append(partial("a"))
        with pytest.raises(RecordingError, match="could not be stored") as caught:
            recording.tool_results([value])
        assert isinstance(caught.value.__cause__, BadValue)
        assert caught.value.exit_code == 1
        assert caught.value.event == [value]
        recording.append(partial("ab"))

    assert types(reel) == ["opened", "PARTIAL_MESSAGE", "PARTIAL_MESSAGE", "closed"]


def test_values_nested_too_deeply_are_refused(reel):
    deep: list = []
    for _ in range(5_000):
        deep = [deep]
    with reel.recording("run-1") as recording, pytest.raises(RecordingError, match="nested"):
        recording.tool_results(deep)
    assert logs.rows(reel) == []


@pytest.mark.parametrize("labels", [{"a": 1}, {1: "a"}, {"a": None}])
def test_labels_are_strings(reel, labels):
    with reel.recording("run-1", labels=labels) as recording:
        recording.append(partial("a"))
    stored = {str(key): str(value) for key, value in labels.items() if value is not None}
    assert reel.run("run-1").labels == stored
    assert [run.run_id for run in reel.runs(labels=stored)] == ["run-1"]
    assert reel.rebuild(check=True) == []


@pytest.mark.parametrize("run_id", [None, 7, b"run"])
def test_a_run_id_is_a_string(reel, run_id):
    with pytest.raises(UsageError):
        reel.recording(run_id)


# -- A log that fails ------------------------------------------------------------------------------


class Outage:
    """Makes every statement on the database fail while it is ``down``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.down = False
        monkeypatch.setattr(Connection, "execute", self._failing(Connection.execute))
        run = Prepared.run
        failing = self._failing(lambda one, statement, values: run(statement, one, values))
        monkeypatch.setattr(
            Prepared, "run", lambda statement, one, values: failing(one, statement, values)
        )

    def _failing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def run(connection, statement, *parameters):
            if self.down and not str(statement).startswith("ROLLBACK"):
                if connection.driver.url.postgres:
                    raise psycopg.OperationalError("the server closed the connection")
                error = sqlite3.OperationalError("disk I/O error")
                error.sqlite_errorcode = sqlite3.SQLITE_IOERR
                raise error
            return real(connection, statement, *parameters)

        return run

    @contextmanager
    def __call__(self):
        self.down = True
        yield
        self.down = False


@pytest.fixture
def outage(monkeypatch):
    return Outage(monkeypatch)


def test_a_failed_append_raises_with_the_event_and_the_next_one_is_stored(reel, outage):
    with reel.recording("run-1") as recording:
        recording.append(partial("a"))
        for _ in range(2):
            with outage(), pytest.raises(RecordingError, match="run run-1") as caught:
                recording.append(partial("ab"))
            assert caught.value.event == partial("ab")
            assert caught.value.exit_code == 3
            assert isinstance(caught.value.__cause__, DatabaseUnavailable)
        recording.append(partial("abc"))

    assert types(reel) == ["opened", "PARTIAL_MESSAGE", "PARTIAL_MESSAGE", "closed"]
    assert reel.result("run-1").text == "abc"
    assert reel.rebuild(check=True) == []


def test_with_warn_the_stream_goes_on_and_the_log_says_how_many_are_lost(db_url, outage, caplog):
    with runreel.open(db_url, on_error="warn") as reel:
        with caplog.at_level(logging.WARNING, "runreel"), reel.recording("run-1") as recording:
            recording.append(partial("a"))
            with outage():
                assert recording.append(partial("ab")) is None
                assert recording.append(partial("abc")) is None
                assert recording.result(RunResult(RunStatus.IN_PROGRESS)) is None
            assert recording.lost == 3
            assert recording.append(partial("abcd")).seq == 3
            with outage():
                recording.append(partial("abcde"))
        assert recording.lost == 4
        assert [record.getMessage()[:34] for record in caplog.records] == [
            "an event of run run-1 is not in th"
        ] * 4
        assert [value for type_, value in logs.notes(reel, "run-1") if type_ == LOST] == [
            {"events": 3},
            {"events": 1},
        ]
        assert types(reel)[1:] == ["PARTIAL_MESSAGE", LOST, "PARTIAL_MESSAGE", LOST, "closed"]
        assert reel.rebuild(check=True) == []


def test_with_warn_a_log_that_is_down_from_the_start_stops_no_stream(db_url, outage, caplog):
    with runreel.open(db_url, on_error="warn") as reel, caplog.at_level(logging.WARNING, "runreel"):
        outage.down = True
        recording = reel.recording("run-1")
        assert recording.append(partial("a")) is None
        outage.down = False
        assert recording.append(partial("ab")).text == "ab"
        outage.down = True
        recording.append(partial("abc"))
        with recording:
            pass
        outage.down = False

        assert recording.lost == 2
        assert types(reel) == ["opened", LOST, "PARTIAL_MESSAGE"]
        assert reel.run("run-1").recording == "open"


def test_with_warn_a_value_that_is_no_json_is_lost_and_said_to_be(db_url):
    with runreel.open(db_url, on_error="warn") as reel, reel.recording("run-1") as recording:
        assert recording.tool_results([float("nan")]) is None
        recording.append(partial("a"))
        assert types(reel) == ["opened", LOST, "PARTIAL_MESSAGE"]


def test_an_error_in_the_block_is_heard_though_the_log_is_down(reel, outage, caplog):
    with pytest.raises(KeyError), reel.recording("run-1") as recording:
        recording.append(partial("a"))
        outage.down = True
        raise KeyError
    outage.down = False
    assert "end of recording run-1 could not be stored" in caplog.text


def test_an_end_that_cannot_be_stored_is_an_error(reel, outage):
    with pytest.raises(DatabaseUnavailable), reel.recording("run-1") as recording:
        recording.append(partial("a"))
        outage.down = True
    outage.down = False
    assert reel.run("run-1").recording == "open"


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_interrupt_around_a_commit_leaves_a_whole_chain(reel, monkeypatch, moment):
    """Ctrl-C while the row is on its way: stored or not, what follows fits on to it."""
    recording = reel.recording("run-1")
    recording.append(partial("a"))
    real = event_log.append_one

    def append_one(connection, row, **options):
        if moment == "after":
            real(connection, row, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(event_log, "append_one", append_one)
        recording.append(partial("ab"))
    recording.append(partial("abc"))
    recording.close()

    logs.verify(reel)
    assert types(reel) in (
        ["opened", *["PARTIAL_MESSAGE"] * 2, "closed"],
        ["opened", *["PARTIAL_MESSAGE"] * 3, "closed"],
    )
    assert reel.result("run-1").text == "abc"
    assert reel.rebuild(check=True) == []


# -- Many at once ----------------------------------------------------------------------------------


def test_two_recordings_of_one_run_interleave_and_lose_nothing(reel, db_url):
    with runreel.open(db_url) as other:
        one, two = reel.recording("run-1"), other.recording("run-1")
        for n in range(10):
            one.append(partial(f"one {n}"))
            two.append(partial(f"two {n}"))
        one.close()
        two.append(partial("two is still here"))
        two.close()

    texts = [event.text for event in reel.events("run-1") if event.event]
    assert texts[:20] == [f"{who} {n}" for n in range(10) for who in ("one", "two")]
    assert texts[20:] == ["two is still here"]
    assert types(reel)[:4] == ["opened", "PARTIAL_MESSAGE", "resumed", "PARTIAL_MESSAGE"]
    assert reel.run("run-1").recording == "closed"
    assert reel.rebuild(check=True) == []


def run_threads(work, count: int) -> None:
    failed: list[BaseException] = []

    def safely(number: int) -> None:
        try:
            work(number)
        except BaseException as error:  # noqa: BLE001 - all of them are failures
            failed.append(error)

    threads = [threading.Thread(target=safely, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_threads_that_record_the_same_run_lose_nothing(reel):
    def work(number: int) -> None:
        with reel.recording("run-1") as recording:
            for n in range(15):
                recording.append(partial(f"{number}: {n}"))

    run_threads(work, 4)
    texts = [event.text for event in reel.events("run-1") if event.event]
    assert sorted(texts) == sorted(f"{number}: {n}" for number in range(4) for n in range(15))
    for number in range(4):
        mine = [text for text in texts if text.startswith(f"{number}:")]
        assert mine == [f"{number}: {n}" for n in range(15)], "each one's in its order"
    assert reel.rebuild(check=True) == []


def test_threads_that_offer_the_same_events_store_each_once(reel):
    def work(_: int) -> None:
        with reel.recording("run-1") as recording:
            for n in range(25):
                event = {"type": "PARTIAL_MESSAGE", "text": "a" * n, "source_index": n}
                recording.offer("stream_event", event)
            recording.offer("run", {"type": "COMPLETED"})

    run_threads(work, 4)
    stored = list(reel.events("run-1", type="PARTIAL_MESSAGE"))
    assert [event.source_index for event in stored] == list(range(25))
    assert [event.text for event in stored] == ["a" * n for n in range(25)]
    assert types(reel).count("COMPLETED") == 1
    assert GAP not in types(reel)
    assert reel.rebuild(check=True) == []


def test_threads_that_share_one_recording_lose_nothing(reel):
    recording = reel.recording("run-1")

    def work(number: int) -> None:
        for n in range(15):
            recording.append(partial(f"{number}: {n}"))

    run_threads(work, 4)
    recording.close()
    texts = [event.text for event in reel.events("run-1") if event.event]
    assert sorted(texts) == sorted(f"{number}: {n}" for number in range(4) for n in range(15))
    assert types(reel).count("opened") == 1
    assert "resumed" not in types(reel)
    assert reel.rebuild(check=True) == []


def test_tasks_that_share_one_recorder_lose_nothing_and_keep_their_order(reel):
    recorder = Recorder(reel.db, "run-1", source="plain", via="program")

    async def everyone() -> None:
        given = [{"type": "PARTIAL_MESSAGE", "text": f"{n}"} for n in range(40)]
        await asyncio.gather(*(recorder.aappend("stream_event", event) for event in given))
        await recorder.aclose()

    asyncio.run(everyone())
    assert [event.text for event in reel.events("run-1") if event.event] == list(
        map(str, range(40))
    )
    assert (types(reel)[0], types(reel)[-1], len(types(reel))) == ("opened", "closed", 42)
    assert reel.rebuild(check=True) == []


def test_eight_threads_record_runs_of_their_own_on_one_reel(reel):
    def work(number: int) -> None:
        for run in range(3):
            with reel.recording(f"run-{number}-{run}") as recording:
                for n in range(10):
                    recording.append(partial("a" * n))
                recording.result(RunResult(RunStatus.COMPLETED, usage=Usage(number, 1, run)))

    run_threads(work, 8)
    assert len(reel.runs(limit=0)) == 24
    assert reel.usage(("source",)).totals.input_text_tokens == 3 * sum(range(8))
    assert reel.rebuild(check=True) == []


_RECORDS = """
import sys
import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent

url, number = sys.argv[1:]

def partial(text):
    return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((text,)))

with runreel.open(url) as reel:
    for run in range(2):
        with reel.recording(f"run-{number}-{run}") as recording:
            for n in range(20):
                recording.append(partial("a" * n))
    with reel.recording("shared") as recording:
        for n in range(20):
            recording.append(partial(f"{number}: {n}"))
"""


def test_four_processes_record_into_one_log(db_url):
    children = [
        subprocess.Popen([sys.executable, "-c", _RECORDS, db_url, str(n)], stderr=subprocess.PIPE)
        for n in range(4)
    ]
    assert [child.communicate()[1] for child in children] == [b""] * 4

    with runreel.open(db_url) as reel:
        for number in range(4):
            for run in range(2):
                texts = [e.text for e in reel.events(f"run-{number}-{run}") if e.event]
                assert texts == ["a" * n for n in range(20)]
        shared = [event.text for event in reel.events("shared") if event.event]
        assert sorted(shared) == sorted(f"{a}: {n}" for a in range(4) for n in range(20))
        assert reel.rebuild(check=True) == []


# -- Processes that die ----------------------------------------------------------------------------

_DIES = """
import sys
import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent
recording = runreel.open(sys.argv[1]).recording("run-1")
for n in range(1_000_000):
    message = PartialMessage(("a" * n,))
    recording.append(RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=message))
    print(n, flush=True)
"""


def test_what_a_killed_process_was_told_is_stored_is_stored(db_url):
    child = subprocess.Popen([sys.executable, "-c", _DIES, db_url], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(0.2)
    child.send_signal(signal.SIGKILL)
    last = int(child.communicate()[0].splitlines()[-1])

    with runreel.open(db_url) as reel:
        texts = [event.text for event in reel.events("run-1") if event.event]
        assert texts == ["a" * n for n in range(len(texts))]
        assert len(texts) - 1 in (last, last + 1)
        assert reel.run("run-1").recording == "open"
        assert reel.rebuild(check=True) == []
        (left,) = reel.recoverable()
        assert (left.run_id, left.pid, left.alive) == ("run-1", child.pid, False)
        with reel.recording("run-1") as recording:
            recording.append(done("over"))
        assert types(reel)[-3:] == ["resumed", "DONE", "closed"]
        assert reel.recoverable() == []


def test_clocks_that_jump_or_stop_harm_nothing(reel):
    walls, ticks = iter([5_000, 3_000, 3_000, 9_000] * 3), iter(range(0, 12_000, 1_000))
    recorder = Recorder(
        reel.db,
        "run-1",
        source="plain",
        via="program",
        clock=lambda: next(walls) * 1_000_000_000,
        timer=lambda: next(ticks) * 1_000,
    )
    for n in range(4):
        recorder.append("stream_event", {"type": "PARTIAL_MESSAGE", "text": "a" * n})

    stored = [event for event in reel.events("run-1") if event.event]
    assert [event.at.timestamp() for event in stored] == [5_000, 3_000, 3_000, 9_000]
    assert [event.elapsed.microseconds for event in stored] == [1_000, 2_000, 3_000, 4_000]
    assert reel.run("run-1").last_seq == 4
    assert reel.rebuild(check=True) == []
