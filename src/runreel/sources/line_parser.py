"""Recognition of one line of input: its source, run and kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.codec.json_text import loads
from runreel.codec.json_values import as_object, as_text, text_in
from runreel.model.errors import BadInput
from runreel.model.events import CONTEXT, NOTE, RUN, STREAM_EVENT, TOOL_RESULTS
from runreel.model.status import RunStatus, StreamEvent
from runreel.sources.archives import claude_code as claude_code_lines
from runreel.sources.archives import codex as codex_lines
from runreel.sources.archives import lines as archive_lines
from runreel.sources.archives import spans
from runreel.sources.sse import SSEParser, is_field
from runreel.sources.yandex import completion_lines
from runreel.sources.yandex.proto_json import original, string

if TYPE_CHECKING:
    from collections.abc import Callable

YANDEX = "yandex-assistants"
PLAIN = "plain"
RESPONSES = "openai-responses"
CHAT = "openai-chat"
MESSAGES = "anthropic-messages"
GEMINI = "google-gemini"
COMPLETIONS = "yandex-completions"

_WRAPPED = {"run": RUN, "stream_event": STREAM_EVENT, "tool_results": TOOL_RESULTS}
_BARE_EVENT = frozenset(("eventType", "streamCursor", "partialMessage", "completedMessage"))
_ORIGINAL_EVENT = frozenset(map(original, _BARE_EVENT))
_LLM_PARTS = {"request": CONTEXT, "results": TOOL_RESULTS, "response": RUN}
_RUN = frozenset(("assistantId", "threadId"))
_ORIGINAL_RUN = frozenset(map(original, _RUN))
_RESPONSE = "response"
_COMPLETION = "chat.completion"
_CANDIDATE = frozenset(("content", "finishReason"))
_MESSAGE_EVENTS = ("message_", "content_block_")
_NAMES = {*StreamEvent.__members__, *RunStatus.__members__}
# The text that ends a stream of chat completions; it is not JSON.
DONE = b"[DONE]"


class Line(NamedTuple):
    """One recognised line.

    ``run_id`` is None if the line names no run. A context line may belong to several runs: those
    of ``assistant`` or of ``thread``. ``certain`` is False if events of other sources can look the
    same; the source of the run then takes precedence over ``source``.
    """

    source: str
    kind: str
    value: Any
    run_id: str | None = None
    assistant: str | None = None
    thread: str | None = None
    certain: bool = True


def parse(raw: bytes) -> Line | None:
    """Parse a JSON line or an SSE ``data:`` line; None if it holds no event.

    Raises:
        BadValue: if it is not JSON.
        BadInput: if it is not an object, or no source has events of this shape.
    """
    text = raw.strip()
    if is_field(text):
        event = SSEParser().feed(text + b"\n\n")
        text = event[0].data.strip() if event else b""
    if not text or text == DONE:
        return None
    return detect_line(read_object(text))


def read_object(text: bytes) -> dict[str, object]:
    """Parse ``text`` as a JSON object.

    Raises:
        BadValue: if it is not JSON.
        BadInput: if it is not an object.
    """
    value = loads(text)
    if not isinstance(value, dict):
        raise BadInput("an event must be a JSON object")
    return value


def detect_line(value: dict[str, object]) -> Line:
    """Detect source and kind of an object by its shape.

    Raises:
        BadInput: if no source has events of this shape.
    """
    return try_detect_line(value) or _refuse(value)


def try_detect_line(value: dict[str, object]) -> Line | None:
    """Like ``detect_line``, but None if no source has events of this shape."""
    for recognize in _RECOGNIZERS.values():
        if (line := recognize(value)) is not None:
            return line
    return _error(value)


def line_of_source(source: str, value: dict[str, object]) -> Line:
    """Interpret an object as an event of a known source; never fails."""
    recognize = _RECOGNIZERS.get(source)
    line = None if recognize is None else recognize(value)
    return line or Line(source, STREAM_EVENT, value, _run_id(value))


def _yandex(line: dict[str, object]) -> Line | None:
    return _wrapped(line) or _bare(line)


def _wrapped(line: dict[str, object]) -> Line | None:
    type_, data = line.get("type"), line.get("data")
    if not isinstance(data, dict) or not isinstance(type_, str):
        return None
    if type_ == "assistant":
        return Line(YANDEX, CONTEXT, data, assistant=text_in(data, "id"))
    if type_ == "message":
        return Line(YANDEX, CONTEXT, data, thread=string(data, "threadId"))
    kind = _WRAPPED.get(type_)
    if kind is None:
        return None
    run_id = string(as_object(line.get("request")), "runId") or _run_id(line)
    if kind == RUN:
        return Line(YANDEX, RUN, data, text_in(data, "id") or run_id, *_of_run(data))
    return Line(YANDEX, kind, data, run_id)


def _bare(line: dict[str, object]) -> Line | None:
    # Plain lines may use the protos' own field names with another meaning.
    plain = "type" in line or "kind" in line
    if not _BARE_EVENT.isdisjoint(line) or not (plain or _ORIGINAL_EVENT.isdisjoint(line)):
        return Line(YANDEX, STREAM_EVENT, line, _run_id(line))
    own = _RUN if plain else _RUN | _ORIGINAL_RUN
    if isinstance(line.get("state"), dict) and not own.isdisjoint(line):
        return Line(YANDEX, RUN, line, text_in(line, "id"), *_of_run(line))
    return None


def _responses(line: dict[str, object]) -> Line | None:
    """A response or an event of one; it names a run only if ``run_id`` was added."""
    run_id, type_ = _run_id(line), line.get("type")
    if isinstance(type_, str) and type_.startswith("response."):
        return Line(RESPONSES, STREAM_EVENT, line, run_id)
    if line.get("object") == _RESPONSE:
        return Line(RESPONSES, RUN, line, run_id)
    if isinstance(type_, str) and "sequence_number" in line:
        return Line(RESPONSES, STREAM_EVENT, line, run_id, certain=False)
    return None


def _chat(line: dict[str, object]) -> Line | None:
    """A chunk or a completion; many servers omit ``object`` or use another name."""
    object_, run_id = line.get("object"), _run_id(line)
    if object_ == _COMPLETION:
        return Line(CHAT, RUN, line, run_id)
    if isinstance(object_, str) and object_.startswith(_COMPLETION + "."):
        return Line(CHAT, STREAM_EVENT, line, run_id)
    kind = _kind_of_choices(line.get("choices")) if object_ in (None, "") else None
    return None if kind is None else Line(CHAT, kind, line, run_id)


def _kind_of_choices(choices: object) -> str | None:
    if not isinstance(choices, list):
        return None
    keys = [choice.keys() if isinstance(choice, dict) else {} for choice in choices]
    if not all("delta" in names or "message" in names for names in keys):
        return None
    return STREAM_EVENT if not keys or any("delta" in names for names in keys) else RUN


def _messages(line: dict[str, object]) -> Line | None:
    """A message or an event of one; it names a run only if ``run_id`` was added."""
    run_id, type_ = _run_id(line), line.get("type")
    if isinstance(type_, str) and type_.startswith(_MESSAGE_EVENTS):
        return Line(MESSAGES, STREAM_EVENT, line, run_id)
    is_whole = isinstance(line.get("content"), list) and "stop_reason" in line
    if type_ == "message" and is_whole:
        return Line(MESSAGES, RUN, line, run_id)
    is_error = type_ == "error" and isinstance(line.get("error"), dict)
    if is_error or (type_ == "ping" and line.keys() <= {"type", "run_id", "runId"}):
        return Line(MESSAGES, STREAM_EVENT, line, run_id, certain=False)
    return None


def _gemini(line: dict[str, object]) -> Line | None:
    """A chunk or a response, which look alike; it names a run only if ``run_id`` was added."""
    candidates, blocked = line.get("candidates"), line.get("promptFeedback")
    is_response = isinstance(candidates, list) and all(
        isinstance(one, dict) and not _CANDIDATE.isdisjoint(one) for one in candidates
    )
    if is_response or (isinstance(blocked, dict) and "usageMetadata" in line):
        return Line(GEMINI, STREAM_EVENT, line, _run_id(line))
    return None


def _completions(line: dict[str, object]) -> Line | None:
    """A message of an answer; it names a run only if ``run_id`` was added."""
    if not completion_lines.is_answer(line):
        return None
    return Line(COMPLETIONS, STREAM_EVENT, line, _run_id(line))


def _error(line: dict[str, object]) -> Line | None:
    """A body that holds only an error; several interfaces use this shape."""
    error = line.get("error")
    has_error = isinstance(error, (dict, str)) and bool(error)
    alone = line.keys() - {"run_id", "runId"} == {"error"}
    if has_error or alone or line.get("type") == "error":
        return Line(RESPONSES, STREAM_EVENT, line, _run_id(line), certain=False)
    return None


def _plain(line: dict[str, object]) -> Line | None:
    run_id = _run_id(line)
    if "tool_results" in line:
        return Line(PLAIN, TOOL_RESULTS, line, run_id)
    kind, type_ = line.get("kind"), line.get("type")
    if kind in (CONTEXT, TOOL_RESULTS, NOTE):
        return Line(PLAIN, kind, line, run_id)
    if not isinstance(type_, str) or type_ not in _NAMES:
        return None
    if kind is None:
        kind = STREAM_EVENT if type_ in StreamEvent.__members__ else RUN
    return Line(PLAIN, kind, line, run_id) if kind in (RUN, STREAM_EVENT) else None


def _claude_code(line: dict[str, object]) -> Line | None:
    """A line of a session; it names the session, and no run."""
    if not claude_code_lines.is_line(line):
        return None
    kind = claude_code_lines.KINDS.get(claude_code_lines.role_of(line), STREAM_EVENT)
    return Line(archive_lines.CLAUDE_CODE, kind, line, _run_id(line))


def _codex(line: dict[str, object]) -> Line | None:
    """A line of a session; it names neither the session nor a run."""
    if not codex_lines.is_line(line):
        return None
    kind = codex_lines.KINDS.get(codex_lines.role_of(line), STREAM_EVENT)
    return Line(archive_lines.CODEX, kind, line, _run_id(line))


def _otlp(line: dict[str, object]) -> Line | None:
    """A span of a trace."""
    if "traceId" not in line or "spanId" not in line:
        return None
    is_tool = spans.operation(spans.attributes(line)) == "tool"
    return Line(archive_lines.OTLP, TOOL_RESULTS if is_tool else RUN, line, _run_id(line))


def _llm_log(line: dict[str, object]) -> Line | None:
    """A part of a row of the log of llm."""
    kind = _LLM_PARTS.get(as_text(line.get("part")) or "")
    if kind is None or "id" not in line:
        return None
    return Line(archive_lines.LLM_LOG, kind, line, _run_id(line))


# By source, in the order in which they try a line of unknown source. Each returns None for an
# object that is no event of its source.
_RECOGNIZERS: dict[str, Callable[[dict[str, object]], Line | None]] = {
    YANDEX: _yandex,
    RESPONSES: _responses,
    CHAT: _chat,
    MESSAGES: _messages,
    GEMINI: _gemini,
    COMPLETIONS: _completions,
    archive_lines.CLAUDE_CODE: _claude_code,
    archive_lines.CODEX: _codex,
    archive_lines.OTLP: _otlp,
    archive_lines.LLM_LOG: _llm_log,
    PLAIN: _plain,
}


def _refuse(line: dict[str, object]) -> Line:
    keys = ", ".join(sorted(line)[:6])
    raise BadInput(
        f"unrecognised event (keys: {keys})",
        hint="The page Formats of the documentation lists the accepted shapes.",
    )


def _of_run(data: dict[str, object]) -> tuple[str | None, str | None]:
    return string(data, "assistantId"), string(data, "threadId")


def _run_id(line: dict[str, object]) -> str | None:
    return text_in(line, "run_id") or text_in(line, "runId")
