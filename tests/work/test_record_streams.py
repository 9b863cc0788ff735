"""Streams of every source as lines: which source they have, how they are framed, where they end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runreel
from runreel.importing.record_lines import CUT, record_lines
from runreel.model.events import NOTE, STREAM_EVENT
from runreel.model.status import RunStatus
from runreel.sources import SOURCES
from runreel.system.arrivals import Arrival
from tests import logs, traffic
from tests.archives import claude_code, codex
from tests.live import gemini_script, messages_script
from tests.live import openai_script as script
from tests.live.sse_server import sse
from tests.strategies import SOME, exact, objects

RESPONSES, CHAT = "openai-responses", "openai-chat"
MESSAGES, GEMINI = "anthropic-messages", "google-gemini"
CHUNKS = script.chunks("Hello, world", used=script.chat_usage(9, 12))
EVENTS = script.events([script.output_of(["Hello, ", "world"])])
PLAIN = [
    {"type": "PENDING"},
    {"type": "PARTIAL_MESSAGE", "text": "Hel"},
    {"type": "TOOL_CALLS", "tool_calls": [{"id": "c", "name": "f", "arguments": {}}]},
    {"tool_results": [{"id": "c", "content": "x"}]},
    {"type": "PARTIAL_MESSAGE", "text": "Hello"},
    {"type": "DONE", "text": "Hello"},
]
TRAFFIC = [line for line in traffic.with_tools() if line["type"] != "assistant"]
ANSWER = gemini_script.STREAMS["thinking"]
MESSAGE = messages_script.STREAMS["text"]
SESSION = [line for line in claude_code.sample().lines if "message" in line]
ROLLOUT = [line for line in codex.sample().lines if line["type"] == "response_item"]
COMPLETED = [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]
TOOL = [{"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}}]
TRACE = [
    {"traceId": "t", "spanId": str(number), "attributes": attributes}
    for number, attributes in enumerate([COMPLETED, TOOL, COMPLETED])
]
LOG = [
    {"id": "r", "part": "request", "messages": [{"role": "user", "content": "Hi"}]},
    {"id": "r", "part": "results", "tool_results": [{"tool_call_id": "c", "output": "x"}]},
    {"id": "r", "part": "response", "text": "Hello"},
]
COMPLETION = [
    {
        "alternatives": [
            {
                "message": {"role": "assistant", "text": text},
                "status": f"ALTERNATIVE_STATUS_{status}",
            }
        ],
        "usage": {"inputTextTokens": "9", "completionTokens": "3", "totalTokens": "12"},
        "modelVersion": "1",
    }
    for text, status in (("Hel", "PARTIAL"), ("Hello", "PARTIAL"), ("Hello", "FINAL"))
]
STREAMS = {
    "yandex-completions": COMPLETION,
    "llm-log": LOG,
    "otlp-genai": TRACE,
    "codex": ROLLOUT,
    MESSAGES: MESSAGE,
    GEMINI: ANSWER,
    "claude-code": SESSION,
    CHAT: CHUNKS,
    RESPONSES: EVENTS,
    "plain": PLAIN,
    "yandex-assistants": TRAFFIC,
}
# After how many of its values each stream has said that it is over, or that it waits for results.
ENDS = {
    "yandex-completions": {len(COMPLETION)},
    "llm-log": {3},
    "otlp-genai": {1, 2, 3},
    "codex": {4, 6, 7, 8, 9},
    GEMINI: {len(ANSWER)},
    MESSAGES: {len(MESSAGE) - 1, len(MESSAGE)},
    "claude-code": {3, 4, 6, 7, 8},
    CHAT: {len(CHUNKS) - 1, len(CHUNKS)},
    RESPONSES: {len(EVENTS)},
    "plain": {3, 6},
    "yandex-assistants": {2, 3, 8, 9},
}
ERROR = {"error": {"message": "overloaded", "code": 529}}


def json_lines(values: list[Any]) -> list[bytes]:
    return [json.dumps(value).encode() + b"\n" for value in values]


def record(reel: runreel.Reel, lines: list[Any], run_id: str = "run-1", **how: Any) -> Any:
    return record_lines(reel.db, lines, run_id=run_id, **how)


def stored(reel: runreel.Reel, run_id: str = "run-1") -> list[Any]:
    return [event.raw for event in reel.events(run_id) if event.kind != NOTE]


@pytest.mark.parametrize("source", SOURCES)
def test_a_stream_that_is_cut_anywhere_is_interrupted(reel, source):
    stream = STREAMS[source]
    for length in range(1, len(stream) + 1):
        run_id = f"run-{length}" if source != "yandex-assistants" else "run-1"
        report = record(reel, json_lines(stream[:length]), run_id)
        ended = length in ENDS[source]
        assert (report.problems, report.cut) == ([], not ended)
        assert (CUT in "".join(report.notices)) is report.cut
        last = logs.notes(reel, run_id)[-1]
        assert last == (("closed", {}) if ended else ("interrupted", {"reason": CUT}))
        assert reel.run(run_id).recording == last[0]
    assert list(reel.recover()) == []
    assert reel.rebuild(check=True) == []


def test_input_without_any_event_is_cut_and_no_run(reel):
    for lines in ([], [b"\n", b": comment\n", b"event: x\n", b"\n"]):
        report = record(reel, lines)
        assert (report.cut, report.notices, report.lines) == (True, [CUT], 0)
    assert logs.rows(reel) == []


def test_done_ends_a_chat_whose_chunks_gave_no_reason(reel):
    chunks = [script.chat_chunk([{"index": 0, "delta": {"content": "Hi"}}])]
    lines = [*json_lines(chunks), b"data: [DONE]\n\n"]
    assert not record(reel, lines).cut
    assert reel.run("run-1").recording == "closed"
    rows = logs.rows(reel)
    assert not record(reel, lines).cut
    assert logs.rows(reel) == rows


def test_the_rest_of_a_cut_stream_closes_the_recording(reel):
    assert record(reel, json_lines(CHUNKS[:3])).cut
    assert not record(reel, json_lines(CHUNKS)).cut
    assert reel.run("run-1").recording == "closed"
    assert exact(stored(reel)) == exact(CHUNKS)


@pytest.mark.parametrize("source", [CHAT, RESPONSES, MESSAGES])
def test_an_error_is_of_the_source_that_the_run_has(reel, source):
    stream = STREAMS[source]
    for place in range(4):
        lines, run_id = [*stream[:place], ERROR, *stream[place:-1]], f"run-{place}"
        report = record(reel, json_lines(lines), run_id)
        assert (report.problems, report.source) == ([], source)
        assert exact(stored(reel, run_id)) == exact(lines)


@pytest.mark.parametrize("source", [CHAT, RESPONSES, MESSAGES])
def test_an_error_at_the_end_fails_the_run(reel, source):
    lines = [*STREAMS[source][:3], ERROR]
    report = record(reel, json_lines(lines))
    run = reel.run("run-1")
    assert (report.problems, report.cut, run.status) == ([], False, RunStatus.FAILED)
    assert (run.error.message, run.error.code) == ("overloaded", 529)


def test_an_error_in_a_later_session_is_of_the_source_that_the_log_has(reel):
    record(reel, json_lines(CHUNKS[:3]))
    report = record(reel, json_lines([ERROR]))
    assert (report.problems, report.source) == ([], CHAT)
    assert reel.run("run-1").status is RunStatus.FAILED


ERRORS_ALONE = [
    ([b"data: " + json.dumps(ERROR).encode(), b""], RESPONSES),
    ([b"data: " + json.dumps(ERROR).encode(), b"", b"data: [DONE]"], CHAT),
    ([json.dumps({**ERROR, "user_id": "u"}).encode()], RESPONSES),
    ([b'{"type": "error", "message": "no", "code": "c"}'], RESPONSES),
    ([b"event: error", b"data: the upstream server is gone"], RESPONSES),
    ([json.dumps(messages_script.OVERLOADED).encode()], MESSAGES),
    (
        [b'event: ping\ndata: {"type": "ping"}\n\n', sse(messages_script.OVERLOADED).encode()],
        MESSAGES,
    ),
]


def test_an_error_alone_is_a_failed_run(reel):
    for number, (lines, source) in enumerate(ERRORS_ALONE):
        report = record(reel, lines, f"run-{number}")
        run = reel.run(f"run-{number}")
        assert (report.problems, report.cut, run.source) == ([], False, source)
        assert (run.status, run.recording) == (RunStatus.FAILED, "closed")
        assert run.error.message


def test_what_is_held_is_stored_when_the_input_breaks_off(reel):
    def lines():
        yield from json_lines([ERROR])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        record(reel, lines())
    assert stored(reel) == [ERROR]
    assert reel.run("run-1").recording == "interrupted"


def test_objects_of_no_known_shape_before_the_source_is_known(reel):
    odd = {"level": "info"}
    assert record(reel, json_lines([odd, *CHUNKS])).problems == []
    assert exact(stored(reel)) == exact([odd, *CHUNKS])
    report = record(reel, json_lines([odd] * 300), "run-2")
    assert [problem.line for problem in report.problems] == [*range(1, 301)]
    assert "unrecognised event" in report.problems[0].message


AZURE = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter": [1]}
MOONSHOT = {"id": "c", "choices": [{"index": 0, "delta": {"content": "x"}}]}
PERPLEXITY = {
    "id": "c",
    "object": "chat.completion.done",
    "choices": [{"index": 0, "delta": {}, "message": {"content": "x"}, "finish_reason": "stop"}],
}
NO_OBJECT = {"id": "c", "choices": [{"index": 0, "message": {"content": "x"}}]}


def test_chunks_of_servers_that_name_no_object(reel):
    kinds = [STREAM_EVENT, STREAM_EVENT, STREAM_EVENT, "run"]
    values = [AZURE, MOONSHOT, PERPLEXITY, NO_OBJECT]
    for number, (value, kind) in enumerate(zip(values, kinds, strict=True)):
        for source in (None, CHAT):
            report = record(reel, json_lines([value]), f"run-{number}", source=source)
            assert (report.problems, report.source) == ([], CHAT)
        (event,) = (event for event in reel.events(f"run-{number}") if event.kind != NOTE)
        assert (event.kind, event.raw) == (kind, value)


ODD = [
    {"type": "keepalive"},
    {"type": "ping"},
    {"type": "error", "message": "no"},
    {"error": "no"},
    {"error": {"message": "no"}, "user_id": "u"},
    {"type": ["x"], "object": {}, "choices": "x"},
    {},
]


@pytest.mark.parametrize("source", SOURCES)
def test_any_object_is_a_row_where_the_source_is_known(reel, source):
    first = STREAMS[source][0]
    report = record(reel, json_lines([first, *ODD]))
    again = record(reel, json_lines([first, *ODD]), source=source)
    assert (report.problems, again.problems, again.events_new) == ([], [], 0)
    raw = [first["data"] if source == "yandex-assistants" else first, *ODD]
    assert exact(stored(reel)) == exact(raw)
    assert reel.rebuild(check=True) == []


@SOME
@given(values=st.lists(objects, min_size=1, max_size=5), source=st.sampled_from(SOURCES))
def test_every_object_is_a_row_where_the_source_is_named(tmp_path_factory, values, source):
    values = [value for value in values if not {"run_id", "runId", "data"} & value.keys()]
    with runreel.open(tmp_path_factory.mktemp("log") / "log.db") as reel:
        report = record(reel, json_lines(values), source=source)
        assert report.problems == []
        if values:
            assert exact(stored(reel)) == exact(values)


FRAMES = st.lists(
    st.sampled_from([": ping", "id: 7", "retry: 100", "event: message", "other: x"]), max_size=3
)


@st.composite
def framed(draw: Any, values: list[Any]) -> bytes:
    """A server-sent stream of these values, in any spelling that the standard has for it."""
    end = draw(st.sampled_from(["\n", "\r", "\r\n"]))
    text = draw(st.sampled_from(["", "\ufeff"]))
    for value in values:
        spelled = json.dumps(value, indent=draw(st.sampled_from([None, None, 1])))
        blank = draw(st.sampled_from(["", " "]))
        lead = [line for line in draw(FRAMES) if value is not values[0] or line != "other: x"]
        lines = [*lead, *(f"data:{blank}{line}" for line in spelled.split("\n"))]
        text += end.join([*lines, *draw(FRAMES)]) + end * draw(st.integers(2, 3))
    closing = draw(st.sampled_from(["", f"data: [DONE]{end}{end}", "data: [DONE]"]))
    return (text + closing).encode()


@SOME
@given(st.data())
def test_any_framing_of_a_stream_is_the_same_run(tmp_path_factory, data):
    values = data.draw(st.sampled_from([CHUNKS, EVENTS, PLAIN]))
    stream = data.draw(framed(values))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pairs = zip([0, *cuts], [*cuts, len(stream)], strict=True)
    pieces = [Arrival(stream[start:stop], stop * 10**6, stop * 10**6) for start, stop in pairs]
    with runreel.open(tmp_path_factory.mktemp("log") / "log.db") as reel:
        report = record(reel, [piece for piece in pieces if piece.data])
        assert (report.problems, report.cut) == ([], False)
        assert exact(stored(reel)) == exact(values)


def test_data_lines_without_the_empty_lines_between_are_events(reel):
    lines = [b"data: " + line for line in json_lines(CHUNKS)]
    report = record(reel, [*lines, b"data: [DONE]\n"])
    assert (report.problems, report.events_new) == ([], len(CHUNKS))
    assert exact(stored(reel)) == exact(CHUNKS)


def test_json_lines_and_events_may_alternate(reel):
    lines = json_lines(PLAIN)
    mixed = [lines[0], b"data: " + lines[1], lines[2], b"event: x\n", b"data: " + lines[3], b"\n"]
    assert record(reel, [*mixed, *lines[4:]]).problems == []
    assert exact(stored(reel)) == exact(PLAIN)


ASIDE = [
    (["event: ping", 'data: {"type": "ping"}'], True, None),
    (["event: ping", "data: 1"], False, None),
    (["event: ping", "data:"], False, None),
    (["data:"], False, None),
    (["event: error", "data: overloaded", "data: try later"], True, "overloaded\ntry later"),
    (["event: error", 'data: "overloaded"'], True, "overloaded"),
    (["event: error", 'data: {"message": "no"}'], True, "no"),
    (["event: error", 'data: {"error": {"message": "no"}}'], True, "no"),
]


@pytest.mark.parametrize("source", SOURCES)
def test_pings_and_errors_between_the_events_of_a_stream(reel, source):
    for number, (event, is_row, message) in enumerate(ASIDE):
        run_id = f"run-{number}"
        before = json_lines([{"type": "PENDING"}] if source == "plain" else STREAMS[source][1:2])
        lines = [*before, *(line.encode() for line in ["", *event, ""])]
        report = record(reel, [line.replace(b"run-1", run_id.encode()) for line in lines], run_id)
        assert (report.problems, len(stored(reel, run_id))) == ([], 1 + is_row)
        if message is not None:
            assert stored(reel, run_id)[-1]["error"]["message"] == message
        if message not in (None, "no") or (message and source in (CHAT, RESPONSES)):
            assert reel.run(run_id).error.message == message
            assert reel.run(run_id).status is RunStatus.FAILED


def test_text_in_a_stream_that_is_no_event_is_named(reel):
    lines = [*json_lines(CHUNKS[:2]), b"upstream connect error", b"data: {cut", b"", b"data: [1]"]
    report = record(reel, lines)
    assert [problem.line for problem in report.problems] == [3, 4, 6]


COMPLETIONS = [
    {**script.completion("One"), "id": "c-1"},
    {**script.completion("Two"), "id": "c-2"},
]


def chunks_of(id_: str, text: str = "Hello") -> list[dict[str, Any]]:
    return [{**chunk, "id": id_} for chunk in script.chunks(text)]


PAIRS = [
    (COMPLETIONS[:1], COMPLETIONS[1:]),
    (chunks_of("c-1"), chunks_of("c-2")),
    (chunks_of("c-1")[:-1], chunks_of("c-2")),
    (chunks_of("c-1"), COMPLETIONS[1:]),
    (COMPLETIONS[:1], chunks_of("c-2")),
]


@pytest.mark.parametrize("sessions", [1, 2])
def test_a_second_completion_in_a_run_is_refused(reel, sessions):
    for number, (one, two) in enumerate(PAIRS):
        run_id = f"run-{number}"
        if sessions == 2:
            record(reel, json_lines(one), run_id)
        (problem,) = record(reel, json_lines([*one, two[0]]), run_id).problems
        assert problem.line == len(one) + 1
        assert "completion c-2, but the run records completion c-1" in problem.message
        assert exact(stored(reel, run_id)) == exact(one)


@pytest.mark.parametrize("ids", ["abcd", "    ", "aaaa", " aaa"])
def test_ids_of_chunks_may_differ(reel, ids):
    ids = [id_.strip() for id_ in ids]
    chunks = script.chunks("Hello, world")
    ids = [*ids, *ids[-1:] * (len(chunks) - 4)]
    lines = [{**chunk, "id": id_} for chunk, id_ in zip(chunks, ids, strict=True)]
    report = record(reel, json_lines(lines))
    assert (report.problems, report.cut) == ([], False)
    assert reel.result("run-1").text == "Hello, world"
    assert record(reel, json_lines(lines)).problems == []
