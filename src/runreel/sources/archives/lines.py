"""What the stored lines of archives have in common, whichever program wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_text import loads
from runreel.codec.json_values import as_object, object_in
from runreel.model.errors import BadValue
from runreel.sources.archives import claude_code as claude_code_lines
from runreel.sources.archives import codex as codex_lines
from runreel.sources.archives import spans

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLAUDE_CODE = "claude-code"
CODEX = "codex"
LLM_LOG = "llm-log"
OPENAI_BATCH = "openai-batch"
OTLP = "otlp-genai"
# The sources of archives. The answers in a batch have the sources of their bodies.
SOURCES = (CLAUDE_CODE, CODEX, LLM_LOG, OTLP)
# Those whose rows of requests are one message each.
BY_MESSAGE = (CLAUDE_CODE, CODEX)
# What `runreel import --from` takes.
ARCHIVES = (CLAUDE_CODE, CODEX, LLM_LOG, OPENAI_BATCH, OTLP)


def identity_of(source: str, value: object, place: int) -> str | None:
    """Return by what an event of an archive is known in every copy; None if by its content.

    ``place`` is its place among the events of its run.
    """
    if source == CLAUDE_CODE:
        return claude_code_lines.identity(value)
    if source == CODEX:
        # Its events have no id: each is known by its place in its turn.
        return str(place)
    found = as_object(value)
    if source == LLM_LOG:
        return f"{found.get('id')} {found.get('part')}" if found else None
    return spans.identity(value) if source == OTLP and found else None


def message_of(source: str, value: object) -> dict[str, object] | None:
    """Return the message in a line of an archive, in the form of requests; None without one."""
    if source == CLAUDE_CODE:
        return object_in(as_object(value), "message") or None
    if source == CODEX:
        return codex_lines.message_of(value)
    return None


def recognised(head: bytes) -> str | None:
    """Return the name of the archive that a file with these first bytes is; None if it is none."""
    if head.lstrip().startswith(b"{") and _SPANS in head[:_SPANS_WITHIN]:
        # It may be one object over several lines.
        return OTLP
    for raw in head.split(b"\n")[:_MOST_LINES]:
        value = _object(raw)
        if value is None:
            continue
        for name, is_line in _IS_LINE.items():
            if is_line(value):
                return name
    return None


def _object(raw: bytes) -> dict[str, object] | None:
    try:
        value = loads(raw)
    except BadValue:
        return None
    return value if isinstance(value, dict) else None


def _is_of_batch(value: Mapping[str, object]) -> bool:
    return "custom_id" in value and ("response" in value or "error" in value)


_IS_LINE: dict[str, Callable[[Mapping[str, object]], bool]] = {
    OPENAI_BATCH: _is_of_batch,
    OTLP: spans.is_line,
    CODEX: codex_lines.is_line,
    CLAUDE_CODE: claude_code_lines.is_line,
}
_SPANS, _SPANS_WITHIN = b'"resourceSpans"', 1_000
# Number of lines at the start of a file that are looked at.
_MOST_LINES = 20
