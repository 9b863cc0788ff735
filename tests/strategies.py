"""What hypothesis draws from: JSON values, texts as answers grow, words; and how often."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st

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

if TYPE_CHECKING:
    from collections.abc import Callable

MANY = settings(max_examples=50)
SOME = settings(max_examples=20)

INT64 = st.integers(-(2**63), 2**63 - 1)


def exact(value: Any) -> str:
    """A spelling that tells 1 from 1.0 from True and 0.0 from -0.0, whatever the order of keys."""
    return json.dumps(value, sort_keys=True)


def as_json(value: Any) -> Any:
    """The value as JSON reads it back: two surrogates that make a pair are one character."""
    return json.loads(json.dumps(value))


# Short texts of what breaks codecs: NUL, surrogates alone and in pairs, characters of every width.
_ODD = st.text(
    st.sampled_from('a"\\/\n\0\x1f\x7f\x85é\u2028\ufeff\uffffя\ud83d\ude00\ud800\udfff😀')
)
texts = st.one_of(
    st.text(max_size=20),
    _ODD,
    st.text(st.characters(exclude_categories=()), max_size=20),
).map(as_json)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**60), 10**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, 0.0, -0.0, 1, 1.0, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 1e16, 5e-324]),
    texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(texts, values, max_size=4)


# What is, or nearly is, a partial message with its text alone.
_names = st.sampled_from(["PARTIAL_MESSAGE", "PARTIAL_MESSAGE", "DONE", 1, None])
_numbers = st.integers(-2, 12) | INT64 | scalars
_spoken = texts | scalars
spoken_lookalikes = st.one_of(
    st.fixed_dictionaries(
        {"type": _names, "text": _spoken}, optional={"source_index": _numbers, "at": scalars}
    ),
    st.fixed_dictionaries(
        {
            "eventType": _names,
            "streamCursor": st.fixed_dictionaries(
                {}, optional={"currentEventIdx": _numbers | _numbers.map(str) | st.just("07")}
            ),
            "partialMessage": st.fixed_dictionaries(
                {
                    "content": st.lists(
                        st.fixed_dictionaries(
                            {"text": st.fixed_dictionaries({"content": _spoken})}
                        ),
                        min_size=1,
                        max_size=2,
                    )
                }
            ),
        },
        optional={"error": scalars},
    ),
)


def _changed(parts: list[str]) -> st.SearchStrategy[list[str]]:
    """What a message may be after it was ``parts``: mostly longer, sometimes anything."""
    grown = texts.map(lambda more: [*parts[:-1], as_json((parts or [""])[-1] + more)])
    another = texts.map(lambda more: [*parts, more])
    cut = st.integers(0, 30).map(lambda n: [*parts[:-1], as_json((parts or [""])[-1][:n])])
    fewer = st.integers(0, 3).map(lambda n: parts[:n])
    rewritten = st.lists(texts, max_size=4)
    return st.one_of(grown, grown, another, cut, fewer, rewritten)


@st.composite
def tellings(draw: Callable[..., Any], max_size: int = 8) -> list[list[str]]:
    """The parts of a run's message, event by event: growing, shrinking, rewritten."""
    told: list[list[str]] = [draw(st.lists(texts, max_size=3))]
    for _ in range(draw(st.integers(0, max_size - 1))):
        told.append(draw(_changed(told[-1])))
    return told


def nested(depth: int) -> Any:
    """A value of that many arrays, one in the other."""
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


# JSON that looks like a source's events here and there.
_KEYS = [
    *("+", "type", "text", "parts", "message", "source_index", "at", "usage", "total_tokens"),
    *("error", "code", "error_code", "tool_calls", "id", "name", "arguments", "labels"),
    *("citations", "sources", "search_index", "file", "author", "model", "created_at"),
    *("eventType", "partialMessage", "completedMessage", "content", "state", "status"),
    *("streamCursor", "currentEventIdx", "toolCallList", "toolCalls", "functionCall"),
    *("chunk", "sourceFile", "searchIndex", "promptTokens", "createdAt", "modelUri"),
    *("delta", "refusal", "choices", "finish_reason", "object", "index", "function", "created"),
    *("response", "output", "item", "part", "output_index", "annotations", "input_tokens"),
]
lookalikes = st.recursive(
    texts
    | st.integers(-5, 5)
    | st.sampled_from([None, True, 1.0, "DONE", "12", "filechunk", "2025-04-07T14:42:56Z", 10**30])
    | st.sampled_from(["response.created", "response.output_text.delta", "response.completed"])
    | st.sampled_from(["response.output_text.done", "message", "stop", "tool_calls", "completed"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5)
    ),
    max_leaves=12,
)

# Words, as a source or a program of the user's may make them. Naive times are UTC, as in the SDK.
_names = st.none() | texts
_times = st.none() | st.datetimes()
_labels = st.none() | st.dictionaries(texts, texts, max_size=2)
_resource: dict[str, Any] = {
    "id": _names,
    "folder_id": _names,
    "name": _names,
    "description": _names,
    "created_by": _names,
    "created_at": _times,
    "updated_by": _names,
    "updated_at": _times,
    "expires_at": _times,
    "labels": _labels,
}
_parts = st.lists(texts | values, max_size=3).map(tuple)
_sources = st.one_of(
    st.builds(UnknownSource, text=texts),
    st.builds(
        FileChunk,
        parts=_parts,
        search_index=st.builds(SearchIndex, **_resource),
        file=st.none() | st.builds(File, **_resource, mime_type=_names),
    ),
)
_citations = st.builds(Citation, sources=st.lists(_sources, max_size=2).map(tuple))
partial_messages = st.builds(PartialMessage, parts=_parts)
messages = st.builds(
    Message,
    id=_names,
    parts=_parts,
    thread_id=_names,
    created_by=_names,
    created_at=_times,
    labels=_labels,
    author=st.builds(Author, id=texts, role=texts),
    citations=st.lists(_citations, max_size=2).map(tuple),
    status=st.sampled_from(MessageStatus),
)
# An empty list of calls is no list: no source tells one.
tool_calls = st.builds(
    ToolCallList,
    st.lists(
        st.builds(
            ToolCall,
            id=_names,
            function=st.none() | st.builds(FunctionCall, name=texts, arguments=objects),
        ),
        min_size=1,
        max_size=2,
    ).map(tuple),
)
_counts = st.integers(0, 10**9)
usages = st.builds(Usage, _counts, _counts, _counts)
_state: dict[str, Any] = {
    "error": _names,
    "tool_calls": st.none() | tool_calls,
    "_message": st.none() | partial_messages | messages,
}
run_stream_events = st.builds(RunStreamEvent, status=st.sampled_from(StreamEvent), **_state)
run_results = st.builds(
    RunResult, status=st.sampled_from(RunStatus), usage=st.none() | usages, **_state
)
