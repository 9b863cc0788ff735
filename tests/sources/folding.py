"""Streams folded as a recorder folds them, without a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.model.events import RUN, STREAM_EVENT
from runreel.projection.projector import RunProjector
from runreel.sources import reader_of
from tests.rules.recordings import write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.projection.run_state import RunState

RESPONSES, CHAT = reader_of("openai-responses"), reader_of("openai-chat")
DONE = "[DONE]"


def states(reader: Any, values: Iterable[Any], kind: str = STREAM_EVENT) -> list[RunState]:
    """The state after each of these values."""
    fold, found = RunProjector("run-1", reader.name), []
    for row in write(reader, [(kind, value) for value in values]):
        fold.apply(row)
        found.append(fold.state.copy())
    return found


def streamed(reader: Any, values: Iterable[Any]) -> RunState:
    """The state after a stream of these values."""
    return states(reader, values)[-1]


def finished(reader: Any, value: Any) -> RunState:
    """The state after a finished response or completion."""
    return states(reader, [value], RUN)[-1]


def calls_of(state: RunState) -> list[tuple[str | None, str, dict[str, Any]]]:
    """The tool calls of a state: id, name, arguments."""
    return [
        (call.id, call.function.name, call.function.arguments)
        for call in state.tool_calls or ()
        if call.function is not None
    ]
