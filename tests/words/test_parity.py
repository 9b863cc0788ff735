"""Our words and readers against the SDK's own classes, on the same protos.

Five differences are meant, each asserted here; any other is a failure:

- ``status_name``: the SDK spells ``runnning``, of unknown statuses too; ours is ``running`` or
  ``unknown``.
- ``MessageStatus``: a number that the SDK raises on is UNKNOWN.
- ``FileChunk.search_index`` and ``.file`` are plain data: no methods, no settings; and where the
  SDK refuses a kind of search index, ours reads on.
- ``UnknownSource.text`` is in our own words.
- ``Usage``: a negative count, which the SDK shows, makes the usage unknown.
"""

from __future__ import annotations

from dataclasses import astuple, fields, is_dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from hypothesis import given
from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent as ProtoStreamEvent
from yandex.cloud.ai.assistants.v1.threads import message_pb2 as threads
from yandex_ai_studio_sdk import AIStudio
from yandex_ai_studio_sdk._files.file import File
from yandex_ai_studio_sdk._messages import citations as sdk_citations
from yandex_ai_studio_sdk._messages import message as sdk_messages
from yandex_ai_studio_sdk._models.completions.result import Usage
from yandex_ai_studio_sdk._runs import result as sdk_results
from yandex_ai_studio_sdk._runs import status as sdk_status
from yandex_ai_studio_sdk._search_indexes.search_index import SearchIndex
from yandex_ai_studio_sdk._tools.function_call import FunctionCall
from yandex_ai_studio_sdk._tools.tool_call import ToolCall
from yandex_ai_studio_sdk._tools.tool_call_list import ToolCallList
from yandex_ai_studio_sdk.auth import NoAuth

from runreel.model import messages, results, status
from runreel.sources.yandex import messages as yandex_messages
from runreel.sources.yandex import reader as yandex_assistants
from runreel.sources.yandex.messages import UNKNOWN_SOURCE
from runreel.sources.yandex.reader import reader
from tests import protos, real_runs
from tests.rules.recordings import meaning
from tests.strategies import MANY, SOME, exact

SDK = AIStudio(folder_id="x", endpoint=None, auth=NoAuth())
SDK_UNKNOWN_SOURCE = "Source's protobuf have unknown fields; try to update yandex-ai-studio-sdk"

# What was written before a failure, which the SDK does not keep.
SO_FAR = {"text_so_far", "parts_so_far"}
# The SDK's class, ours, and what is public on one side only.
PAIRS = [
    (sdk_status.BaseRunStatus, status.BaseRunStatus, set(), set()),
    (sdk_results.RunResult, results.RunResult, set(), SO_FAR),
    (sdk_results.RunStreamEvent, results.RunStreamEvent, set(), SO_FAR),
    (Usage, results.Usage, set(), set()),
    (ToolCallList, results.ToolCallList, set(), set()),
    (ToolCall, results.ToolCall, set(), set()),
    (FunctionCall, results.FunctionCall, set(), set()),
    (sdk_messages.Message, messages.Message, set(), {"finish_reason"}),
    (sdk_messages.PartialMessage, messages.PartialMessage, set(), set()),
    (sdk_messages.Author, messages.Author, set(), set()),
    (sdk_citations.Citation, messages.Citation, set(), set()),
    (sdk_citations.FileChunk, messages.FileChunk, set(), set()),
    (sdk_citations.UnknownSource, messages.UnknownSource, set(), set()),
    (
        SearchIndex,
        messages.SearchIndex,
        # Calls to the service, and settings that are objects of the SDK themselves.
        {"add_files_deferred", "delete", "get_file", "list_files", "update"}
        | {"expiration_config", "index_type"},
        set(),
    ),
    (
        File,
        messages.File,
        {"delete", "download_as_bytes", "get_url", "update"} | {"expiration_config"},
        # The SDK forgets the folder of files, not of search indexes.
        {"folder_id"},
    ),
]
ENUMS = [
    (sdk_status.RunStatus, status.RunStatus, {}),
    (sdk_status.StreamEvent, status.StreamEvent, {}),
    (sdk_messages.MessageStatus, status.MessageStatus, {"UNKNOWN": -1}),
]
BY_NAME = {theirs.__name__: (theirs, ours) for theirs, ours, _, _ in PAIRS}


