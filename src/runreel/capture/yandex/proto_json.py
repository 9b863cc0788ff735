"""Protos of the Assistants service as the log's JSON and back."""

from __future__ import annotations

import base64
import contextlib
from typing import Any

from google.protobuf.json_format import MessageToDict, ParseDict, SerializeToJsonError
from yandex.cloud.ai.assistants.v1.runs.run_pb2 import RunState
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent

# Where the whole message stands, in base64, beside JSON that cannot tell all of it.
WHOLE = "@proto"

ENDS = (StreamEvent.DONE, StreamEvent.ERROR)
TOOL_CALLS = StreamEvent.TOOL_CALLS


def to_json(proto: Any) -> dict[str, Any]:
    """The proto as JSON; nothing is lost, be it from a newer service or no JSON value at all."""
    try:
        value: dict[str, Any] = MessageToDict(proto)
    except SerializeToJsonError:
        value = _without_unknown_fields(proto)
    else:
        if not _has_unknown_fields(proto):
            return value
    whole = proto.SerializeToString(deterministic=True)
    return {**value, WHOLE: base64.b64encode(whole).decode()}


def stream_event(value: dict[str, Any]) -> Any:
    """The ``StreamEvent`` that was stored as ``value``."""
    if WHOLE in value:
        return StreamEvent.FromString(base64.b64decode(value[WHOLE]))
    return ParseDict(value, StreamEvent(), ignore_unknown_fields=True)


def index_of(event: Any) -> int | None:
    """The event's number in its run, None where the service gave none."""
    return event.stream_cursor.current_event_idx if event.HasField("stream_cursor") else None


def ends(event: Any) -> bool:
    """Whether it is the last event of its run."""
    return event.event_type in ENDS


def final(run: Any) -> bool:
    """Whether nothing more will come of the run."""
    return run.state.status in (RunState.COMPLETED, RunState.FAILED)


def going_on(run: Any) -> bool:
    """Whether the run is at work."""
    return run.state.status in (RunState.PENDING, RunState.IN_PROGRESS)


def waiting(run: Any) -> bool:
    """Whether the run waits for tool results."""
    return bool(run.state.status == RunState.TOOL_CALLS)


def status_name(run: Any) -> str:
    """The run's status in words."""
    status = run.state.status
    known = RunState.RunStatus.values()
    return str(RunState.RunStatus.Name(status)) if status in known else f"status {status}"


def _has_unknown_fields(proto: Any) -> bool:
    known = type(proto)()
    known.CopyFrom(proto)
    known.DiscardUnknownFields()
    return bool(known.ByteSize() != proto.ByteSize())


def _without_unknown_fields(proto: Any) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for field, _ in proto.ListFields():
        alone = type(proto)()
        alone.CopyFrom(proto)
        for other, _ in proto.ListFields():
            if other.name != field.name:
                alone.ClearField(other.name)
        with contextlib.suppress(SerializeToJsonError):
            told |= MessageToDict(alone)
    return told
