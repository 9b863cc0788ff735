"""What holds of every reader, and what each makes of its own events."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runreel.codec import json_text, source_protocol
from runreel.codec.plain_json import result_value
from runreel.codec.source_protocol import Interpretation, RunMetadata, TextMode
from runreel.codec.token_counts import tally
from runreel.model.errors import UsageError
from runreel.model.events import CONTEXT, KINDS, NOTE, RUN, STREAM_EVENT, TOOL_RESULTS
from runreel.model.results import RunResult, RunStreamEvent, Usage
from runreel.model.status import RunStatus, StreamEvent
from runreel.sources import SOURCES, reader_of
from runreel.sources.archives.lines import ARCHIVES
from tests.rules.recordings import meaning
from tests.strategies import MANY, lookalikes, nested, spoken_lookalikes, values

PLAIN, YANDEX = reader_of("plain"), reader_of("yandex-assistants")
READERS = pytest.mark.parametrize(
    "reader", [reader_of(source) for source in SOURCES], ids=lambda reader: reader.name
)
TIME = 1_744_036_976_643_453


# -- Every reader ----------------------------------------------------------------------------------


@READERS
@MANY
@given(kind=st.sampled_from(KINDS), value=values | lookalikes)
@example(
    kind=RUN, value={"state": {"toolCallList": {"toolCalls": [{"functionCall": nested(250)}]}}}
)
@example(kind=RUN, value={"message": {"citations": [{"sources": 5}], "parts": 5, "author": []}})
@example(kind=RUN, value={"usage": {"total_tokens": 10**400, "totalTokens": "9" * 400}})
def test_odd_json_never_raises_and_gives_words_that_can_be_kept(reader, kind, value):
    read = meaning(reader, kind, value)
    assert isinstance(read, Interpretation)
    assert isinstance(reader.interpret(kind, value).type, (str, type(None)))
    index = reader.interpret(kind, value).index
    assert index is None or 0 <= index < 2**63
    assert all(type(container[key]) in (str, int) for container, key in reader.slots(value))
    if read.result is not None:
        json_text.dumps(result_value(read.result))
        assert read.result.usage is None or abs(read.result.usage.total_tokens) < 2**64


@pytest.mark.parametrize("reader", [PLAIN, YANDEX])
def test_calls_nested_as_deeply_as_may_be_are_read(reader):
    arguments = {"deep": nested(json_text.MAX_DEPTH)}
    call = {"functionCall": {"name": "f", "arguments": arguments}}
    value = {
        "state": {"toolCallList": {"toolCalls": [call]}},
        "tool_calls": [{"name": "f", "arguments": arguments}],
    }
    (told,) = meaning(reader, RUN, value).result.tool_calls
    assert told.function.arguments == arguments


@READERS
@pytest.mark.parametrize("kind", [TOOL_RESULTS, NOTE, "of-the-future"])
def test_rows_that_are_not_of_the_source_say_nothing(reader, kind):
    value = {"type": "DONE", "eventType": "DONE", "text": "x", "id": "r", "model": "m"}
    assert meaning(reader, kind, value) == Interpretation()
    assert reader.interpret(kind, value).type is None
    assert reader.interpret(kind, value).index is None


@READERS
@pytest.mark.parametrize("index", [None, 0, 7])
def test_the_envelope_reads_as_a_partial_message_of_its_text(reader, index):
    value = reader.envelope("PARTIAL_MESSAGE", index, "Hello")
    if value is None:
        # The lines of archives are never alike, and messages of completions have a usage each.
        assert reader.name in {*ARCHIVES, "yandex-completions"} or (reader, index) == (YANDEX, None)
        return
    assert meaning(reader, STREAM_EVENT, value).event.text == "Hello"
    assert reader.interpret(STREAM_EVENT, value).type == "PARTIAL_MESSAGE"
    assert reader.interpret(STREAM_EVENT, value).index in (index, None)
    assert [container[key] for container, key in reader.slots(value)] == ["Hello"]


@READERS
@pytest.mark.parametrize("type_", [None, "DONE", "COMPLETED", "UNKNOWN"])
def test_only_partial_messages_have_an_envelope(reader, type_):
    assert reader.envelope(type_, 0, "Hello") is None


@READERS
@MANY
@given(value=values | lookalikes | spoken_lookalikes)
@example(value={"type": "PARTIAL_MESSAGE", "text": "a", "source_index": True})
@example(value={"type": "PARTIAL_MESSAGE", "text": "a", "source_index": 1.0})
@example(value={"type": 1, "text": "a"})
def test_what_is_spoken_is_the_envelope_and_all_else_that_readers_say_agrees(reader, value):
    event = reader.interpret(STREAM_EVENT, value)
    if event.text_only is None:
        return
    envelope = reader.envelope("PARTIAL_MESSAGE", event.index, event.text_only)
    assert json_text.canonical(value) == json_text.canonical(envelope)
    assert (event.type, event.mode) == ("PARTIAL_MESSAGE", TextMode.CUMULATIVE)
    assert [container[key] for container, key in event.slots] == [event.text_only]
    assert event.read("", None) == source_protocol.text_only_interpretation(event.text_only)


@pytest.mark.parametrize("reader", [PLAIN, YANDEX])
@pytest.mark.parametrize("index", [0, 7, 2**63 - 1])
def test_the_envelope_of_whole_texts_is_spoken(reader, index):
    event = reader.interpret(STREAM_EVENT, reader.envelope("PARTIAL_MESSAGE", index, "Hi"))
    assert (event.text_only, event.index) == ("Hi", index)


def test_each_source_has_the_reader_of_its_name():
    assert {"plain", "yandex-assistants"} <= set(SOURCES)
    assert [reader_of(name).name for name in SOURCES] == sorted(SOURCES)


def test_a_source_that_nobody_knows_is_refused_with_those_that_there_are():
    with pytest.raises(UsageError, match="unknown source 'Plain'") as refused:
        reader_of("Plain")
    assert refused.value.hint.startswith("Sources: ")
    assert all(name in refused.value.hint for name in SOURCES)


def test_reading_a_log_needs_no_package_of_a_vendor():
    program = (
        "import sys, runreel.sources as s; [s.reader_of(name) for name in s.SOURCES];"
        "print([name for name in ('yandex', 'grpc', 'google', 'openai') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.decode().strip() == "[]"


# -- yandex-assistants -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "type_"),
    [
        (STREAM_EVENT, {"eventType": "DONE"}, "DONE"),
        (STREAM_EVENT, {"eventType": 1}, "PARTIAL_MESSAGE"),
        (STREAM_EVENT, {}, "EVENT_TYPE_UNSPECIFIED"),
        (STREAM_EVENT, {"eventType": "EVENT_TYPE_UNSPECIFIED"}, "EVENT_TYPE_UNSPECIFIED"),
        (STREAM_EVENT, {"eventType": 99}, "UNKNOWN"),
        (STREAM_EVENT, {"eventType": "PAUSED"}, "UNKNOWN"),
        (RUN, {"state": {"status": "COMPLETED"}}, "COMPLETED"),
        (RUN, {"state": {"status": 5}}, "TOOL_CALLS"),
        (RUN, {}, "RUN_STATUS_UNSPECIFIED"),
        (CONTEXT, {"modelUri": "gpt://"}, None),
    ],
)
def test_the_type_of_a_yandex_row_is_its_event_or_status(kind, value, type_):
    assert YANDEX.interpret(kind, value).type == type_


@pytest.mark.parametrize(
    ("value", "index"),
    [
        ({"streamCursor": {}}, 0),
        ({"streamCursor": {"currentEventIdx": "0"}}, 0),
        ({"streamCursor": {"currentEventIdx": "12"}}, 12),
        ({"streamCursor": {"currentEventIdx": 12}}, 12),
        ({"streamCursor": {"currentEventIdx": str(2**63 - 1)}}, 2**63 - 1),
        ({"streamCursor": {"currentEventIdx": str(2**63)}}, None),
        ({"streamCursor": {"currentEventIdx": "-1"}}, None),
        ({"streamCursor": {"currentEventIdx": "first"}}, None),
        ({"streamCursor": {"currentEventIdx": 1.0}}, 1),
        ({"streamCursor": {"currentEventIdx": 1.5}}, None),
        ({"streamCursor": {"currentEventIdx": "１"}}, None),  # noqa: RUF001 - a digit, but no JSON one
        ({"streamCursor": {"currentEventIdx": "1_0"}}, None),
        ({"stream_cursor": {}}, 0),
        ({"stream_cursor": {"current_event_idx": "12"}}, 12),
        ({"streamCursor": {"currentEventIdx": True}}, None),
        ({"streamCursor": None}, None),
        ({}, None),
    ],
)
def test_the_index_of_a_yandex_event_is_its_cursor_of_which_zero_may_be_left_out(value, index):
    assert YANDEX.interpret(STREAM_EVENT, value).index == index
    assert YANDEX.interpret(RUN, value).index is None


def test_null_in_proto_json_is_the_same_as_left_out():
    completed = {"content": {"content": [{"text": {"content": "Hello"}}]}}
    event = {"eventType": "DONE", "partialMessage": None, "error": None, "toolCallList": None}
    assert (
        meaning(YANDEX, STREAM_EVENT, event | {"completedMessage": completed}).event.text == "Hello"
    )
    assert meaning(YANDEX, STREAM_EVENT, event | {"completedMessage": None}).event.message is None
    result = meaning(YANDEX, RUN, {"state": None, "usage": None}).result
    assert result == RunResult(RunStatus.RUN_STATUS_UNSPECIFIED)


def test_a_yandex_run_tells_of_itself():
    read = meaning(
        YANDEX,
        RUN,
        {
            "id": "run-1",
            "assistantId": "a",
            "threadId": "t",
            "createdBy": "me",
            "createdAt": "2025-04-07T14:42:56.643453404Z",
            "labels": {"env": "prod"},
            "state": {"status": "FAILED", "error": {"code": "13", "message": "no model"}},
            "usage": {"promptTokens": "12", "totalTokens": "20"},
        },
    )
    assert read == Interpretation(
        result=RunResult(RunStatus.FAILED, error="no model", usage=Usage(12, 20, 0)),
        error_code=13,
        metadata=RunMetadata("a", "t", "me", None, TIME, {"env": "prod"}),
    )


def test_the_time_of_a_yandex_row_is_that_of_its_finished_message():
    completed = {"completedMessage": {"createdAt": "2025-04-07T14:42:56.643453Z"}}
    assert meaning(YANDEX, STREAM_EVENT, completed).time == TIME
    assert meaning(YANDEX, RUN, {"state": completed}).time == TIME
    assert meaning(YANDEX, STREAM_EVENT, {"partialMessage": {}}).time is None


def test_an_assistant_tells_its_runs_the_model_and_a_message_tells_them_nothing():
    assistant = {"id": "a", "modelUri": "gpt://b1g/yandexgpt/latest", "createdBy": "me"}
    message = {"id": "m", "threadId": "t", "createdBy": "me", "labels": {"a": "b"}}
    model = RunMetadata(assistant_id="a", model="gpt://b1g/yandexgpt/latest")
    assert meaning(YANDEX, CONTEXT, assistant).metadata == model
    assert meaning(YANDEX, CONTEXT, message).metadata == RunMetadata()


# -- plain -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "value", "type_"),
    [
        (STREAM_EVENT, {"type": "DONE"}, "DONE"),
        (STREAM_EVENT, {"type": 1}, "PARTIAL_MESSAGE"),
        (STREAM_EVENT, {}, "EVENT_TYPE_UNSPECIFIED"),
        (STREAM_EVENT, {"type": "token"}, "UNKNOWN"),
        (RUN, {"type": "COMPLETED"}, "COMPLETED"),
        (RUN, {"type": "DONE"}, "UNKNOWN"),
        (CONTEXT, {"type": "DONE"}, None),
    ],
)
def test_the_type_of_a_plain_row_is_its_event_or_status(kind, value, type_):
    assert PLAIN.interpret(kind, value).type == type_


@pytest.mark.parametrize(
    ("index", "expected"),
    [(0, 0), (7, 7), (2**63, None), (-1, None), (1.0, None), (True, None), ("7", None)],
)
def test_the_index_of_a_plain_event_is_its_own_number(index, expected):
    assert PLAIN.interpret(STREAM_EVENT, {"source_index": index}).index == expected
    assert PLAIN.interpret(RUN, {"source_index": index}).index is None


def test_a_plain_event_tells_all_that_its_keys_say():
    line = (
        '{"type": "ERROR", "text": "He", "error": {"message": "cut", "code": "E1"},'
        ' "at": "2025-04-07T14:42:56.643453Z", "source_index": 3, "model": "m",'
        ' "labels": {"n": 1}, "created_at": "2025-04-07T14:42:56.643453Z", "thread_id": ""}'
    )
    read = meaning(PLAIN, STREAM_EVENT, json.loads(line))
    assert (read.event.status, read.event.error) == (StreamEvent.ERROR, "cut")
    assert (read.error_code, read.time) == ("E1", TIME)
    assert read.metadata == RunMetadata(model="m", created_at=TIME, labels={"n": "1"})


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ({"text": "Hello"}, ("Hello",)),
        ({"parts": ["Hello", {"image": 1}]}, ("Hello", {"image": 1})),
        ({"parts": ["Hello"], "text": "text"}, ("Hello",)),
        ({"message": {"parts": ["Hello"]}, "text": "text"}, ("Hello",)),
        ({"message": {"id": "m", "parts": ["Hello"]}}, ("Hello",)),
        ({"text": None}, ()),
        ({}, ()),
    ],
)
def test_a_plain_message_is_told_whole_or_by_its_parts_or_by_its_text(value, parts):
    event = meaning(PLAIN, STREAM_EVENT, {"type": "DONE"} | value).event
    assert isinstance(event, RunStreamEvent)
    assert event.parts == parts


def test_a_plain_state_tells_its_usage():
    usage = {"input_text_tokens": 13, "completion_tokens": 7}
    result = meaning(PLAIN, RUN, {"type": "COMPLETED", "text": "Hello", "usage": usage}).result
    assert (result.status, result.text) == (RunStatus.COMPLETED, "Hello")
    assert result.usage == Usage(13, 20, 7)
    assert meaning(PLAIN, STREAM_EVENT, {"type": "DONE", "usage": usage}).total == tally(
        result.usage
    )


def test_plain_context_tells_of_the_run():
    assert meaning(PLAIN, CONTEXT, {"assistant_id": "a"}) == Interpretation(
        metadata=RunMetadata(assistant_id="a")
    )
    assert meaning(PLAIN, CONTEXT, {"input": "hi", "labels": {}}) == Interpretation()
