"""Made recordings with every field of the Assistants service's real traffic.

``traffic`` makes the shortest lines that mean something; these have what a client of the service
records: the proto's full name, the call and its request, times of nanoseconds, settings that
runreel does not interpret. Each recording is one run.
"""

from __future__ import annotations

from typing import Any

Line = dict[str, Any]

_PROTOS = {
    "assistant": "yandex.cloud.ai.assistants.v1.Assistant",
    "message": "yandex.cloud.ai.assistants.v1.threads.Message",
    "run": "yandex.cloud.ai.assistants.v1.runs.Run",
    "stream_event": "yandex.cloud.ai.assistants.v1.runs.StreamEvent",
}
_FOLDER, _USER = "b1gmadefolder0000000", "ajemadeuser000000000"
_MODEL = f"gpt://{_FOLDER}/yandexgpt/latest"
_NUMBERS = {
    "title": "Numbers",
    "type": "object",
    "properties": {"numbers": {"title": "Numbers", "type": "array", "items": {"type": "integer"}}},
    "required": ["numbers"],
}
_TEMPERATURE = {"customCompletionOptions": {"temperature": 0.0}}
_KEPT = {"expirationConfig": {"expirationPolicy": "SINCE_LAST_ACTIVE", "ttlDays": "7"}}


def _stamp(second: int, fraction: str) -> str:
    return f"2025-04-02T17:36:{second:02d}.{fraction}Z"


def _text(text: str) -> Line:
    return {"content": [{"text": {"content": text}}]}


def _resource(id_: str, second: int) -> Line:
    stamps = {"createdAt": _stamp(second, "886744"), "updatedAt": _stamp(second + 1, "886744")}
    owners = {"folderId": _FOLDER, "createdBy": _USER, "updatedBy": _USER}
    expires = {"expiresAt": "2025-04-09T17:36:55.886744Z"}
    return {"id": id_} | owners | stamps | _KEPT | expires


class _Recording:
    """The lines of one run, numbered in the order in which they were recorded."""

    def __init__(self, name: str) -> None:
        self.lines: list[Line] = []
        self.run = f"fvt-run-{name}"
        self.assistant_id = f"fvt-assistant-{name}"
        self.thread = f"fvt-thread-{name}"
        self.question = f"fvt-question-{name}"
        self.options: Line = {}
        self._seq = 0

    def add(self, type_: str, rpc: str, data: Line, **about: Any) -> None:
        # The events of one stream are the answers to one call.
        self._seq += 0 if about.get("idx") else 1
        line = {"type": type_, "proto": _PROTOS[type_], "data": data, "rpc": rpc}
        self.lines.append(line | {"seq": self._seq} | about)

    def assistant(self, *, truncation: Line | None = None, **settings: Any) -> None:
        made = {
            "modelUri": _MODEL,
            "promptTruncationOptions": (truncation or {}) | {"autoStrategy": {}},
            "completionOptions": {},
        }
        self.add("assistant", "CreateAssistant", _resource(self.assistant_id, 10) | made | settings)

    def ask(self, text: str, *, listed: bool = False) -> None:
        message = {
            "id": self.question,
            "threadId": self.thread,
            "createdBy": _USER,
            "createdAt": _stamp(12, "156247"),
            "author": {"id": "fvt-author", "role": "USER"},
            "content": _text(text),
            "status": "COMPLETED",
        }
        about = {"idx": 0, "request": {"threadId": self.thread}} if listed else {}
        self.add("message", "ListMessages" if listed else "CreateMessage", message, **about)

    def create(self, options: Line | None = None, *, stream: bool = False) -> None:
        request = {"assistantId": self.assistant_id, "threadId": self.thread} | (options or {})
        # The service fills in the strategy that the request leaves out.
        self.options = dict(options or {})
        truncation = self.options.get("customPromptTruncationOptions")
        if truncation is not None and "lastMessagesStrategy" not in truncation:
            filled = truncation | {"autoStrategy": {}}
            self.options["customPromptTruncationOptions"] = filled
        streams = {"stream": True} if stream else {}
        self._run("CreateRun", {"status": "PENDING"}, request=request | streams)

    def get(self, *statuses: str) -> None:
        for status in statuses:
            self.got({"status": status})

    def got(self, state: Line, usage: tuple[int, int] | None = None, times: int = 1) -> None:
        for _ in range(times):
            self._run("GetRun", state, usage, request={"runId": self.run})

    def completed(self, message: Line, usage: tuple[int, int], times: int = 2) -> None:
        self.got({"status": "COMPLETED", "completedMessage": message}, usage, times)

    def answer(self, text: str, citations: list[Line] | None = None) -> Line:
        message = {
            "id": f"{self.question}-answer",
            "threadId": self.thread,
            "createdBy": _USER,
            "createdAt": _stamp(16, "084751614"),
            "author": {"id": self.assistant_id, "role": "ASSISTANT"},
            "content": _text(text),
            "status": "COMPLETED",
        }
        return message | ({} if citations is None else {"citations": citations})

    def listen(self, partials: list[str], message: Line) -> None:
        kinds = [("PARTIAL_MESSAGE", {"partialMessage": _text(text)}) for text in partials]
        kinds.append(("DONE", {"completedMessage": message}))
        for n, (kind, content) in enumerate(kinds):
            cursor = {"currentEventIdx": str(n)} if n else {}
            event = {"eventType": kind, "streamCursor": cursor} | content
            request = {"runId": self.run, "eventsStartIdx": "0"}
            self.add("stream_event", "ListenRun", event, idx=n, request=request)

    def _run(
        self, rpc: str, state: Line, usage: tuple[int, int] | None = None, **about: Any
    ) -> None:
        run: Line = {
            "id": self.run,
            "assistantId": self.assistant_id,
            "threadId": self.thread,
            "createdBy": _USER,
            "createdAt": _stamp(12, "040224550"),
            "state": state,
        }
        if usage is not None:
            names = ("promptTokens", "completionTokens", "totalTokens")
            run["usage"] = dict(zip(names, map(str, (*usage, sum(usage))), strict=True))
        self.add("run", rpc, run | self.options, **about)


