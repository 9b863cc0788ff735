"""Conversion of messages of the Yandex Assistants service, with their citations."""

from __future__ import annotations

from runreel.codec.json_values import as_labels, as_object
from runreel.codec.plain_json import R, resource
from runreel.model.messages import (
    Author,
    Citation,
    File,
    FileChunk,
    Message,
    SearchIndex,
    UnknownSource,
)
from runreel.model.status import MessageStatus
from runreel.model.timestamps import naive
from runreel.sources.yandex.proto_json import get, mapping, repeated, string

UNKNOWN_SOURCE = "this source is of a type unknown to runreel; its raw JSON is in the log"

# The names of fields here, and those of the service.
_STRINGS = {
    "id": "id",
    "folder_id": "folderId",
    "name": "name",
    "description": "description",
    "created_by": "createdBy",
    "updated_by": "updatedBy",
    "mime_type": "mimeType",
}
_TIMES = {"created_at": "createdAt", "updated_at": "updatedAt", "expires_at": "expiresAt"}


def completed_message(value: dict[str, object]) -> Message:
    """Convert the JSON of a ``threads.Message`` to a ``Message``."""
    author = mapping(value, "author")
    return Message(
        id=string(value, "id"),
        parts=parts(value.get("content")),
        thread_id=string(value, "threadId"),
        created_by=string(value, "createdBy"),
        created_at=naive(get(value, "createdAt")),
        labels=labels(value),
        author=Author(id=string(author, "id") or "", role=string(author, "role") or ""),
        citations=tuple(
            Citation(tuple(map(_source, repeated(citation, "sources"))))
            for citation in repeated(value, "citations")
        ),
        status=MessageStatus.coerce(value.get("status", 0)),
    )


def _source(value: dict[str, object]) -> FileChunk | UnknownSource:
    if value.get("chunk") is None:
        return UnknownSource(UNKNOWN_SOURCE)
    chunk = as_object(value["chunk"])
    file = mapping(chunk, "sourceFile")
    return FileChunk(
        parts=tuple(part for part in parts(chunk.get("content")) if part),
        search_index=_resource(SearchIndex, mapping(chunk, "searchIndex")),
        # The service sends an empty object for a deleted file.
        file=_resource(File, file) if file.get("id") else None,
    )


def _resource(kind: type[R], value: dict[str, object]) -> R:
    known: dict[str, object] = {ours: string(value, theirs) for ours, theirs in _STRINGS.items()}
    known |= {ours: get(value, theirs) for ours, theirs in _TIMES.items()}
    return resource(kind, {**known, "labels": labels(value)})


def parts(content: object) -> tuple[str, ...]:
    """The texts of a message's content."""
    return tuple(
        string(mapping(part, "text"), "content") or ""
        for part in repeated(as_object(content), "content")
    )


def labels(value: dict[str, object]) -> dict[str, str] | None:
    """The labels of a run, a message or a resource; None without labels."""
    return as_labels(value.get("labels")) or None
