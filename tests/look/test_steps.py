"""Where the time of a run went: steps without overlap, from the request to the end."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel import RunNotFound, UsageError
from runreel.importing.import_files import import_files
from runreel.model.events import CONTEXT, NOTE, OPENED, STREAM_EVENT, TOOL_RESULTS
from runreel.model.steps import STEPS
from runreel.projection.projector import RunProjector
from runreel.projection.run_steps import StepBuilder
from runreel.recording.recorder import Recorder
from runreel.sources import reader_of
from tests.calls.hook import CHAT, chat, chat_calls, fail, said, tool, user
from tests.cli.calls import on_terminal
from tests.cli.shapes import validate
from tests.live import messages_script
from tests.live import openai_script as script
from tests.rules.recordings import write

START = 1_750_000_000
WEATHER, TIME = ("call_a", "weather", "{}"), ("call_b", "time", "{}")


class Clock:
    """A clock that a test sets, in seconds since ``START``."""

    def __init__(self):
        self.now = 0.0

    def wall(self):
        return round((START + self.now) * 1e9)

    def timer(self):
        return round((5_000 + self.now) * 1e9)


def shown(steps):
    """The steps in seconds."""
    return [(one.step, one.name, one.start_ms / 1e3, one.end_ms / 1e3) for one in steps]


@pytest.fixture
def clock():
    return Clock()


def recorder_of(reel, clock, source, asked, **identity):
    """A recorder on the clock of the test, of a run that was asked then."""
    return Recorder(
        reel.db,
        "run",
        source=source,
        via="live",
        identity={"requested_at": START + asked, **identity},
        clock=clock.wall,
        timer=clock.timer,
    )


@pytest.fixture
def session(reel, clock):
    """Begins a recording of a chat on the clock of the test; what it returns stores a value."""

    def begin(body, asked, results=(), **identity):
        clock.now = max(clock.now, asked)
        recorder = recorder_of(reel, clock, CHAT, asked, **identity)
        values = [(CONTEXT, body)]
        values += [(TOOL_RESULTS, {"tool_results": list(results)})] if results else []
        recorder.begin(lambda: True, values, fresh=True)

        def store(at, *chunks):
            clock.now = at
            for chunk in chunks:
                recorder.append(STREAM_EVENT, chunk)

        return store

    return begin


def test_an_agent_that_thinks_calls_tools_and_pauses(reel, session):
    store = session(chat(user("?")), 0.0)
    thought = [{"index": 0, "delta": {"reasoning_content": "Hm"}, "finish_reason": None}]
    store(0.5, script.chat_chunk(thought, "one"))
    text = script.chunks("Let me look", chunk=6)
    store(1.5, text[1])
    store(1.75, text[2])
    store(2.0, *chat_calls("one", WEATHER, TIME)[1:])
    results = [tool("call_a", "sun"), tool("call_b", "noon")]
    body = chat(user("?"), said(None, WEATHER, TIME), *results)
    store = session(body, 5.0, results, after="one")
    answer = script.chunks("Sunny", id_="two", chunk=3)
    store(5.5, answer[0])
    store(6.0, answer[1])
    store(9.0, answer[2])
    store(9.5, answer[3])
    expected = [
        ("request", None, 0, 0.5),
        ("first_text", "reasoning", 0.5, 1.5),
        ("stream", None, 1.5, 2.0),
        ("tool", "weather, time", 2.0, 5.0),
        ("request", None, 5.0, 5.5),
        ("first_text", None, 5.5, 6.0),
        ("idle", "service", 6.0, 9.0),
        ("stream", None, 9.0, 9.5),
    ]
    assert shown(reel.steps("run")) == expected
    assert ("stream", None, 6.0, 9.5) in shown(reel.steps("run", idle=3))
    for one, following in pairwise(reel.steps("run")):
        assert one.end_ms == following.start_ms
        assert one.from_seq < one.to_seq
    with pytest.raises(UsageError):
        reel.steps("run", idle=-1)
    with pytest.raises(RunNotFound):
        reel.steps("none")


def stored(reel, clock, source, timed):
    """Store events at their seconds after the request."""
    recorder = recorder_of(reel, clock, source, 0.0)
    for at, event in timed:
        clock.now = at
        recorder.append(STREAM_EVENT, event)
    recorder.close()


def test_tools_that_the_server_of_responses_executes(reel, clock):
    def item(kind, number, type_="web_search_call", **more):
        found = {"type": type_, "id": f"ws_{number}", **more}
        return {"type": f"response.output_item.{kind}", "output_index": number, "item": found}

    created, *_, completed = script.events([script.output_of(["Sunny"])])
    text = [one for one in script.events([script.output_of(["Sunny"])]) if "delta" in one]
    code = {"type_": "code_interpreter_call", "code": ""}
    delta = {"type": "response.code_interpreter_call_code.delta", "output_index": 2, "delta": "1"}
    timed = [
        (0.5, created),
        (1.0, item("added", 0)),
        (2.0, item("added", 1)),
        (3.0, item("done", 0, status="completed")),
        (4.0, item("done", 1, status="completed")),
        (4.5, item("added", 2, **code)),
        (5.0, delta),
        (6.0, item("done", 2, **code)),
        (6.5, text[0]),
        (6.6, item("added", 3)),
        (6.9, item("done", 3, status="completed")),
        (7.0, completed),
    ]
    stored(reel, clock, "openai-responses", timed)
    assert shown(reel.steps("run")) == [
        ("request", None, 0, 0.5),
        ("first_text", None, 0.5, 1.0),
        ("tool", "web_search", 1.0, 4.0),
        ("first_text", None, 4.0, 4.5),
        ("tool", "code_interpreter", 4.5, 6.0),
        ("first_text", None, 6.0, 6.5),
        ("stream", None, 6.5, 6.6),
        ("tool", "web_search", 6.6, 6.9),
        ("stream", None, 6.9, 7.0),
    ]


def test_tools_that_the_server_of_messages_executes(reel, clock):
    events = messages_script.STREAMS["a search of the server"]
    timed = [(0.5 * number, event) for number, event in enumerate(events, 1)]
    stored(reel, clock, "anthropic-messages", timed)
    tool = next(one for one in reel.steps("run") if one.step == "tool")
    calls = [one for one in reel.story("run") if one.step == "tool_call"]
    assert (tool.name, tool.from_seq, tool.to_seq) == (
        "web_search",
        calls[0].seq,
        calls[0].result_seq,
    )
    assert [one.step for one in reel.steps("run")] == [
        *("request", "first_text", "stream", "tool", "stream"),
    ]


def test_attempts_without_an_answer_are_the_request(reel):
    recording = fail(reel, CHAT, chat(user("Hi")), status=500, body=b"{}")
    assert {step.step for step in reel.steps(recording.run_id)} == {"request"}


def imported(reel, tmp_path, lines):
    file = tmp_path / "lines.jsonl"
    file.write_text("".join(json.dumps({"run_id": "r", **line}) + "\n" for line in lines))
    import_files(reel.db, [str(file)])


def stamp(seconds):
    return f"2025-06-01T10:00:{seconds:06.3f}Z"


def test_times_of_the_source(reel, call, tmp_path):
    calls = [{"id": "c", "name": "f", "arguments": {}}]
    imported(
        reel,
        tmp_path,
        [
            {"type": "PENDING", "at": stamp(1), "requested_at": stamp(0)},
            {"type": "PARTIAL_MESSAGE", "text": "He", "at": stamp(2)},
            {"type": "TOOL_CALLS", "tool_calls": calls, "at": stamp(3)},
            {"tool_results": [{"id": "c", "content": 1}], "at": stamp(6)},
            {"type": "PARTIAL_MESSAGE", "text": "Hello", "at": stamp(7)},
            {"type": "DONE", "text": "Hello", "at": stamp(7.5)},
        ],
    )
    assert shown(reel.steps("r")) == [
        ("request", None, 0, 1),
        ("first_text", None, 1, 2),
        ("stream", None, 2, 3),
        ("tool", "f", 3, 6),
        ("request", None, 6, 7),
        ("stream", None, 7, 7.5),
    ]
    assert [(one.step, one.delta_ms) for one in reel.story("r")] == [
        ("request", 0),
        ("text", 2000),
        ("tool_call", 3000),
        ("text", 7000),
    ]
    assert reel.story("r")[2].result_delta_ms == 6000
    report = call.good("timeline", "r", "--json").json
    validate(report, "timeline")
    assert report["clock"] == "source"
    assert report["longest_gap"] == {"ms": 3000.0, "from_seq": 3, "to_seq": 4}
    assert report["shares"]["tool"] == pytest.approx(3 / 7.5)
    assert sum(report["shares"].values()) == pytest.approx(1)
    told = call.good("timeline", "r")
    assert "imported" in told.err
    assert "Total 7.500s" in told.out
    assert "Longest gap 3.000s, rows 3 to 4" in told.out
    lines = call.good("timeline", "r", "-o", "jsonl").lines
    assert lines == report["steps"]
    assert call.good("timeline", "r", "-o", "csv").out.count("\n") == 7
    for line in lines:
        validate(line, "step")


def test_no_times_and_no_events(reel, call, tmp_path):
    imported(reel, tmp_path, [{"type": "DONE", "text": "Hello"}])
    report = call.good("timeline", "r", "--json").json
    validate(report, "timeline")
    assert (report["clock"], report["steps"], report["shares"]) == ("even", [], {})
    assert report["longest_gap"] is None
    assert call("timeline", "none").code == 2
    assert call("timeline", "r", "--idle", "-1").code == 2


def test_bars_fit_a_narrow_terminal_and_ascii(tmp_path):
    log = str(tmp_path / "log.db")
    calls = (("--color", "never", "--db", log, "demo", "--fast"),)
    timeline = ("--color", "never", "--db", log, "timeline", "latest")
    each = [{}, {}, {"PYTHONIOENCODING": "ascii"}]
    found = on_terminal(*calls, timeline, timeline, columns=60, each=each)
    for code, text in found[1:]:
        assert code == 0
        rows = [line for line in text.splitlines() if line.startswith(("request", "tool"))]
        assert rows
        assert max(map(len, text.splitlines())) <= 80
    assert "\N{FULL BLOCK}" in found[1][1]


EVENTS = {
    "text": lambda n: (STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": "a" * n}),
    "done": lambda n: (STREAM_EVENT, {"type": "DONE", "text": "a" * n}),
    "error": lambda n: (STREAM_EVENT, {"type": "ERROR", "error": str(n)}),
    "calls": lambda n: (
        STREAM_EVENT,
        {"type": "TOOL_CALLS", "tool_calls": [{"id": str(n), "name": "f", "arguments": {}}]},
    ),
    "results": lambda n: (TOOL_RESULTS, {"tool_results": [{"id": str(n - 1)}]}),
    "context": lambda n: (CONTEXT, {"question": str(n)}),
    "pending": lambda n: ("run", {"type": "PENDING", "model": str(n)}),
    "snapshot": lambda n: ("run", {"type": "COMPLETED", "text": "a" * n}),
}


@given(
    names=st.lists(st.sampled_from(sorted(EVENTS)), min_size=1, max_size=12),
    waits=st.lists(st.integers(0, 5_000_000), min_size=13, max_size=13),
    asked=st.none() | st.integers(0, 3_000_000),
    idle=st.integers(0, 4_000_000),
)
def test_steps_cover_the_run_without_overlap(names, waits, asked, idle):
    values = [EVENTS[name](number) for number, name in enumerate(names, 1)]
    note = {"source": "plain", "via": "live"}
    if asked is not None:
        note["requested_at"] = START - asked / 1e6
    rows = write(reader_of("plain"), [(NOTE, note), *values])
    projector = RunProjector("run-1")
    builder = StepBuilder(projector)
    time = 0
    for row, wait in zip(rows, waits, strict=False):
        time += wait if row.seq else 0
        at = START * 1_000_000 + time
        timed = row._replace(at=at, elapsed=time, type=row.type or (None if row.seq else OPENED))
        builder.add(timed, projector.apply(timed))
    found = builder.steps("run-1", idle=idle)
    whole = (time + (asked or 0)) / 1_000
    assert found.total_ms == pytest.approx(whole, abs=0.002)
    for one, following in pairwise(found.steps):
        assert one.end_ms == following.start_ms
    assert all(one.end_ms > one.start_ms for one in found.steps)
    assert {one.step for one in found.steps} <= set(STEPS)
    assert bool(found.steps) is (found.total_ms > 0)
    if found.steps:
        assert found.steps[0].start_ms == 0
        assert sum(found.shares.values()) == pytest.approx(1)
        assert found.longest_gap.ms <= found.total_ms
