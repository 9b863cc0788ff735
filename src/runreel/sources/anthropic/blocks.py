"""Content blocks of messages: texts, calls of tools, sources of citations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec.json_values import object_in, objects_in, text_in
from runreel.model.messages import Citation, File, FileChunk, SearchIndex, UnknownSource
from runreel.model.results import ToolCall, ToolCallList
from runreel.sources.openai import values as oj

if TYPE_CHECKING:
    from collections.abc import Iterable

TEXT = "text"
CITATIONS = "citations"
# Blocks with a call that the program executes, and with calls that the server executes.
_CLIENT_CALLS = frozenset(("tool_use",))
_HOSTED_CALLS = frozenset(("server_tool_use", "mcp_tool_use"))


class Call(NamedTuple):
    """A call as received so far; ``number`` is the index of its block.

    ``text`` is the JSON text of its arguments, ``given`` are the arguments that its block began
    with. ``hosted``: the server executes it.
    """

    number: int
    id: str
    name: str
    text: str
    given: Any
    hosted: bool

    @property
    def tool_call(self) -> ToolCall:
        """The call with its arguments; those that are no JSON object are under ``_unparsed``."""
        return oj.call(self.id, self.name, self.text or self.given)


class Source(NamedTuple):
    """What a citation cites; None where the server does not say."""

    title: str | None
    place: str | None
    file_id: str | None
    text: str | None

    @property
    def citation(self) -> Citation:
        """The citation with this one source."""
        if self.file_id is not None:
            parts = () if self.text is None else (self.text,)
            file = File(id=self.file_id, name=self.title)
            return Citation((FileChunk(parts, search_index=SearchIndex(id=None), file=file),))
        return Citation((UnknownSource(" ".join(filter(None, (self.title, self.place)))),))


Calls = tuple[Call, ...]
Sources = tuple[Source, ...]


def call_in(number: int, block: dict[str, object]) -> Call | None:
    """The call that a block begins with, None for other blocks."""
    type_ = text_in(block, "type")
    if type_ not in _CLIENT_CALLS and type_ not in _HOSTED_CALLS:
        return None
    return Call(
        number,
        text_in(block, "id") or "",
        text_in(block, "name") or "",
        "",
        object_in(block, "input"),
        type_ in _HOSTED_CALLS,
    )


def with_arguments(calls: Calls, number: int, text: str) -> Calls:
    """The calls after ``text`` was added to the arguments of the call in a block."""
    return tuple(
        call._replace(text=call.text + text) if call.number == number else call for call in calls
    )


def pending(calls: Iterable[Call]) -> ToolCallList | None:
    """The calls that the program executes, None without any."""
    found = tuple(call.tool_call for call in calls if not call.hosted)
    return ToolCallList(found) if found else None


def source_of(citation: dict[str, object]) -> Source:
    """The source of a citation."""
    return Source(
        text_in(citation, "title") or text_in(citation, "document_title"),
        text_in(citation, "url") or text_in(citation, "source"),
        text_in(citation, "file_id"),
        text_in(citation, "cited_text"),
    )


def sources_of(blocks: Iterable[dict[str, object]]) -> Sources:
    """The sources of the citations in text blocks."""
    return tuple(
        source_of(citation)
        for block in blocks
        if block.get("type") == TEXT
        for citation in objects_in(block, CITATIONS)
    )


def calls_of(blocks: Iterable[dict[str, object]]) -> Calls:
    """The calls in the blocks of a complete message."""
    found = (call_in(number, block) for number, block in enumerate(blocks))
    return tuple(call for call in found if call is not None)


def texts_of(blocks: Iterable[dict[str, object]]) -> tuple[str, ...]:
    """The texts of the text blocks of a complete message, without empty ones."""
    texts = (block.get("text") for block in blocks if block.get("type") == TEXT)
    return tuple(text for text in texts if isinstance(text, str) and text)
