"""Conversion of any proto to JSON and back without loss; imports no proto of a service."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.json_format import MessageToDict, ParseDict, SerializeToJsonError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

M = TypeVar("M", bound="Message")

# Key of the serialised message in base64, added where JSON cannot represent all of it.
ENCODED = "@proto"


def to_json(proto: Message) -> dict[str, object]:
    """Convert a proto to JSON without loss, including unknown fields and non-JSON numbers."""
    try:
        value: dict[str, object] = MessageToDict(proto)
    except SerializeToJsonError:
        value = _without_unknown_fields(proto)
    else:
        if not _has_unknown_fields(proto):
            return value
    encoded = proto.SerializeToString(deterministic=True)
    return {**value, ENCODED: base64.b64encode(encoded).decode()}


def restored(value: Mapping[str, object], message: M) -> M:
    """Restore the message that was stored as ``value`` in a new ``message`` of its type."""
    encoded = value.get(ENCODED)
    if isinstance(encoded, str):
        message.ParseFromString(base64.b64decode(encoded))
    else:
        ParseDict(value, message, ignore_unknown_fields=True)
    return message


def _has_unknown_fields(proto: Message) -> bool:
    known = type(proto)()
    known.CopyFrom(proto)
    known.DiscardUnknownFields()
    return bool(known.ByteSize() != proto.ByteSize())


def _without_unknown_fields(proto: Message) -> dict[str, object]:
    fields: dict[str, object] = {}
    for field, _ in proto.ListFields():
        alone = type(proto)()
        alone.CopyFrom(proto)
        for other, _ in proto.ListFields():
            if other.name != field.name:
                alone.ClearField(other.name)
        with contextlib.suppress(SerializeToJsonError):
            fields |= MessageToDict(alone)
    return fields
