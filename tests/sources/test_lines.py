from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.model.errors import BadInput, BadValue
from runreel.sources.line_parser import Line, parse
from tests.strategies import MANY, lookalikes, values

EVENT = {"eventType": "DONE", "streamCursor": {}}
RUN = {"id": "run-1", "assistantId": "a", "threadId": "t", "state": {"status": "PENDING"}}


def line(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            {"type": "run", "data": RUN},
            Line("yandex-assistants", "run", RUN, "run-1", "a", "t"),
        ),
        (
            {"type": "stream_event", "data": EVENT, "request": {"runId": "run-1"}},
            Line("yandex-assistants", "stream_event", EVENT, "run-1"),
        ),
        (
            {"type": "stream_event", "data": EVENT, "run_id": "run-1"},
            Line("yandex-assistants", "stream_event", EVENT, "run-1"),
        ),
        (
            {"type": "stream_event", "data": EVENT},
            Line("yandex-assistants", "stream_event", EVENT),
        ),
        (
            {"type": "tool_results", "data": {"x": 1}, "run_id": "run-1"},
            Line("yandex-assistants", "tool_results", {"x": 1}, "run-1"),
        ),
        (
            {"type": "assistant", "data": {"id": "a", "modelUri": "m"}},
            Line("yandex-assistants", "context", {"id": "a", "modelUri": "m"}, assistant="a"),
        ),
        (
            {"type": "message", "data": {"id": "m", "threadId": "t"}},
            Line("yandex-assistants", "context", {"id": "m", "threadId": "t"}, thread="t"),
        ),
    ],
)
def test_a_line_of_recorded_traffic_is_its_data(value, expected):
    assert parse(line(value)) == expected


@pytest.mark.parametrize(
    ("value", "source", "kind", "run_id"),
    [
        (EVENT, "yandex-assistants", "stream_event", None),
        ({"partialMessage": {}, "runId": "run-1"}, "yandex-assistants", "stream_event", "run-1"),
        (RUN, "yandex-assistants", "run", "run-1"),
        ({"type": "DONE", "text": "Hello"}, "plain", "stream_event", None),
        ({"type": "TOOL_CALLS", "run_id": "run-1"}, "plain", "stream_event", "run-1"),
        ({"type": "TOOL_CALLS", "kind": "run"}, "plain", "run", None),
        ({"type": "COMPLETED", "usage": {}}, "plain", "run", None),
        ({"kind": "context", "model": "m"}, "plain", "context", None),
        ({"tool_results": []}, "plain", "tool_results", None),
    ],
)
def test_a_bare_line_is_told_by_its_keys(value, source, kind, run_id):
    told = parse(line(value))
    assert (told.source, told.kind, told.run_id) == (source, kind, run_id)
    assert told.value == value


@pytest.mark.parametrize(
    "raw", [b"", b"  \r\n", b"data: [DONE]", b"event: delta", b": keep-alive", b"id: 7", b"data:"]
)
def test_a_line_may_hold_no_event(raw):
    assert parse(raw) is None


def test_the_data_of_a_server_sent_event_is_a_line():
    assert parse(b'data: {"type": "DONE"}\r\n') == Line("plain", "stream_event", {"type": "DONE"})


@pytest.mark.parametrize(
    ("raw", "error", "reason"),
    [
        (b"{", BadValue, "not JSON"),
        (b'{"type": NaN}', BadValue, "NaN is not JSON"),
        (b"[1, 2]", BadInput, "an event must be a JSON object"),
        (b'"text"', BadInput, "an event must be a JSON object"),
        (b"{}", BadInput, "unrecognised event"),
        (b'{"b": 1, "a": 2}', BadInput, r"unrecognised event \(keys: a, b\)"),
        (b'{"type": "token"}', BadInput, "unrecognised event"),
        (b'{"type": []}', BadInput, "unrecognised event"),
        (b'{"type": "DONE", "kind": {}}', BadInput, "unrecognised event"),
        (b'{"type": "run", "data": []}', BadInput, "unrecognised event"),
    ],
)
def test_a_line_that_is_no_event_is_refused_with_the_reason(raw, error, reason):
    with pytest.raises(error, match=reason):
        parse(raw)


@MANY
@given(
    (lookalikes | values).map(line)
    | st.fixed_dictionaries({"type": lookalikes, "data": lookalikes, "kind": lookalikes}).map(line)
    | st.binary(max_size=20)
)
def test_any_line_is_an_event_or_none_or_bad_input(raw):
    try:
        told = parse(raw)
    except BadInput:
        return
    assert told is None or isinstance(told.value, dict)