def _stream_function_call(made: _Recording) -> None:
    """A stream from the start, which no Get follows; the thread is listed before it."""
    made.assistant()
    made.ask("do a FOO with all the numbers from: 5, 4, a, 1")
    made.create(stream=True)
    made.ask("do a FOO with all the numbers from: 5, 4, a, 1", listed=True)
    texts = ["The", "The operation", 'The operation "FOO"', 'The operation "FOO"\n\nis \\(+\\)']
    made.listen(texts, made.answer(f"{texts[-1]}."))


def _sync_function_call(made: _Recording) -> None:
    """A run that waits for a tool, and whose usage goes on behind it."""
    function = {"name": "special_operation", "description": "Collects.", "parameters": _NUMBERS}
    made.assistant(tools=[{"function": function}])
    made.ask("do a FOO with all the numbers from: 5, 4, a, 1")
    made.create()
    made.get("PENDING", "IN_PROGRESS", "IN_PROGRESS")
    call = {"name": "special_operation", "arguments": {"numbers": [5.0, 4.0, 1.0]}}
    calls = {"toolCalls": [{"functionCall": call}]}
    made.got({"status": "TOOL_CALLS", "toolCallList": calls}, (100, 14), times=2)
    made.completed(made.answer("Результат операции равен +20."), (234, 53))


def _rephraser(made: _Recording) -> None:
    rephraser = {"rephraserUri": f"gpt://{_FOLDER}/rephraser/latest"}
    index = {"searchIndexIds": ["fvt-index"], "rephraserOptions": rephraser}
    made.assistant(tools=[{"searchIndex": index}])
    made.ask("wats ur mystery")
    made.create()
    made.get("PENDING", *["IN_PROGRESS"] * 5)
    made.completed(made.answer("I'm a language model."), (14, 51))


def _custom_run_options(made: _Recording) -> None:
    made.assistant()
    made.ask("hey!")
    completion = {"maxTokens": "100", "temperature": 0.0}
    truncation = {"maxPromptTokens": "200"}
    made.create(
        {"customPromptTruncationOptions": truncation, "customCompletionOptions": completion}
    )
    made.get("IN_PROGRESS", "IN_PROGRESS")
    made.completed(made.answer("Hello! How can I help you?"), (12, 8))


