"""The log of the pictures: a week of runs with fixed ids, times and texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from runreel.model.events import CONTEXT, STREAM_EVENT, TOOL_RESULTS
from runreel.model.events import RUN as RUN_EVENT
from runreel.recording.recorder import Recorder
from runreel.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = "trip-1042"
OTHER = "trip-1038"
_START = datetime(2025, 11, 5, 9, 30, tzinfo=UTC)
# How long before its recording a run was requested.
_ASKED = timedelta(milliseconds=140)
_QUESTION = "I have a free day in Oslo tomorrow. What should I do, and when is the train back?"
_LOOKING = "Let me look at the weather and at the trains first."
_ANSWER = (
    "Tomorrow will be dry until four in the afternoon, with 6 degrees.\n\n"
    "1. In the morning, walk over the roof of the opera house, then along the harbour.\n"
    "2. At noon, take the ferry to Bygdoy: the ship museums are worth two hours.\n"
    "3. Be back at the station by 17:10. The last direct train leaves at 17:32.\n\n"
    "Take a warm jacket: it is windy on the water."
)
_EARLIER = (
    _ANSWER.replace("four in the afternoon", "noon")
    .replace("17:10", "22:30")
    .replace("The last direct train leaves at 17:32.", "The night train leaves at 23:03.")
)
_TOOLS = (
    ("weather", {"city": "Oslo", "day": "2025-11-06"}, "dry until 16:00, 6 degrees", 640),
    ("trains", {"from": "Oslo S", "to": "Bergen", "after": "16:00"}, "17:32 direct, 23:03", 1870),
)
# Minutes before the run of the picture, name, model, tokens in and out; None is a failed run.
_OTHERS: tuple[tuple[int, str, str, tuple[int, int] | None], ...] = (
    (7 * 1440 + 95, "trip-1031", "small-1", (812, 164)),
    (6 * 1440 + 30, "trip-1032", "small-1", (930, 201)),
    (6 * 1440 - 45, "trip-1033", "large-1", (1204, 655)),
    (5 * 1440 + 12, "trip-1034", "large-1", (2210, 940)),
    (4 * 1440 - 31, "trip-1035", "small-1", None),
    (3 * 1440 + 77, "trip-1036", "large-1", (1730, 512)),
    (3 * 1440 - 18, "trip-1037", "large-1", (3105, 1188)),
    (2 * 1440 + 20, OTHER, "large-1", (1377, 143)),
    (1440 + 64, "trip-1039", "small-1", (640, 98)),
    (1440 - 15, "trip-1040", "large-1", None),
    (41, "trip-1041", "small-1", (701, 120)),
    (0, RUN, "large-1", (1893, 152)),
)


def record(log: Path) -> None:
    """Record all runs."""
    database = Database(str(log))
    try:
        database.upgrade()
        for minutes, name, model, tokens in _OTHERS:
            clock = _Clock(_START - timedelta(minutes=minutes))
            recorder = _recorder(database, name, clock, model=model, team=minutes % 2)
            answer = _ANSWER if name == RUN else _EARLIER
            for pause, kind, value in _lines(tokens, answer, brief=name != RUN):
                clock.now += timedelta(milliseconds=pause * (10 + minutes % 7) / 10)
                recorder.append(kind, value)
            recorder.close()
    finally:
        database.close()


def _recorder(database: Database, name: str, clock: _Clock, *, model: str, team: int) -> Recorder:
    identity = {
        "assistant_id": "planner",
        "thread_id": f"thread-{name[-2:]}",
        "model": model,
        "requested_at": f"{clock.now - _ASKED:%Y-%m-%dT%H:%M:%S.%f}Z",
        "labels": {"app": "trips", "team": ("mobile", "web")[team]},
    }
    kinds = {"source": "plain", "via": "program"}
    return Recorder(database, name, identity=identity, clock=clock, timer=clock, **kinds)


def _lines(
    tokens: tuple[int, int] | None, answer: str, *, brief: bool
) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Events after pauses of so many milliseconds."""
    messages = [
        {"role": "system", "content": "You plan trips. Be brief."},
        {"role": "user", "content": _QUESTION},
    ]
    yield 0, CONTEXT, {"messages": messages}
    yield 240, RUN_EVENT, {"type": "PENDING"}
    for number, text in enumerate(_pieces(_LOOKING)):
        yield 38 if number else 510, STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": text}
    tools = _TOOLS[: 1 if brief else None]
    calls = [
        {"id": f"call-{number}", "name": name, "arguments": arguments}
        for number, (name, arguments, *_) in enumerate(tools)
    ]
    yield 60, STREAM_EVENT, {"type": "TOOL_CALLS", "tool_calls": calls}
    for number, (*_, result, took) in enumerate(tools):
        results = [{"id": f"call-{number}", "content": result}]
        yield took, TOOL_RESULTS, {"tool_results": results}
    said = list(_pieces(answer))[: 9 if tokens is None else None]
    for number, text in enumerate(said):
        pause = 430 if number == 0 else 1240 if number == 31 and not brief else 30 + number % 5 * 9
        yield pause, STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": text}
    if tokens is None:
        error = {"message": "the model was overloaded", "code": 14}
        yield 2100, STREAM_EVENT, {"type": "ERROR", "error": error}
        return
    usage = {"input_text_tokens": tokens[0], "completion_tokens": tokens[1]}
    yield 20, STREAM_EVENT, {"type": "DONE", "text": answer}
    yield 15, RUN_EVENT, {"type": "COMPLETED", "text": answer, "usage": usage}


def _pieces(text: str) -> Iterator[str]:
    """The text so far after each word."""
    words = text.split(" ")
    return (" ".join(words[:count]) for count in range(1, len(words) + 1))


class _Clock:
    """Nanoseconds since the epoch, as long as it likes."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> int:
        return (self.now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000
