"""Messages and what stands in them: authors, citations and their sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from runreel.words.status import MessageStatus


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a message; ``role`` is ``USER`` or ``ASSISTANT`` at Yandex."""

    id: str
    role: str


@dataclass(frozen=True, slots=True)
class Resource:
    """Plain data of a service's object that a message refers to; what was not said is None."""

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


@dataclass(frozen=True, slots=True)
class SearchIndex(Resource):
    """The search index that a chunk was found in."""


@dataclass(frozen=True, slots=True)
class File(Resource):
    """The file that a chunk was cut from."""

    mime_type: str | None = None


@dataclass(frozen=True, slots=True)
class _Parted:
    """Something made of parts, of which the strings are its text."""

    parts: tuple[Any, ...]

    @property
    def text(self) -> str:
        """The string parts, joined with a newline."""
        return "\n".join(part for part in self.parts if isinstance(part, str))


@dataclass(frozen=True, slots=True)
class FileChunk(_Parted):
    """A piece of a file that an answer was built on."""

    search_index: SearchIndex
    file: File | None

    @property
    def type(self) -> Literal["filechunk"]:
        """Always ``filechunk``."""
        return "filechunk"


@dataclass(frozen=True, slots=True)
class UnknownSource:
    """A source of a type that runreel does not know; the log has its raw JSON."""

    text: str

    @property
    def type(self) -> Literal["unknown"]:
        """Always ``unknown``."""
        return "unknown"


@dataclass(frozen=True, slots=True)
class Citation:
    """The sources that one piece of an answer was built on."""

    sources: tuple[FileChunk | UnknownSource, ...]


@dataclass(frozen=True, slots=True)
class PartialMessage(_Parted):
    """A message that is still being written: the whole text so far."""

    id: None = None


@dataclass(frozen=True, slots=True)
class Message(_Parted):
    """A finished message.

    Empty strings and maps of the wire are None, ``created_at`` is naive UTC: both as in the SDK.
    """

    id: str | None
    thread_id: str | None
    created_by: str | None
    created_at: datetime | None
    labels: dict[str, str] | None
    author: Author
    citations: tuple[Citation, ...]
    status: MessageStatus

    @property
    def role(self) -> str:
        """The role of the author."""
        return self.author.role
