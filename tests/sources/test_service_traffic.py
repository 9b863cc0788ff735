"""The made recordings are what the Assistants service sends, and leave out nothing of it."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from yandex.cloud.ai.assistants.v1.assistant_pb2 import Assistant
from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent
from yandex.cloud.ai.assistants.v1.threads.message_pb2 import Message

from tests import real_runs, service_traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

PROTOS = {"assistant": Assistant, "message": Message, "run": Run, "stream_event": StreamEvent}
# A single value stands for the rest: what a program calls its functions and their parameters.
OPEN = ("arguments", "parameters", "schema")


def paths(value: Any, above: str = "") -> Iterator[str]:
    """Where a line has something: the names of its fields, one below the other."""
    if isinstance(value, dict):
        yield f"{above} {{}}"
        for name, inner in value.items():
            yield from [f"{above} {name}"] if name in OPEN else paths(inner, f"{above} {name}")
    elif isinstance(value, list):
        yield f"{above} [{min(len(value), 1)}]"
        for inner in value:
            yield from paths(inner, above)
    else:
        yield f"{above}: {type(value).__name__}"


def shape(lines: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """What follows what: kinds, calls, states and events, whether usage is known."""
    found = [
        (
            line["type"],
            line["rpc"],
            line["data"].get("state", {}).get("status", ""),
            line["data"].get("eventType", ""),
            "usage" if "usage" in line["data"] else "",
        )
        for line in lines
    ]
    return [one for n, one in enumerate(found) if n == 0 or one != found[n - 1]]


@pytest.mark.parametrize("name", real_runs.RECORDINGS)
def test_each_line_is_proto_json_of_its_proto(name: str) -> None:
    for line in real_runs.RECORDINGS[name]:
        proto = PROTOS[line["type"]]()
        assert line["proto"] == proto.DESCRIPTOR.full_name
        assert MessageToDict(ParseDict(line["data"], proto)) == line["data"]


def fields(recordings: dict[str, list[dict[str, Any]]]) -> set[str]:
    lines = [line for recording in recordings.values() for line in recording]
    return {path for line in lines for path in paths(line, line["type"])}


def test_made_recordings_have_every_field_of_real_ones() -> None:
    made = fields(service_traffic.RECORDINGS)
    assert {path.partition(" ")[0] for path in made} == set(PROTOS)
    assert "run data state completedMessage citations sources chunk sourceFile id: str" in made
    assert fields(real_runs.REAL) - made == set()


def test_made_recordings_go_through_every_state_in_every_way_of_asking() -> None:
    followed: defaultdict[tuple[str, ...], set[tuple[str, ...]]] = defaultdict(set)
    for lines in service_traffic.RECORDINGS.values():
        steps = shape(lines)
        for before, after in pairwise(steps):
            followed[before].add(after)
    assert {status for _, _, status, _, _ in followed} >= {"PENDING", "IN_PROGRESS", "TOOL_CALLS"}
    for name, lines in real_runs.REAL.items():
        steps = shape(lines)
        for before, after in pairwise(steps):
            assert after in followed[before], (name, before, after)
