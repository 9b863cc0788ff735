"""Runs to look at: one of every kind, and one that means harm."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from runreel import (
    Author,
    Citation,
    File,
    FileChunk,
    FunctionCall,
    Message,
    MessageStatus,
    PartialMessage,
    RunResult,
    RunStatus,
    RunStreamEvent,
    SearchIndex,
    StreamEvent,
    ToolCall,
    ToolCallList,
    UnknownSource,
    Usage,
)

if TYPE_CHECKING:
    from runreel.api.reel import Reel

ANSWER = "Привет, 世界!\nA second line."
CALLS = ToolCallList((ToolCall("call-1", FunctionCall("weather", {"place": "Moon", "days": 2})),))
CITATIONS = (
    Citation(
        (
            FileChunk(
                ("a piece", {"odd": 1}),
                SearchIndex("index-1", name="Index"),
                File("file-1", name="moon.pdf"),
            ),
            UnknownSource("something new"),
        )
    ),
)


def partial(text: str) -> RunStreamEvent:
    return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((text,)))


def message(text: str, citations: tuple[Citation, ...] = (), **names: Any) -> Message:
    told = {
        "id": "message-1",
        "thread_id": "thread-1",
        "created_by": "me",
        "created_at": datetime(2025, 3, 4, 5, 6, 7, 89, tzinfo=UTC).replace(tzinfo=None),
        "labels": {"kind": "answer"},
        "author": Author("assistant-1", "ASSISTANT"),
        "status": MessageStatus.COMPLETED,
        **names,
    }
    return Message(parts=(text,), citations=citations, **told)


def tell_all(reel: Reel) -> None:
    """A run of every kind; the newest last."""
    tell_failed(reel)
    tell_unused(reel)
    tell_open(reel)
    tell_done(reel)


def tell_done(reel: Reel, run_id: str = "run-done") -> None:
    """Streamed, with a tool call, citations and usage."""
    identity = {"assistant_id": "assistant-1", "thread_id": "thread-1", "model": "model-a"}
    with reel.recording(run_id, labels={"team": "search"}, **identity) as recording:
        recording.result(RunResult(RunStatus.PENDING))
        recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=CALLS))
        recording.tool_results([{"id": "call-1", "content": "black"}])
        recording.append(partial("Привет"))
        recording.append(partial(ANSWER))
        done = message(ANSWER, CITATIONS)
        recording.append(RunStreamEvent(StreamEvent.DONE, _message=done))
        recording.result(RunResult(RunStatus.COMPLETED, _message=done, usage=Usage(1200, 1234, 34)))


def tell_failed(reel: Reel, run_id: str = "run-failed") -> None:
    """Failed, of unknown usage."""
    with reel.recording(run_id, model="model-b", labels={"team": "chat"}) as recording:
        recording.append(partial("I was about"))
        recording.append(RunStreamEvent(StreamEvent.ERROR, error="no more quota"))


def tell_unused(reel: Reel, run_id: str = "run-plain") -> None:
    """Completed, of unknown usage, with nothing else known."""
    with reel.recording(run_id) as recording:
        recording.append(RunStreamEvent(StreamEvent.DONE, _message=PartialMessage(("Done.",))))


def tell_open(reel: Reel, run_id: str = "open-run") -> None:
    """Still being written by this very process."""
    reel.recording(run_id).append(partial("Well"))


# Clears, paints, moves; writes the clipboard; a link that does not end; controls of C1, which some
# terminals take in their eight-bit form; what overwrites a line, reverses or hides its text.
HARM = (
    "\x1b[2J\x1b[5;41mEVIL\x1b]52;c;RVZJTA==\x07\x1b]8;;http://evil\x1b\\"
    "\x9b31m\x9d0;title\x9c\x85\x90q\r\b\x7f\x00\u202e\u2066\u200b\u2028\ufeff\ue000\U000e0041"
    "\u0378\ud800 fin"
)
# An id may hold no controls; an argument none that the system would not pass on.
HARM_ID = "evil\u202e\u200b\u2028\ue000"
HARM_ARGUMENT = HARM.replace("\x00", "").replace("\ud800", "")


def tell_harm(reel: Reel) -> None:
    """Harm in everything that a model or a caller can write."""
    calls = ToolCallList((ToolCall(HARM, FunctionCall(HARM, {HARM: HARM})),))
    names = {"assistant_id": HARM, "thread_id": HARM, "model": HARM, "labels": {HARM: HARM}}
    source = FileChunk((HARM,), SearchIndex(HARM, name=HARM), File(HARM, name=HARM))
    citations = (Citation((source, UnknownSource(HARM))),)
    with reel.recording(HARM_ID, **names) as recording:
        recording.append(partial(HARM))
        recording.append(partial(HARM + "\n" + HARM))
        recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=calls))
        recording.tool_results([HARM, {HARM: HARM}])
        done = message(HARM, citations, id=HARM, created_by=HARM, author=Author(HARM, HARM))
        recording.append(RunStreamEvent(StreamEvent.DONE, _message=done))
        recording.result(RunResult(RunStatus.COMPLETED, _message=done, usage=Usage(1, 3, 2)))
    with reel.recording(f"calls-{HARM_ID}") as recording:
        recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=calls))
    for name in ("failed", "failed2"):
        with reel.recording(f"{name}-{HARM_ID}") as recording:
            recording.append(RunStreamEvent(StreamEvent.ERROR, error=HARM))
    reel.recording(f"open-{HARM_ID}", model=HARM).append(partial(HARM))
