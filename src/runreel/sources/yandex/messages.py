"""Conversion of messages of the Yandex Assistants service, with their citations."""

from __future__ import annotations

from typing import Any

from runreel.codec.plain_json import as_labels
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
from runreel.sources.yandex.proto_json import as_mapping, get, mapping, repeated, string

UNKNOWN_SOURCE = "this source is of a type unknown to runreel; its raw JSON is in the log"

_RESOURCE_STRINGS = {
    "folder_id": "folderId",
    "name": "name",
    "description": "description",
    "created_by": "createdBy",
    "updated_by": "updatedBy",
}
_RESOURCE_TIMES = {"created_at": "createdAt", "updated_at": "updatedAt", "expires_at": "expiresAt"}


def completed_message(value: dict[str, Any]) -> Message:
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
            Citation(tuple(_source(as_mapping(source)) for source in repeated(citation, "sources")))
            for citation in map(as_mapping, repeated(value, "citations"))
        ),
        status=MessageStatus.coerce(value.get("status", 0)),
    )


def _source(value: dict[str, Any]) -> FileChunk | UnknownSource:
    if value.get("chunk") is None:
        return UnknownSource(UNKNOWN_SOURCE)
    chunk = as_mapping(value["chunk"])
    file = mapping(chunk, "sourceFile")
    return FileChunk(
        parts=tuple(part for part in parts(chunk.get("content")) if part),
        search_index=SearchIndex(**_resource(mapping(chunk, "searchIndex"))),
        # The service sends an empty object for a deleted file.
        file=File(**_resource(file), mime_type=string(file, "mimeType"))
        if file.get("id")
        else None,
    )


def _resource(value: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, Any] = {"id": string(value, "id"), "labels": labels(value)}
    known |= {ours: string(value, theirs) for ours, theirs in _RESOURCE_STRINGS.items()}
    known |= {ours: naive(get(value, theirs)) for ours, theirs in _RESOURCE_TIMES.items()}
    return known


def parts(content: Any) -> tuple[str, ...]:
    """The texts of a message's content."""
    return tuple(
        string(as_mapping(as_mapping(part).get("text")), "content") or ""
        for part in repeated(as_mapping(content), "content")
    )


def labels(value: dict[str, Any]) -> dict[str, str] | None:
    """The labels of a run, a message or a resource; None without labels."""
    return as_labels(value.get("labels")) or None
