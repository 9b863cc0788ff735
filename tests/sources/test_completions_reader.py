"""What the reader of the Yandex completions makes of their messages."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st

from runreel.model.events import RUN, STREAM_EVENT
from runreel.model.results import Usage, UsageDetails
from runreel.model.status import RunStatus
from runreel.sources import line_parser, reader_of
from tests.live.completions_service import FINAL, TOOL_CALLS, told
from tests.rules.recordings import meaning
from tests.sources.folding import calls_of, streamed
from tests.strategies import MANY, objects, texts

READER = reader_of("yandex-completions")


def shapes(message: Any) -> list[Any]:
    """The spellings of a message, and the line of the REST interface."""
    names = {"preserving_proto_field_name": True}
    return [
        MessageToDict(message),
        MessageToDict(message, **names),
        MessageToDict(message, use_integers_for_enums=True),
        {"result": MessageToDict(message)},
    ]


@MANY
@given(st.lists(texts, min_size=1, max_size=5), st.integers(0, 3))
def test_a_stream_of_any_texts_is_its_last_message(told_texts, shape):
    # A protobuf string is valid Unicode.
    sent = [text.encode(errors="replace").decode() for text in told_texts]
    messages = [told(text, tokens=number) for number, text in enumerate(sent, 1)]
    messages.append(told(sent[-1], FINAL, tokens=len(sent)))
    found = streamed(READER, [shapes(message)[shape] for message in messages])
    assert found.status is RunStatus.COMPLETED
    assert found.message.text == sent[-1]
    assert found.usage == Usage(9, 9 + len(sent), len(sent))


@pytest.mark.parametrize("shape", range(4))
@pytest.mark.parametrize("kind", [STREAM_EVENT, RUN])
def test_calls_of_tools_wait(shape, kind):
    value = shapes(told(None, TOOL_CALLS, city="Berlin"))[shape]
    found = meaning(READER, kind, value)
    known = found.event or found.result
    assert known.status.name == "TOOL_CALLS"
    assert calls_of(known) == [(None, "weather", {"city": "Berlin"})]
    assert found.details == UsageDetails(reasoning_tokens=2)


def test_usage_after_the_end_belongs_to_the_answer_and_a_text_begins_another():
    only_usage = MessageToDict(told("x", tokens=5))
    del only_usage["alternatives"]
    first = [MessageToDict(told("It", FINAL, tokens=2)), only_usage]
    assert streamed(READER, first).usage == Usage(9, 14, 5)
    found = streamed(READER, [*first, MessageToDict(told("And", FINAL, tokens=1))])
    assert found.usage == Usage(18, 24, 6)
    assert found.message.text == "And"


@pytest.mark.parametrize("usage", [None, [], {"totalTokens": "-1"}, {"totalTokens": "x"}, 5])
def test_an_invalid_usage_is_unknown(usage):
    value = MessageToDict(told("It", FINAL)) | {"usage": usage}
    assert streamed(READER, [value]).usage is None


def test_an_error_of_the_rest_interface_fails_the_run():
    error = {"error": {"grpcCode": 8, "message": "too many", "httpCode": 429}}
    found = streamed(READER, [MessageToDict(told("It")), error])
    assert (found.status, found.error) == (RunStatus.FAILED, "too many")


def test_its_lines_are_recognised_and_those_of_others_are_not():
    for value in (shapes(told("It"))[number] for number in (0, 1, 3)):
        line = line_parser.detect_line({**value, "run_id": "r"})
        assert (line.source, line.kind, line.run_id) == (READER.name, STREAM_EVENT, "r")
    for other in ({"alternatives": []}, {"alternatives": ["x"]}, {"alternatives": [{}]}):
        assert line_parser.try_detect_line(other) is None


@MANY
@given(objects, st.sampled_from([STREAM_EVENT, RUN]))
def test_any_object_is_read(value, kind):
    found = READER.interpret(kind, value)
    found.read("", None)
    READER.interpret(kind, {"alternatives": [value], "usage": value}).read("", READER.memory_type())
