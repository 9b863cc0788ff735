"""What tests of recorded Assistants runs share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict
from yandex_ai_studio_sdk import AIStudio, AsyncAIStudio

from runreel.capture.yandex import record as yandex
from runreel.capture.yandex.retry import RetryPolicy

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.model.events import StoredEvent
    from tests.live.assistants_script import Script
    from tests.live.assistants_service import AssistantsService

# Short enough for tests, with time enough for a busy machine.
QUICK = RetryPolicy(outage=5, unreachable=3, silence=8, lag=2, ask=5, pause=0.01, longest_pause=0.1)
# For a service that never answers.
HASTY = replace(QUICK, unreachable=1, ask=0.5)


def sdk(service: AssistantsService, **settings: Any) -> AIStudio:
    return AIStudio(**(service.settings | settings))


def async_sdk(service: AssistantsService, **settings: Any) -> AsyncAIStudio:
    return AsyncAIStudio(**(service.settings | settings))


def record(reel: Reel, run: Any, **settings: Any) -> Any:
    return yandex.recorded(run, reel.db, **({"patience": QUICK} | settings))


def recorded_play(reel: Reel, service: AssistantsService, script: Script) -> Any:
    """A recorded run, got by its id."""
    return record(reel, sdk(service).runs.get(service.play(script)))


def plain(event: Any) -> tuple[Any, ...]:
    """What can be seen of an event or a result, comparable across SDK objects."""
    calls = event.tool_calls and [
        (call.id, call.function.name, dict(call.function.arguments)) for call in event.tool_calls
    ]
    text = None if event.is_failed else event.text
    parts = None if event.is_failed else event.parts
    return (type(event).__name__, event.status, event.error, calls, text, parts)


def rows(reel: Reel, run_id: str) -> list[StoredEvent]:
    return list(reel.events(run_id))


def stream(reel: Reel, run_id: str) -> list[StoredEvent]:
    return [row for row in rows(reel, run_id) if row.kind == "stream_event"]


def notes(reel: Reel, run_id: str) -> list[str | None]:
    return [row.type for row in rows(reel, run_id) if row.kind == "note"]


def assert_copy(reel: Reel, service: AssistantsService, run_id: str) -> None:
    """The log has each event once, in order, as the service told it, and its projections agree."""
    told = [MessageToDict(event) for event in service.runs[run_id].events]
    assert [row.raw for row in stream(reel, run_id)] == told
    assert [row.source_index for row in stream(reel, run_id)] == list(range(len(told)))
    assert reel.rebuild(check=True) == []


def outline(reel: Reel, run_id: str) -> list[str]:
    """The rows in words: kinds, with types where they have one."""
    return [f"{row.kind} {row.type}" if row.type else row.kind for row in rows(reel, run_id)]