def _last_messages_strategy(made: _Recording) -> None:
    """A second run of its thread: no message comes with it."""
    made.assistant()
    strategy = {"lastMessagesStrategy": {"numMessages": "10"}}
    made.create({"customPromptTruncationOptions": strategy} | _TEMPERATURE)
    made.get("PENDING", "IN_PROGRESS")
    made.completed(made.answer("Я готов ответить на ваши вопросы."), (26, 7))


def _run_then_stream(made: _Recording) -> None:
    """A run that is over when its stream is asked for: there is nothing but the end."""
    made.assistant()
    made.ask("hey!")
    made.create(_TEMPERATURE)
    made.get("PENDING", "IN_PROGRESS")
    answer = made.answer("Hello! How can I help you?")
    made.completed(answer, (12, 8))
    made.listen([], answer)


def _run_fail(made: _Recording) -> None:
    """A run that failed: an error without a code, and no usage ever."""
    made.assistant(truncation={"maxPromptTokens": "1"})
    made.ask("hey!")
    made.create(_TEMPERATURE)
    made.get("IN_PROGRESS")
    reason = "java.lang.IllegalArgumentException: the messages do not fit into 1 tokens"
    made.got({"status": "FAILED", "error": {"message": reason}}, times=2)


def _run_methods(made: _Recording) -> None:
    made.assistant()
    made.ask("foo")
    made.create()
    made.get("PENDING", "IN_PROGRESS")
    made.completed(made.answer("Это команда «foo»?"), (11, 15), times=3)


def _run_stream(made: _Recording) -> None:
    made.assistant()
    made.ask("hey!")
    made.create(_TEMPERATURE, stream=True)
    made.get("IN_PROGRESS")
    answer = made.answer("Hello! How can I help you?")
    made.completed(answer, (12, 8))
    made.listen(["Hello", "Hello! How can I help you?"], answer)


def _search_index(made: _Recording) -> None:
    """A run whose answer cites a chunk of a file in a search index."""
    tool = {"searchIndexIds": ["fvt-index"], "callStrategy": {"alwaysCall": {}}}
    made.assistant(tools=[{"searchIndex": tool}])
    made.ask("what is your secret number")
    made.create()
    made.get("PENDING", "IN_PROGRESS")
    sizes = {"maxChunkSizeTokens": "800", "chunkOverlapTokens": "400"}
    index = {
        "chunkingStrategy": {"staticStrategy": sizes},
        "standardTokenizer": {},
        "yandexLemmerAnalyzer": {},
    }
    chunk = {
        "searchIndex": _resource("fvt-index", 1) | {"textSearchIndex": index},
        "sourceFile": _resource("fvt-file", 0) | {"mimeType": "text/plain"},
        "content": _text("my secret number is 57"),
    }
    made.completed(made.answer("57", [{"sources": [{"chunk": chunk}]}]), (41, 3))


def _structured_output(made: _Recording) -> None:
    """The question comes before the assistant is made."""
    made.ask("collect all numbers from: 5, 4, a, 1")
    made.assistant(responseFormat={"jsonSchema": {"schema": _NUMBERS}})
    made.create()
    made.get("PENDING")
    made.completed(made.answer('{"numbers": [5, 4, 1]}'), (25, 12))


def _simple_json(made: _Recording) -> None:
    made.ask("collect all numbers from: 5, 4, a, 1")
    made.assistant(responseFormat={"jsonObject": True})
    made.create()
    made.get("IN_PROGRESS")
    made.completed(made.answer('{"output": "5, 4, 1"}'), (25, 12))


def _made(name: str, fill: Any) -> list[Line]:
    made = _Recording(name)
    fill(made)
    return made.lines


RECORDINGS: dict[str, list[Line]] = {
    f"service-{name}": _made(name, fill)
    for name, fill in {
        "stream-function-call": _stream_function_call,
        "sync-function-call": _sync_function_call,
        "rephraser": _rephraser,
        "custom-run-options": _custom_run_options,
        "last-messages-strategy": _last_messages_strategy,
        "run-then-stream": _run_then_stream,
        "run-fail": _run_fail,
        "run-methods": _run_methods,
        "run-stream": _run_stream,
        "search-index": _search_index,
        "structured-output": _structured_output,
        "simple-json": _simple_json,
    }.items()
}
