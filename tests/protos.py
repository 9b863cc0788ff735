"""Protos of the Assistants service: hypothesis strategies, and their JSON."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st
from yandex.cloud.ai.assistants.v1 import common_pb2 as common
from yandex.cloud.ai.assistants.v1.runs import run_pb2, run_service_pb2
from yandex.cloud.ai.assistants.v1.searchindex import search_index_pb2 as search_index
from yandex.cloud.ai.assistants.v1.threads import message_pb2 as threads
from yandex.cloud.ai.common import common_pb2 as cloud
from yandex.cloud.ai.files.v1 import file_pb2 as files

from tests.strategies import INT64

# Protos take no surrogates; that the fields are often empty is the point of most of them.
words = st.one_of(
    st.just(""), st.sampled_from(["fvt1", "ASSISTANT", "привет", "\0", "😀"]), st.text()
)
labels = st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2)
# From year 1 to year 9999, which is all that a Timestamp may tell.
stamps = st.builds(
    Timestamp,
    seconds=st.integers(-62_135_596_800, 253_402_300_799)
    | st.integers(1_700_000_000, 1_800_000_000),
    nanos=st.integers(0, 999_999_999) | st.sampled_from([0, 1, 999, 1000, 453_000_000]),
)
_optional_stamp = st.none() | stamps

parts = st.lists(
    st.builds(threads.ContentPart, text=st.none() | st.builds(threads.Text, content=words)),
    max_size=3,
)
contents = st.builds(threads.MessageContent, content=parts)

# The SDK refuses policies and index types that it does not know, or that are left out.
_expirations = st.builds(
    cloud.ExpirationConfig,
    expiration_policy=st.sampled_from([1, 2]),
    ttl_days=st.integers(0, 365),
)
_resource: dict[str, Any] = {
    "id": words,
    "folder_id": words,
    "name": words,
    "description": words,
    "created_by": words,
    "created_at": _optional_stamp,
    "updated_by": words,
    "updated_at": _optional_stamp,
    "expires_at": _optional_stamp,
    "labels": labels,
}
search_indexes = st.builds(
    search_index.SearchIndex,
    **_resource,
    expiration_config=_expirations,
    text_search_index=st.just(search_index.TextSearchIndex()),
)
source_files = st.builds(files.File, **_resource, expiration_config=_expirations, mime_type=words)
chunks = st.builds(
    threads.FileChunk,
    search_index=search_indexes,
    source_file=st.none() | st.just(files.File()) | source_files,
    content=st.none() | st.builds(threads.ChunkContent, content=parts),
)
citations = st.builds(
    threads.Citation,
    sources=st.lists(st.builds(threads.Source, chunk=st.none() | chunks), max_size=2),
)
# A status that the SDK does not know makes it raise: that is a test of its own.
messages = st.builds(
    threads.Message,
    id=words,
    thread_id=words,
    created_by=words,
    created_at=_optional_stamp,
    author=st.none() | st.builds(threads.Author, id=words, role=words),
    labels=labels,
    content=st.none() | contents,
    status=st.sampled_from([0, 1, 2, 3]),
    citations=st.lists(citations, max_size=2),
)

_numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**60), 2**60)
_arguments = st.recursive(
    st.none() | st.booleans() | _numbers | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)


def struct(arguments: dict[str, Any]) -> Struct:
    """A Struct of plain values."""
    filled = Struct()
    filled.update(arguments)
    return filled


function_calls = st.builds(
    common.FunctionCall,
    name=words,
    arguments=st.none() | st.dictionaries(words, _arguments, max_size=3).map(struct),
)
tool_call_lists = st.builds(
    common.ToolCallList,
    tool_calls=st.lists(
        st.builds(common.ToolCall, function_call=st.none() | function_calls), max_size=3
    ),
)
errors = st.builds(cloud.Error, code=st.just(0) | st.integers(-(2**31), 2**31 - 1), message=words)

# Numbers beyond the enumerations are what a newer server would send.
_outcomes = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"error": errors}),
    st.fixed_dictionaries({"completed_message": messages}),
    st.fixed_dictionaries({"tool_call_list": tool_call_lists}),
)
states = st.builds(
    lambda status, outcome: run_pb2.RunState(status=status, **outcome),
    st.integers(0, 5) | st.sampled_from([6, 99, -7]),
    _outcomes,
)
# The SDK shows negative counts, which runreel does not understand.
_counts = st.just(0) | st.integers(0, 2**63 - 1)
usages = st.builds(
    run_pb2.ContentUsage,
    prompt_tokens=_counts,
    completion_tokens=_counts,
    total_tokens=_counts,
)
runs = st.builds(
    run_pb2.Run,
    id=words,
    assistant_id=words,
    thread_id=words,
    created_by=words,
    created_at=_optional_stamp,
    labels=labels,
    state=st.none() | states,
    usage=st.none() | usages,
)
stream_events = st.builds(
    lambda kind, cursor, outcome: run_service_pb2.StreamEvent(
        event_type=kind, stream_cursor=cursor, **outcome
    ),
    st.integers(0, 4) | st.sampled_from([5, 99, -7]),
    st.none() | st.builds(run_service_pb2.StreamCursor, current_event_idx=st.just(0) | INT64),
    _outcomes | st.fixed_dictionaries({"partial_message": contents}),
)


# Each with the kind of row that holds it.
kinds = st.tuples(st.just("run"), runs) | st.tuples(st.just("stream_event"), stream_events)


def to_json(proto: Any, **how: bool) -> Any:
    """The proto as the log has it, or in another spelling of proto JSON."""
    return MessageToDict(proto, **how)
