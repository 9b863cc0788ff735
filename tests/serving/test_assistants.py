"""Programs of the Yandex SDK get from the server what they got when they were recorded."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from datetime import timedelta

import grpc
import pytest
from yandex_ai_studio_sdk import AIStudio

import runreel
from runreel.serving import assistant_runs
from runreel.serving.assistant_runs import AssistantRun, PlayedRun, Step
from runreel.serving.assistants import AssistantsServer
from runreel.serving.timing import AS_RECORDED, Timing
from tests.live.assistants_script import TOOL_ROUND, Done, Fail, Partial, Pause, Script
from tests.live.assistants_service import AssistantsService
from tests.live.yandex import sdk
from tests.live.yandex_programs import (
    STREAMED,
    answers_calls_in_the_loop,
    ask,
    listens_twice,
    streams,
    waits,
    waits_and_answers,
    waits_and_then_listens,
)
from tests.serving.conftest import INSTANT

PROGRAMS = [
    (streams, STREAMED),
    (streams, Script([Fail("the model is tired")])),
    (waits, STREAMED),
    (waits_and_then_listens, STREAMED),
    (listens_twice, STREAMED),
    (answers_calls_in_the_loop, Script(TOOL_ROUND)),
    (waits_and_answers, Script(TOOL_ROUND)),
]
NAMES = [f"{program.__name__}-{number}" for number, (program, _) in enumerate(PROGRAMS)]


@pytest.fixture
def reel(tmp_path):
    """A log in a file: the database does not matter here."""
    with runreel.open(tmp_path / "log.db") as found:
        yield found


@pytest.fixture
def record_run(reel):
    """Runs a program of the SDK on a run that is recorded."""

    def run(program, script):
        with AssistantsService() as service:
            service.scripts.append(script)
            return program(sdk(service), reel.record)

    return run


@contextmanager
def serving(reel, **options):
    """The SDK on a server of the recorded runs."""
    runs = [assistant_runs.of_run(reel.db, run.run_id) for run in reel.runs()][::-1]
    problems = []
    given = {"as_timed": INSTANT, "on_problem": problems.append, **options}
    server = AssistantsServer([run for run in runs if run], "127.0.0.1", 0, **given)
    try:
        yield AIStudio(folder_id="folder", endpoint=server.address, auth="key", verify=False)
    finally:
        server.stop()


def as_it_is(run):
    return run


@pytest.mark.parametrize(("program", "script"), PROGRAMS, ids=NAMES)
def test_a_program_sees_what_it_saw(record_run, reel, program, script):
    first = record_run(program, script)
    with serving(reel, strict=True) as studio:
        assert program(studio, as_it_is) == first
    with serving(reel) as studio:
        assert [program(studio, as_it_is) for _ in range(2)] == [first] * 2


def test_events_come_as_late_as_they_came(record_run, reel):
    record_run(streams, Script([Partial("It"), Pause(0.3), Done("It is sunny.")]))
    (run,) = reel.runs()
    recorded = assistant_runs.of_run(reel.db, run.run_id)
    assert recorded is not None
    first, last = (step.time for step in recorded.steps)
    events = [event for event in reel.events(run.run_id) if event.kind == "stream_event"]
    gap = events[-1].elapsed - events[0].elapsed
    assert last - first == gap // timedelta(microseconds=1) > 0


def test_another_assistant_is_refused_in_words(record_run, reel):
    record_run(streams, STREAMED)
    with serving(reel) as studio:
        assistant = studio.assistants.create("yandexgpt", instruction="Be rude.")
        thread = studio.threads.create()
        with pytest.raises(grpc.RpcError, match=r"at /instruction .*Be kind.*Be rude"):
            assistant.run_stream(thread)


def test_a_strict_server_serves_each_run_once(record_run, reel):
    record_run(streams, STREAMED)
    with serving(reel, strict=True) as studio:
        streams(studio, as_it_is)
        with pytest.raises(grpc.RpcError, match="were served already"):
            streams(studio, as_it_is)


def test_a_stream_is_cut_after_the_events_that_were_named(record_run, reel):
    record_run(streams, STREAMED)
    with serving(reel, fail_at=2) as studio:
        seen = []
        with pytest.raises(grpc.RpcError, match="cut off after 2 events"):
            seen.extend(event.text for event in collected(ask(studio, stream=True), seen))
        assert len(seen) == 2


def collected(run, seen):
    for event in run:
        seen.append(event)
    return []


def test_nothing_follows_a_call_of_tools_before_their_results():
    clock = [10.0]
    steps = [(0, False), (1_000_000, True), (1_500_000, False)]
    recorded = AssistantRun(
        "r", None, tuple(Step(at, {}, calls) for at, calls in steps), (), streamed=True, cut=False
    )
    run = PlayedRun(recorded, Timing(), lambda: clock[0])
    assert (run.due, run.due_in(1), run.due_in(2), run.submit()) == (1, 1.0, None, False)
    clock[0] = 100.0
    assert (run.due, run.waits, run.is_over) == (2, True, False)
    assert run.submit()
    assert (run.due, run.waits, run.due_in(2)) == (2, False, 0.5)
    clock[0] = 101.0
    assert (run.due, run.is_over, run.submit()) == (3, True, False)


def test_a_port_that_is_in_use_is_passed_over_quietly(capfd):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = AssistantsServer([], "127.0.0.1", port, as_timed=AS_RECORDED, on_problem=print)
        try:
            assert server.address not in ("127.0.0.1:0", f"127.0.0.1:{port}")
        finally:
            server.stop()
    assert capfd.readouterr() == ("", "")
