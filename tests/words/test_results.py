from __future__ import annotations

import dataclasses

import pytest

from runreel.model.messages import (
    Author,
    Citation,
    File,
    FileChunk,
    Message,
    PartialMessage,
    SearchIndex,
    UnknownSource,
    describe_source,
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

CITED = (Citation((UnknownSource("a book"),)),)
MESSAGE = Message(
    id="m",
    parts=("one", {"image": 1}, "two"),
    thread_id="t",
    created_by=None,
    created_at=None,
    labels=None,
    author=Author("a", "ASSISTANT"),
    citations=CITED,
    status=MessageStatus.COMPLETED,
)


def test_the_text_of_a_message_is_its_string_parts_on_lines_of_their_own():
    assert MESSAGE.text == "one\ntwo"
    assert PartialMessage(("one",)).text == "one"
    assert PartialMessage(()).text == ""


@pytest.mark.parametrize(
    ("file", "index", "described"),
    [
        (File(None, name="sums.csv"), SearchIndex("i"), "file sums.csv, search index i"),
        (File("f"), SearchIndex(None), "file f"),
        (None, SearchIndex(None, name="notes"), "search index notes"),
        (None, SearchIndex(None), "an unknown file"),
    ],
)
def test_a_source_is_described_by_what_is_known(file, index, described):
    assert describe_source(FileChunk((), index, file)) == described


def test_the_role_of_a_message_is_its_authors():
    assert MESSAGE.role == "ASSISTANT"


def test_a_result_shows_what_its_message_holds():
    result = RunResult(RunStatus.COMPLETED, _message=MESSAGE, usage=Usage(3, 7, 4))
    assert result.message is MESSAGE
    assert result.text == "one\ntwo"
    assert result.parts == ("one", {"image": 1}, "two")
    assert result.citations == CITED
    assert result.usage == Usage(input_text_tokens=3, completion_tokens=4, total_tokens=7)
    assert result.status_name == "success"


@pytest.mark.parametrize(
    "state", [RunResult(RunStatus.IN_PROGRESS), RunStreamEvent(StreamEvent.TOOL_CALLS)]
)
def test_without_a_message_there_is_no_text_and_there_are_no_parts(state):
    assert (state.message, state.text, state.parts) == (None, None, ())


def test_without_a_finished_message_there_are_no_citations():
    assert RunResult(RunStatus.COMPLETED).citations == ()
    assert RunResult(RunStatus.IN_PROGRESS, _message=PartialMessage(("so far",))).citations == ()


@pytest.mark.parametrize(
    ("state", "names"),
    [
        (RunResult(RunStatus.FAILED, error="no"), ("message", "text", "parts", "citations")),
        (RunStreamEvent(StreamEvent.ERROR, error="no"), ("message", "text", "parts")),
    ],
)
def test_what_failed_refuses_to_show_a_message(state, names):
    assert state.is_failed
    assert state.is_finished
    for name in names:
        with pytest.raises(ValueError, match="run is failed and don't have a message result"):
            getattr(state, name)


def test_tool_calls_are_a_sequence():
    first, second = ToolCall(None, FunctionCall("f", {"n": 1.0})), ToolCall("id", None)
    calls = ToolCallList((first, second))
    assert list(calls) == [first, second]
    assert (len(calls), calls[1], calls[:1]) == (2, second, (first,))
    assert second in calls
    assert calls.index(second) == 1


@pytest.mark.parametrize(
    "word", [RunResult(RunStatus.FAILED), RunStreamEvent(StreamEvent.DONE), MESSAGE, Usage(1, 3, 2)]
)
def test_words_are_frozen_and_have_no_room_for_other_names(word):
    name = dataclasses.fields(word)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(word, name, None)
    assert not hasattr(word, "__dict__")