def public(kind: type) -> set[str]:
    names = set(dir(kind)) | ({f.name for f in fields(kind)} if is_dataclass(kind) else set())
    return {name for name in names if not name.startswith("_")}


def told(thing: Any) -> Any:
    """All that a thing of either side says of itself, as plain values."""
    if isinstance(thing, IntEnum):
        return f"{type(thing).__name__}.{thing.name}", int(thing)
    if isinstance(thing, (str, float, int, datetime, type(None))):
        return type(thing).__name__, thing
    if isinstance(thing, dict):
        return exact(thing)
    if isinstance(thing, tuple):
        return [told(item) for item in thing]
    theirs, ours = BY_NAME[type(thing).__name__]
    assert type(thing) in (theirs, ours)
    names = sorted(public(theirs) & public(ours))
    return {name: answer for name in names if not callable(answer := asked(thing, name))}


def asked(thing: Any, name: str) -> Any:
    try:
        answer = getattr(thing, name)
    except ValueError as error:
        return "ValueError", str(error)
    if callable(answer):
        return answer
    if name == "status_name" and answer == "runnning":
        answer = "running" if thing.is_running else "unknown"
    if name == "text" and answer == SDK_UNKNOWN_SOURCE:
        answer = UNKNOWN_SOURCE
    return told(answer)


def told_by_sdk(kind: type, proto: Any) -> Any:
    return told(kind._from_proto(proto=proto, sdk=SDK))


# -- Classes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("theirs", "ours", "only_theirs", "only_ours"), PAIRS)
def test_each_word_has_the_public_names_of_its_sdk_class(theirs, ours, only_theirs, only_ours):
    assert public(theirs) - public(ours) == only_theirs
    assert public(ours) - public(theirs) == only_ours


@pytest.mark.parametrize("name", ["RunResult", "RunStreamEvent", "Author"])
def test_what_people_construct_has_its_fields_in_the_order_of_the_sdk(name):
    theirs, ours = BY_NAME[name]
    assert [field.name for field in fields(ours)] == [field.name for field in fields(theirs)]


