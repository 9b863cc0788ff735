"""The scripted run of ``runreel demo``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runreel.cli.render import terminal
from runreel.cli.render.replay_renderers import DeltaRenderer
from runreel.model.events import CONTEXT
from runreel.model.messages import Author, Message, PartialMessage
from runreel.model.results import (
    FunctionCall,
    RunResult,
    RunStreamEvent,
    ToolCall,
    ToolCallList,
    Usage,
)
from runreel.model.status import MessageStatus, RunStatus, StreamEvent
from runreel.system import wall_clock

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.recording.session import Recording

QUESTION = "What do I need to know about runreel, and how is the weather on the Moon?"
LOOKING = "Let me look at the weather on the Moon first."
CALL = ToolCall("call-1", FunctionCall("weather", {"place": "Moon", "unit": "celsius"}))
ANSWERED = [{"id": "call-1", "name": "weather", "content": {"sky": "black", "noon": 121}}]
ANSWER = (
    "The sky over the Moon is black and it is 121 degrees at noon: take a hat.\n"
    "\n"
    "As for runreel: every part of this answer was stored as a row before you saw it. "
    "The rows are never rewritten, so this run can be replayed as it came, "
    "shown as it was at any moment, and counted."
)
USAGE = Usage(input_text_tokens=58, completion_tokens=97, total_tokens=155)
MODEL, ASSISTANT, THREAD = "demo-model", "demo-assistant", "demo-thread"
LABELS = {"app": "demo"}

_PAUSE = 0.04
_THINKING = 0.4


def record(reel: Reel, run_id: str, *, pause: float) -> None:
    """Record the script and print each event once it is stored; ``pause`` scales the pauses."""
    seen = DeltaRenderer()
    with reel.recording(
        run_id,
        assistant_id=ASSISTANT,
        thread_id=THREAD,
        model=MODEL,
        labels=LABELS,
        requested_at=wall_clock.now(),
    ) as recording:
        terminal.write(("> ", "dim"), (QUESTION, "bold"))
        recording.offer(CONTEXT, {"messages": [{"role": "user", "content": QUESTION}]})
        recording.result(RunResult(RunStatus.PENDING))
        _stream(recording, LOOKING, seen, pause)
        _append(
            recording, RunStreamEvent(StreamEvent.TOOL_CALLS, None, ToolCallList((CALL,))), seen
        )
        time.sleep(_THINKING * pause)
        recording.tool_results(ANSWERED)
        _stream(recording, ANSWER, seen, pause)
        message = _message(run_id)
        _append(recording, RunStreamEvent(StreamEvent.DONE, _message=message), seen)
        recording.result(RunResult(RunStatus.COMPLETED, _message=message, usage=USAGE))
    seen.end()


def _stream(recording: Recording, text: str, seen: DeltaRenderer, pause: float) -> None:
    """Record ``text`` as a model generates it, two words at a time."""
    time.sleep(_THINKING * pause)
    words = text.split(" ")
    for count in range(2, len(words) + 2, 2):
        partial = PartialMessage((" ".join(words[:count]),))
        _append(recording, RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=partial), seen)
        time.sleep(_PAUSE * pause)


def _append(recording: Recording, event: RunStreamEvent, seen: DeltaRenderer) -> None:
    """Store an event, and only then show it."""
    stored = recording.append(event)
    if stored is not None:
        seen.show(stored)


def _message(run_id: str) -> Message:
    return Message(
        id=f"{run_id}-answer",
        parts=(ANSWER,),
        thread_id=THREAD,
        created_by=None,
        created_at=wall_clock.now().replace(tzinfo=None),
        labels=None,
        author=Author(ASSISTANT, "ASSISTANT"),
        citations=(),
        status=MessageStatus.COMPLETED,
    )
