from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given

from runreel.codec import json_text, plain_json
from runreel.model.messages import (
    Author,
    Citation,
    File,
    FileChunk,
    Message,
    PartialMessage,
    SearchIndex,
    UnknownSource,
)
from runreel.model.results import (
    FunctionCall,
    RunResult,
    RunStreamEvent,
    ToolCall,
    ToolCallList,
    Usage,
)
from runreel.model.status import MessageStatus, RunStatus, StreamEvent
from runreel.sources.plain import reader
from tests.rules.recordings import meaning
from tests.strategies import MANY, SOME, lookalikes, run_results, run_stream_events, values

MESSAGE = Message(
    id="m",
    parts=("42, as the book says",),
    thread_id="t",
    created_by="me",
    created_at=datetime(2025, 4, 7, 14, 42, 56, 643453),  # noqa: DTZ001 - naive, as in the SDK
    labels={"k": "v"},
    author=Author("a", "ASSISTANT"),
    citations=(
        Citation(
            (
                FileChunk(("page 1",), SearchIndex("s", name="books"), File("f", mime_type="a/b")),
                FileChunk((), SearchIndex(None), None),
                UnknownSource("somewhere"),
            )
        ),
    ),
    status=MessageStatus.TRUNCATED,
)
CALLS = ToolCallList((ToolCall("call-1", FunctionCall("f", {"n": 1})), ToolCall(None, None)))


@MANY
@given(run_results)
def test_a_result_comes_back_equal_from_its_plain_json(result):
    stored = json_text.dumps(plain_json.result_value(result))
    assert plain_json.result(json_text.loads(stored)) == result


@MANY
@given(run_stream_events)
def test_an_event_comes_back_equal_from_its_plain_json(event):
    value = json_text.loads(json_text.dumps(plain_json.event_value(event)))
    assert meaning(reader, "stream_event", value).event == event


def test_the_plain_json_of_a_result_is_this():
    result = RunResult(
        RunStatus.COMPLETED, tool_calls=CALLS, _message=MESSAGE, usage=Usage(3, 7, 4)
    )
    assert plain_json.result_value(result) == {
        "type": "COMPLETED",
        "message": {
            "id": "m",
            "parts": ["42, as the book says"],
            "thread_id": "t",
            "created_by": "me",
            "created_at": "2025-04-07T14:42:56.643453Z",
            "labels": {"k": "v"},
            "author": {"id": "a", "role": "ASSISTANT"},
            "citations": [
                {
                    "sources": [
                        {
                            "type": "filechunk",
                            "parts": ["page 1"],
                            "search_index": {"id": "s", "name": "books"},
                            "file": {"id": "f", "mime_type": "a/b"},
                        },
                        {"type": "filechunk", "parts": [], "search_index": {}, "file": None},
                        {"type": "unknown", "text": "somewhere"},
                    ]
                }
            ],
            "status": "TRUNCATED",
        },
        "tool_calls": [
            {"id": "call-1", "name": "f", "arguments": {"n": 1}},
            {"id": None, "name": None, "arguments": None},
        ],
        "usage": {"input_text_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
    }


@pytest.mark.parametrize(
    ("event", "value"),
    [
        (
            RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("so far",))),
            {"type": "PARTIAL_MESSAGE", "text": "so far"},
        ),
        (
            RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("a", {"b": 1}))),
            {"type": "PARTIAL_MESSAGE", "parts": ["a", {"b": 1}]},
        ),
        (
            RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(())),
            {"type": "PARTIAL_MESSAGE", "parts": []},
        ),
        (RunStreamEvent(StreamEvent.DONE), {"type": "DONE"}),
        (RunStreamEvent(StreamEvent.ERROR, error=""), {"type": "ERROR", "error": ""}),
    ],
)
def test_the_plain_json_of_an_event_says_what_there_is_and_no_more(event, value):
    assert plain_json.event_value(event) == value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ({}, None),
        ({"total_tokens": None}, None),
        ({"total_tokens": "12"}, None),
        ({"total_tokens": True}, None),
        ({"total_tokens": 10**30}, None),
        ({"total_tokens": 12}, None),
        ({"input_text_tokens": 5, "completion_tokens": 7}, Usage(5, 12, 7)),
        ({"input_text_tokens": 5, "total_tokens": 5}, None),
        ({"input_text_tokens": 5, "completion_tokens": 7, "total_tokens": 20}, Usage(5, 20, 7)),
        ({"input_text_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, Usage(0, 0, 0)),
    ],
)
def test_usage_is_unknown_where_no_count_is_told_and_a_total_left_out_is_the_sum(value, expected):
    assert plain_json.usage(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"error": "no model"}, "no model"),
        ({"error": {"message": "no model", "code": 13}}, "no model"),
        ({"error": {"code": 13}}, None),
        ({"error": None}, None),
        ({"error": 13}, None),
        ({}, None),
    ],
)
def test_an_error_is_told_by_its_message(value, expected):
    assert plain_json.error(value) == expected


def test_what_nothing_is_told_of_has_no_plain_value():
    assert plain_json.usage_value(None) is None
    assert plain_json.tool_calls_value(None) is None
    assert plain_json.tool_calls([]) is None
    assert plain_json.tool_calls("no list") is None


@SOME
@given(values | lookalikes)
def test_odd_json_is_read_as_some_result(value):
    result = plain_json.result(value)
    assert isinstance(result.status, RunStatus)
    json_text.dumps(plain_json.result_value(result))
