"""Recordings of made-up runs, in the shapes of the Assistants service's real traffic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Line = dict[str, Any]

MODEL = "gpt://b1g/yandexgpt/latest"


def stamp(seconds: float) -> str:
    """A time of the service, so many seconds after noon."""
    whole = int(seconds)
    return f"2025-04-07T12:{whole // 60:02d}:{whole % 60:02d}.{round(seconds % 1 * 1e9):09d}Z"


def assistant(id_: str = "asst-1", model: str = MODEL) -> Line:
    """The answer to CreateAssistant."""
    return {"type": "assistant", "data": {"id": id_, "folderId": "b1g", "modelUri": model}}


def question(text: str, *, id_: str = "msg-1", thread: str = "thread-1") -> Line:
    """A user's message."""
    data = {
        "id": id_,
        "threadId": thread,
        "author": {"id": "user-1", "role": "USER"},
        "content": {"content": [{"text": {"content": text}}]},
        "status": "COMPLETED",
    }
    return {"type": "message", "data": data}


class Run:
    """Lines of one run, as its service would tell them.

    Stream events are numbered in the order in which they are asked for.
    """

    def __init__(
        self,
        id_: str = "run-1",
        *,
        assistant: str = "asst-1",
        thread: str = "thread-1",
        created: float = 0.0,
        labels: dict[str, str] | None = None,
    ) -> None:
        self.id = id_
        self.assistant = assistant
        self.thread = thread
        self.created = created
        self.labels = labels
        self._next = 0

    def pending(self) -> Line:
        """The answer to Create."""
        return self._run({"status": "PENDING"})

    def in_progress(self, usage: tuple[int, int] | None = None) -> Line:
        """The answer to a Get on the way."""
        return self._run({"status": "IN_PROGRESS"}, usage)

    def completed(self, text: str, usage: tuple[int, int] | None = (12, 8), **message: Any) -> Line:
        """The answer to a Get at the end."""
        state = {"status": "COMPLETED", "completedMessage": self.message(text, **message)}
        return self._run(state, usage)

    def failed(self, reason: str, code: int | None = None) -> Line:
        """The answer to a Get of a run that failed."""
        error: Line = {"message": reason}
        if code is not None:
            error["code"] = code
        return self._run({"status": "FAILED", "error": error})

    def tool_calls(
        self, calls: list[tuple[str, dict[str, Any]]], usage: tuple[int, int] | None = (100, 14)
    ) -> Line:
        """The answer to a Get of a run that waits for its tools."""
        return self._run({"status": "TOOL_CALLS", "toolCallList": _calls(calls)}, usage)

    def partial(self, *parts: str) -> Line:
        """A stream event with the text so far."""
        content = [{"text": {"content": part}} for part in parts]
        return self._event("PARTIAL_MESSAGE", partialMessage={"content": content})

    def done(self, text: str, **message: Any) -> Line:
        """The stream event with the whole message."""
        return self._event("DONE", completedMessage=self.message(text, **message))

    def error(self, reason: str) -> Line:
        """The stream event of a failure."""
        return self._event("ERROR", error={"message": reason})

    def asks(self, calls: list[tuple[str, dict[str, Any]]]) -> Line:
        """The stream event that asks for tools."""
        return self._event("TOOL_CALLS", toolCallList=_calls(calls))

    def results(self, *contents: str) -> Line:
        """What the program answered to the tool calls."""
        data = {
            "runId": self.id,
            "toolResultList": {
                "toolResults": [{"functionResult": {"content": c}} for c in contents]
            },
        }
        return {"type": "tool_results", "data": data, "request": {"runId": self.id}}

    def message(self, text: str, *, citations: list[Any] | None = None, at: float = 1.0) -> Line:
        """A message of the assistant."""
        told: Line = {
            "id": f"msg-of-{self.id}",
            "threadId": self.thread,
            "createdBy": "user-1",
            "createdAt": stamp(self.created + at),
            "author": {"id": self.assistant, "role": "ASSISTANT"},
            "content": {"content": [{"text": {"content": text}}]},
            "status": "COMPLETED",
        }
        if citations is not None:
            told["citations"] = citations
        return told

    def _run(self, state: Line, usage: tuple[int, int] | None = None) -> Line:
        data: Line = {
            "id": self.id,
            "assistantId": self.assistant,
            "threadId": self.thread,
            "createdBy": "user-1",
            "createdAt": stamp(self.created),
            "state": state,
        }
        if self.labels:
            data["labels"] = self.labels
        if usage is not None:
            given, made = usage
            told = {"promptTokens": given, "completionTokens": made, "totalTokens": given + made}
            # An int64 is a string in proto JSON, and left out where it is 0.
            data["usage"] = {key: str(count) for key, count in told.items() if count}
        return {"type": "run", "data": data, "request": {"runId": self.id}}

    def _event(self, kind: str, **content: Any) -> Line:
        cursor = {"currentEventIdx": str(self._next)} if self._next else {}
        self._next += 1
        data = {"eventType": kind, "streamCursor": cursor, **content}
        return {"type": "stream_event", "data": data, "request": {"runId": self.id}}


