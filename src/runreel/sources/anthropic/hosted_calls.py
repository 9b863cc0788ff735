"""Calls of tools that the server of the Messages API executes itself, with their results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object, number_in, object_in, objects_in, text_in
from runreel.model.events import RUN, STREAM_EVENT
from runreel.sources.anthropic import blocks
from runreel.sources.anthropic.memory import NO_MEMORY, Memory
from runreel.sources.anthropic.messages_reader import BLOCK_START
from runreel.sources.openai.hosted_calls import HostedCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.sources.anthropic.blocks import Call, Calls

_RESULT = "_tool_result"


def hosted_calls(kind: str, value: object, memory: object) -> Iterator[HostedCall]:
    """Yield the calls in an event, after which ``memory`` is known, or in a complete message."""
    content = as_object(value)
    if kind == RUN:
        items = objects_in(content, "content")
        calls = blocks.calls_of(items)
        for number, block in enumerate(items):
            yield from _in_block(calls, number, block)
    elif kind == STREAM_EVENT:
        known = memory if isinstance(memory, Memory) else NO_MEMORY
        number, type_ = number_in(content, "index"), content.get("type")
        if type_ == BLOCK_START:
            yield from _in_block(known.calls, number, object_in(content, "content_block"))
        elif type_ == "content_block_stop":
            # The arguments are complete.
            yield from _begun(call for call in known.calls if call.number == number)


def _in_block(calls: Calls, number: int, block: dict[str, object]) -> Iterator[HostedCall]:
    type_ = text_in(block, "type") or ""
    if type_.endswith(_RESULT):
        id_ = text_in(block, "tool_use_id")
        for call in calls:
            if call.hosted and call.id == id_:
                yield HostedCall(call.tool_call, finished=True, result=block.get("content"))
    else:
        yield from _begun(call for call in calls if call.number == number)


def _begun(calls: Iterator[Call]) -> Iterator[HostedCall]:
    for call in calls:
        if call.hosted:
            yield HostedCall(call.tool_call, finished=False, result=None)
