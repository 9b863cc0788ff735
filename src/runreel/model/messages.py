"""Messages and their parts: authors, citations and sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime  # noqa: TC003 - for typing.get_type_hints
from typing import Any, Literal

from runreel.model.errors import UsageError
from runreel.model.status import MessageStatus  # noqa: TC001 - for typing.get_type_hints


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Author:
    """The author of a message; ``role`` is ``USER`` or ``ASSISTANT`` at Yandex."""

    id: str
    role: str


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Resource:
    """A service's object that a message refers to; unreported fields are None."""

    id: str | None
    folder_id: str | None = None
    name: str | None = None
    description: str | None = None
    created_by: str | None = None
    created_at: datetime | None = None
    updated_by: str | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    labels: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class SearchIndex(Resource):
    """The search index that a chunk was found in."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class File(Resource):
    """The file that a chunk was cut from."""

    mime_type: str | None = None


NEWLINE = "\n"
_make = object.__new__


def _joined(parts: tuple[Any, ...], separator: str) -> str:
    return separator.join(part for part in parts if isinstance(part, str))


class _HasParts:
    """Base of types that consist of parts."""

    parts: Any

    __slots__ = ()

    def __post_init__(self) -> None:
        """Reject a string, which would be read as parts of one character each."""
        if isinstance(self.parts, str):
            raise UsageError("parts must be a tuple, not a string", hint='Write ("text",).')


@dataclass(frozen=True, slots=True, weakref_slot=True)
class FileChunk(_HasParts):
    """A chunk of a file that an answer is based on."""

    parts: tuple[Any, ...]
    search_index: SearchIndex
    file: File | None

    @property
    def text(self) -> str:
        """The string parts, joined with a newline."""
        return _joined(self.parts, NEWLINE)

    @property
    def type(self) -> Literal["filechunk"]:
        """Always ``filechunk``."""
        return "filechunk"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class UnknownSource:
    """A source of an unknown type; the log has its raw JSON."""

    text: str

    @property
    def type(self) -> Literal["unknown"]:
        """Always ``unknown``."""
        return "unknown"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Citation:
    """The sources that one part of an answer is based on."""

    sources: tuple[FileChunk | UnknownSource, ...]


def describe_source(source: FileChunk | UnknownSource) -> str:
    """Return a source in one line: the names of its file and search index as far as known."""
    if not isinstance(source, FileChunk):
        return source.text or "a source of an unknown type"
    file = source.file and (source.file.name or source.file.id)
    index = source.search_index.name or source.search_index.id
    named = [("file", file), ("search index", index)]
    return ", ".join(f"{kind} {name}" for kind, name in named if name) or "an unknown file"


@dataclass(frozen=True, slots=True, weakref_slot=True)
class PartialMessage(_HasParts):
    """A message that is still being written: the whole text so far."""

    parts: tuple[Any, ...]
    id: None = None
    _separator: str = field(default=NEWLINE, compare=False, repr=False)

    @property
    def text(self) -> str:
        """The string parts, joined as in the source: with a newline or directly."""
        return _joined(self.parts, self._separator)


_set_parts, _set_id, _set_separator = (
    vars(PartialMessage)[name].__set__ for name in ("parts", "id", "_separator")
)


def partial(text: str) -> PartialMessage:
    """Return ``PartialMessage((text,))`` in half the time; each event of a stream creates one."""
    made: PartialMessage = _make(PartialMessage)
    _set_parts(made, (text,))
    _set_id(made, None)
    _set_separator(made, NEWLINE)
    return made


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Message(_HasParts):
    """A finished message.

    As in the SDK, empty strings and maps are None and ``created_at`` is naive UTC.
    ``finish_reason`` is the server's reason why the model stopped, None if not reported.
    """

    parts: tuple[Any, ...]
    id: str | None
    thread_id: str | None
    created_by: str | None
    created_at: datetime | None
    labels: dict[str, str] | None
    author: Author
    citations: tuple[Citation, ...]
    status: MessageStatus
    finish_reason: str | None = None
    _separator: str = field(default=NEWLINE, compare=False, repr=False)

    @property
    def text(self) -> str:
        """The string parts, joined as in the source: with a newline or directly."""
        return _joined(self.parts, self._separator)

    @property
    def role(self) -> str:
        """The role of the author."""
        return self.author.role