def citation(text: str) -> Line:
    """A citation of one chunk of a file, and of a source that nobody knows."""
    kept = {"expirationConfig": {"expirationPolicy": "STATIC", "ttlDays": "7"}}
    index = {"id": "index-1", "folderId": "b1g", "createdAt": stamp(0), "textSearchIndex": {}}
    file = {"id": "file-1", "name": "notes.txt", "mimeType": "text/plain"}
    chunk = {
        "searchIndex": index | kept,
        "sourceFile": file | kept,
        "content": {"content": [{"text": {"content": text}}]},
    }
    return {"sources": [{"chunk": chunk}, {}]}


def _calls(calls: list[tuple[str, dict[str, Any]]]) -> Line:
    named = [{"functionCall": {"name": name, "arguments": told}} for name, told in calls]
    return {"toolCalls": named}


def streamed(
    id_: str = "run-1", text: str = "Hello! How can I help you?", **run: Any
) -> list[Line]:
    """A run that was listened to from the start: the answer grows word by word."""
    told = Run(id_, **run)
    words = text.split(" ")
    grown = [" ".join(words[: n + 1]) for n in range(len(words))]
    return [
        told.pending(),
        *(told.partial(part) for part in grown),
        told.done(text),
        told.completed(text),
    ]


def polled(id_: str = "run-1", text: str = "Forty-two.", **run: Any) -> list[Line]:
    """A run that was asked for again and again; usage is told before it ends."""
    told = Run(id_, **run)
    return [
        assistant(told.assistant),
        question("What is it?", thread=told.thread),
        told.pending(),
        told.pending(),
        told.in_progress(),
        told.in_progress(usage=(30, 0)),
        told.in_progress(usage=(30, 4)),
        told.completed(text, usage=(30, 5)),
        told.completed(text, usage=(30, 5)),
    ]


def with_tools(id_: str = "run-1", **run: Any) -> list[Line]:
    """A run that stops for a tool and goes on."""
    told = Run(id_, **run)
    calls = [("add", {"numbers": [5.0, 4.0, 1.0], "deep": {"π": None}}), ("noop", {})]
    return [
        assistant(told.assistant),
        told.pending(),
        told.asks(calls),
        told.tool_calls(calls),
        told.results("10", ""),
        told.in_progress(usage=(100, 14)),
        told.partial("Ten"),
        told.partial("Ten."),
        told.done("Ten."),
        told.completed("Ten.", usage=(250, 20)),
    ]


def waiting(id_: str = "run-1", **run: Any) -> list[Line]:
    """A run that waits for its tools, as far as anybody knows."""
    told = Run(id_, **run)
    calls = [("add", {"numbers": [5.0, 4.0, 1.0]})]
    return [told.pending(), told.partial("Let me see"), told.asks(calls), told.tool_calls(calls)]


def cited(id_: str = "run-1", **run: Any) -> list[Line]:
    """A run whose answer says where it comes from."""
    told = Run(id_, **run)
    citations = [citation("my secret number is 57"), {"sources": []}]
    return [
        told.pending(),
        told.partial("57"),
        told.done("57", citations=citations),
        told.completed("57", citations=citations),
    ]


def failed(id_: str = "run-1", **run: Any) -> list[Line]:
    """A run that failed on the way, after it had begun to answer."""
    told = Run(id_, **run)
    return [
        assistant(told.assistant),
        told.pending(),
        told.partial("I am afr"),
        told.error("the model is overloaded"),
        told.failed("the model is overloaded", code=8),
    ]


def listened_late(id_: str = "run-1", **run: Any) -> list[Line]:
    """A run that was over, and then listened to from its beginning."""
    told = Run(id_, **run)
    return [
        told.pending(),
        told.completed("Over."),
        told.partial("Ov"),
        told.partial("Over."),
        told.done("Over."),
    ]


def begun_and_streamed(id_: str = "run-1", **run: Any) -> list[Line]:
    """A run of which Get never told the end: its stream did."""
    told = Run(id_, **run)
    return [
        question("Well?", thread=told.thread),
        told.pending(),
        told.partial("It"),
        told.partial("It depends"),
        told.partial("It does not, and that is that."),
        told.done("It does not."),
    ]


def thread_of(count: int, thread: str = "thread-1") -> list[Line]:
    """Several runs of one assistant in one thread, one after the other."""
    lines: list[Line] = [assistant("asst-1")]
    for n in range(count):
        lines.append(question(f"Question {n}", id_=f"msg-{n}", thread=thread))
        lines += streamed(f"run-{n}", f"Answer number {n}", thread=thread, created=float(n * 10))
    return lines


def interleaved(*recordings: list[Line]) -> list[Line]:
    """Several recordings told at once, line by line in turn."""
    longest = max(map(len, recordings))
    return [lines[n] for n in range(longest) for lines in recordings if n < len(lines)]


SHAPES: dict[str, Callable[..., list[Line]]] = {
    "streamed": streamed,
    "polled": polled,
    "with tools": with_tools,
    "waiting": waiting,
    "cited": cited,
    "failed": failed,
    "listened to late": listened_late,
    "begun and streamed": begun_and_streamed,
}


def write(path: Path, lines: Iterable[Line | bytes | str]) -> str:
    """The lines as a file of JSON lines; bytes and strings go in as they are."""
    with path.open("wb") as file:
        for line in lines:
            told = json.dumps(line, ensure_ascii=False) if isinstance(line, dict) else line
            file.write((told.encode() if isinstance(told, str) else told) + b"\n")
    return str(path)
