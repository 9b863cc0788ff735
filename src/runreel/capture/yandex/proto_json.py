"""Conversion of the protos of the Assistants service to the JSON of the event log and back."""

from __future__ import annotations

import base64
import contextlib
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.json_format import MessageToDict, ParseDict, SerializeToJsonError
from yandex.cloud.ai.assistants.v1.runs.run_pb2 import RunState
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message
    from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run

M = TypeVar("M", bound="Message")

# Key of the serialised message in base64, added where JSON cannot represent all of it.
ENCODED = "@proto"

ENDS = (StreamEvent.DONE, StreamEvent.ERROR)
TOOL_CALLS = StreamEvent.TOOL_CALLS


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


def stream_event(value: Mapping[str, object]) -> StreamEvent:
    """Restore the ``StreamEvent`` that was stored as ``value``."""
    return restored(value, StreamEvent())


def restored(value: Mapping[str, object], message: M) -> M:
    """Restore the message that was stored as ``value`` in a new ``message`` of its type."""
    encoded = value.get(ENCODED)
    if isinstance(encoded, str):
        message.ParseFromString(base64.b64decode(encoded))
    else:
        ParseDict(value, message, ignore_unknown_fields=True)
    return message


def index_of(event: StreamEvent) -> int | None:
    """The number of an event in its run, None if the service sent none."""
    return event.stream_cursor.current_event_idx if event.HasField("stream_cursor") else None


def is_last_event(event: StreamEvent) -> bool:
    """Whether an event is the last one of its run."""
    return event.event_type in ENDS


def is_final(run: Run) -> bool:
    """Whether the run has completed or failed."""
    return run.state.status in (RunState.COMPLETED, RunState.FAILED)


def is_running(run: Run) -> bool:
    """Whether the run is pending or in progress."""
    return run.state.status in (RunState.PENDING, RunState.IN_PROGRESS)


def needs_tool_results(run: Run) -> bool:
    """Whether the run waits for tool results."""
    return bool(run.state.status == RunState.TOOL_CALLS)


def status_name(run: Run) -> str:
    """The name of the run's status."""
    status = run.state.status
    known = RunState.RunStatus.values()
    return str(RunState.RunStatus.Name(status)) if status in known else f"status {status}"


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