@pytest.mark.parametrize(("theirs", "ours", "added"), ENUMS)
def test_each_enumeration_has_the_names_and_numbers_of_the_sdk(theirs, ours, added):
    names = {name: int(member) for name, member in theirs.__members__.items()}
    assert {name: int(member) for name, member in ours.__members__.items()} == names | added
    assert public(theirs) - public(ours) == set()
    assert public(ours) - public(theirs) == set(added)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (theirs(member), ours(member))
        for theirs, ours, _ in ENUMS[:2]
        for member in theirs.__members__.values()
    ],
)
def test_each_status_answers_as_in_the_sdk(theirs, ours):
    for name in ("is_running", "is_succeeded", "is_failed", "is_finished", "name", "value"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert str(ours) == str(theirs)
    assert asked(ours, "status_name") == asked(theirs, "status_name")


def test_the_status_names_of_the_sdk_differ_in_a_spelling_and_in_the_unknown():
    assert sdk_status.RunStatus.PENDING.status_name == "runnning"
    assert status.RunStatus.PENDING.status_name == "running"
    assert sdk_status.StreamEvent.UNKNOWN.status_name == "runnning"
    assert status.StreamEvent.UNKNOWN.status_name == "unknown"
    assert status.RunStatus.RUN_STATUS_UNSPECIFIED.status_name == "unknown"


@pytest.mark.parametrize(("theirs", "ours", "added"), ENUMS[:2])
@pytest.mark.parametrize("number", [-7, -1, 0, 1, 2, 3, 4, 5, 6, 99])
def test_a_number_is_read_as_the_sdk_reads_it(theirs, ours, added, number):
    assert int(ours.coerce(number)) == int(theirs._from_proto(number))


@pytest.mark.parametrize(("theirs", "ours", "added"), ENUMS)
def test_an_unknown_number_is_no_member(theirs, ours, added):
    for kind in (theirs, ours):
        with pytest.raises(ValueError, match="99 is not a valid"):
            kind(99)


# -- Protos ----------------------------------------------------------------------------------------


@MANY
@given(protos.runs)
def test_a_run_reads_as_the_result_that_the_sdk_makes_of_it(proto):
    read = meaning(reader, "run", protos.to_json(proto))
    assert told(read.result) == told_by_sdk(sdk_results.RunResult, proto)
    assert read.event is None


@MANY
@given(protos.stream_events)
def test_a_stream_event_reads_as_the_event_that_the_sdk_makes_of_it(proto):
    read = meaning(reader, "stream_event", protos.to_json(proto))
    assert told(read.event) == told_by_sdk(sdk_results.RunStreamEvent, proto)
    assert read.result is None


@SOME
@given(protos.messages)
def test_a_message_reads_as_in_the_sdk(proto):
    ours = yandex_messages.completed_message(protos.to_json(proto))
    assert told(ours) == told_by_sdk(sdk_messages.Message, proto)


SPELLINGS = pytest.mark.parametrize(
    "how",
    [{"preserving_proto_field_name": True}, {"always_print_fields_with_no_presence": True}],
    ids=["original names", "defaults"],
)


@SPELLINGS
@SOME
@given(kind_proto=protos.kinds)
def test_every_spelling_of_proto_json_reads_alike(how, kind_proto):
    kind, proto = kind_proto
    usual, other = protos.to_json(proto), protos.to_json(proto, **how)
    ours, theirs = meaning(reader, kind, usual), meaning(reader, kind, other)
    assert (told(ours.event), told(ours.result)) == (told(theirs.event), told(theirs.result))
    assert (ours.metadata, ours.time, ours.error_code) == (
        theirs.metadata,
        theirs.time,
        theirs.error_code,
    )
    assert (ours.total, theirs.unread) == (theirs.total, ())
    assert reader.interpret(kind, usual).type == reader.interpret(kind, other).type
    assert reader.interpret(kind, usual).index == reader.interpret(kind, other).index
    texts = [[container[key] for container, key in reader.slots(value)] for value in (usual, other)]
    assert [text for text in texts[0] if text] == [text for text in texts[1] if text]


def test_a_negative_count_which_the_sdk_shows_is_not_understood():
    proto = Run(usage={"prompt_tokens": -1, "completion_tokens": 2, "total_tokens": 1})
    read = meaning(reader, "run", protos.to_json(proto))
    assert sdk_results.RunResult._from_proto(proto=proto, sdk=SDK).usage.input_text_tokens == -1
    assert (read.result.usage, read.unread) == (None, ("usage",))


def test_a_usage_takes_positional_arguments_in_the_order_of_the_sdk():
    assert results.Usage(1, 2, 3) == results.Usage(*astuple(Usage(1, 2, 3)))
    assert results.Usage(1, 2, 3).total_tokens == Usage(1, 2, 3).total_tokens == 2


@pytest.mark.parametrize("name", ["message", "text", "parts", "citations"])
def test_a_failed_run_raises_where_the_sdk_does(name):
    proto = Run(state={"status": 3, "error": {"code": 13, "message": "no model"}})
    ours = meaning(reader, "run", protos.to_json(proto)).result
    theirs = sdk_results.RunResult._from_proto(proto=proto, sdk=SDK)
    for result in (ours, theirs):
        assert result.error == "no model"
        with pytest.raises(ValueError, match="run is failed and don't have a message result"):
            getattr(result, name)


def test_a_list_of_tool_calls_is_a_sequence_as_in_the_sdk():
    calls = [{"functionCall": {"name": name, "arguments": {"n": 1}}} for name in "abc"]
    value = {"eventType": "TOOL_CALLS", "toolCallList": {"toolCalls": calls}}
    proto = ParseDict(value, ProtoStreamEvent())
    ours = yandex_assistants.stream_event(value).tool_calls
    theirs = sdk_results.RunStreamEvent._from_proto(proto=proto, sdk=SDK).tool_calls
    for listed in (ours, theirs):
        assert len(listed) == 3
        assert [call.function.name for call in listed] == ["a", "b", "c"]
        assert [call.function.name for call in listed[1:]] == ["b", "c"]
        assert isinstance(listed[1:], tuple)
        assert listed[-1].function.name == "c"
        assert listed[0] in listed
        assert exact(listed[0].function.arguments) == '{"n": 1.0}'
        with pytest.raises(IndexError):
            listed[3]


# -- The differences that are meant ----------------------------------------------------------------


def test_an_unknown_message_status_is_read_where_the_sdk_raises():
    proto = threads.Message(id="m", status=99, content={"content": [{"text": {"content": "hi"}}]})
    with pytest.raises(ValueError, match="99 is not a valid MessageStatus"):
        sdk_messages.Message._from_proto(proto=proto, sdk=SDK)
    ours = yandex_messages.completed_message(protos.to_json(proto))
    assert (ours.status, ours.text) == (status.MessageStatus.UNKNOWN, "hi")


@pytest.mark.parametrize(
    ("settings", "refusal"),
    [
        ({"expiration_config": {"expiration_policy": 1}}, "search index types other than"),
        ({"text_search_index": {}}, "0 is not a valid ExpirationPolicy"),
    ],
)
def test_a_chunk_of_an_index_with_unknown_settings_is_read_where_the_sdk_raises(settings, refusal):
    chunk = {
        "search_index": {"id": "s", **settings},
        "content": {"content": [{"text": {"content": "hi"}}]},
    }
    proto = threads.Message(citations=[{"sources": [{"chunk": chunk}]}])
    with pytest.raises((NotImplementedError, ValueError), match=refusal):
        sdk_messages.Message._from_proto(proto=proto, sdk=SDK)
    (citation,) = yandex_messages.completed_message(protos.to_json(proto)).citations
    index = messages.SearchIndex(id="s")
    assert citation.sources == (messages.FileChunk(("hi",), search_index=index, file=None),)


def test_an_unknown_source_says_where_to_look_in_our_words():
    proto = threads.Message(citations=[{"sources": [{}]}])
    (theirs,) = sdk_messages.Message._from_proto(proto=proto, sdk=SDK).citations
    (ours,) = yandex_messages.completed_message(protos.to_json(proto)).citations
    assert theirs.sources[0].text == SDK_UNKNOWN_SOURCE
    assert ours.sources[0].text == UNKNOWN_SOURCE
    assert ours.sources[0].type == theirs.sources[0].type == "unknown"


def test_the_folder_of_a_file_is_told():
    file = {"id": "f", "folder_id": "b1g"}
    chunk = {"search_index": {"text_search_index": {}}, "source_file": file}
    value = protos.to_json(threads.Message(citations=[{"sources": [{"chunk": chunk}]}]))
    (citation,) = yandex_messages.completed_message(value).citations
    assert citation.sources[0].file == messages.File(id="f", folder_id="b1g")


# -- Recordings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", real_runs.RECORDINGS)
def test_traffic_of_the_service_reads_as_in_the_sdk(name):
    kinds = {
        "run": (Run, sdk_results.RunResult, "result"),
        "stream_event": (ProtoStreamEvent, sdk_results.RunStreamEvent, "event"),
    }
    lines = [line for line in real_runs.RECORDINGS[name] if line["type"] in kinds]
    assert lines
    for line in lines:
        proto_kind, sdk_kind, named = kinds[line["type"]]
        proto = ParseDict(line["data"], proto_kind())
        ours = getattr(meaning(reader, line["type"], line["data"]), named)
        assert told(ours) == told_by_sdk(sdk_kind, proto)
