"""Maps the state of a run to rows of ``runs`` and ``run_labels``, and rows to summaries."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from runreel.codec import json_text, plain_json
from runreel.model.columns import RUNS
from runreel.model.errors import BadValue, UsageError
from runreel.model.results import CallUsage, UsageDetails
from runreel.model.results import usage as usage_of
from runreel.model.runs import PLAIN_COLUMNS, RunError, RunSummary
from runreel.model.status import RunStatus
from runreel.model.timestamps import duration_ms, first_text_ms, from_micros, to_micros
from runreel.projection import result_codec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runreel.projection.run_projection import Label, RunProjection, StoredRow

# Without the result, which can be long.
SUMMARY = tuple(column for column in RUNS if column != "result")
_END = len(SUMMARY)
_RESULT = RUNS.index("result")
_PLAIN = _END - len(PLAIN_COLUMNS)
# ``_make`` is a function of Python around this one.
_new_tuple = tuple.__new__
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_STATUSES = dict(RunStatus.__members__)
_plain_labels = msgspec.json.Decoder(dict[str, str]).decode
# A row of a Postgres index has at most 2,704 bytes.
_KEPT = 200


def sort_labels(labels: Iterable[Label]) -> list[Label]:
    """Sort labels; values of any type, since a damaged table may hold any."""
    return sorted(labels, key=repr)


def differing_columns(
    stored: Sequence[Any], projected: RunProjection
) -> Iterator[tuple[str, object, object]]:
    """Yield the columns in which a stored row is wrong: name, stored value, expected value."""
    result = stored[_RESULT]
    right = result_codec.is_result(result, projected)
    expected_row = _row(projected, result if right else result_codec.stored_result(projected))
    found = tuple(stored)
    # SQLite may hold a number of another type that Python calls equal.
    if found == expected_row and [*map(type, found)] == [*map(type, expected_row)]:
        return
    for column, value, expected in zip(RUNS, found, expected_row, strict=True):
        if type(value) is not type(expected) or value != expected:
            yield column, value, expected


def label_rows(summary: RunSummary) -> list[Label]:
    """Return the rows of ``run_labels`` for a run, sorted."""
    if not summary.labels:
        return []
    stored = {str(index_key(name)): str(index_key(value)) for name, value in summary.labels.items()}
    started_at = to_micros(summary.started_at)
    return sort_labels((name, value, started_at) for name, value in stored.items())


def to_row(projected: RunProjection) -> StoredRow:
    """Return the values of a row in the order of its columns."""
    return projected.row or _row(projected, result_codec.stored_result(projected))


def to_dict(projected: RunProjection) -> dict[str, Any]:
    """Return the values of a row by column name."""
    return as_dict(to_row(projected))


def as_dict(row: Sequence[object]) -> dict[str, Any]:
    """Return the values of a row of ``RUNS`` by column name."""
    return dict(zip(RUNS, row, strict=True))


def _row(projected: RunProjection, result: bytes) -> StoredRow:
    summary = projected.summary
    usage, details = summary.usage, summary.usage_details
    calls = plain_json.tool_calls_value(summary.tool_calls)
    return (
        summary.run_id,
        summary.source,
        summary.status.name,
        summary.recording,
        index_key(summary.assistant_id),
        index_key(summary.thread_id),
        clean_text(summary.created_by),
        index_key(summary.model),
        json_text.dumps(summary.labels) if summary.labels else None,
        clean_text(None if summary.error is None else summary.error.message),
        None
        if summary.error is None or summary.error.code is None
        else json_text.dumps(summary.error.code),
        None if calls is None else json_text.dumps(calls),
        to_micros(summary.created_at),
        to_micros(summary.started_at),
        to_micros(summary.first_text_at),
        to_micros(summary.finished_at),
        usage and usage.input_text_tokens,
        usage and usage.completion_tokens,
        usage and usage.total_tokens,
        details and details.cached_tokens,
        details and details.reasoning_tokens,
        index_key(summary.response_id),
        summary.events,
        result,
        summary.last_seq,
        to_micros(summary.requested_at),
        details and details.cache_write_tokens,
        json_text.dumps(summary.call_usage) if summary.call_usage else None,
        *[_plain(getattr(summary, name)) for name in PLAIN_COLUMNS],
    )


def _plain(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value


def clean_text(text: str | None) -> str | None:
    """Replace the characters that the databases reject; the event log has the exact text."""
    if text is None or _is_storable(text):
        return text
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _is_storable(text: str) -> bool:
    if "\0" in text:
        return False
    if text.isascii():
        return True
    # Encoding a long text is faster than a search in it.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def index_key(text: str | None) -> str | None:
    """Shorten ``text`` to what an index accepts; a digest keeps long values distinct."""
    if text is None:
        return None
    return _short_key(text) if len(text) <= _KEPT else _long_key(text)


@lru_cache(maxsize=1024)
def _short_key(text: str) -> str | None:
    return clean_text(text)


def _long_key(text: str) -> str:
    text = clean_text(text) or ""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: _KEPT - 17]}\N{HORIZONTAL ELLIPSIS}{digest}"


def row_to_summary(row: Sequence[Any]) -> RunSummary:
    """Return the summary of a row that begins with the columns of ``SUMMARY``.

    Raises:
        LogError: if the row is damaged.
    """
    # Lists have many rows: the usual None is checked first, and a tuple from a tuple takes half as
    # long to build as one from arguments.
    (
        run_id,
        source,
        status,
        recording,
        assistant_id,
        thread_id,
        created_by,
        model,
        labels,
        error,
        error_code,
        calls,
        created_at,
        started_at,
        text_at,
        finished_at,
        input_tokens,
        output_tokens,
        total,
        cached,
        reasoning,
        response_id,
        events,
        last_seq,
        requested_at,
        cache_write,
        call_usage,
    ) = row[:_PLAIN]
    try:
        labels = {} if labels is None else _labels(labels)
        code = None if error_code is None else json_text.loads(error_code)
        calls = None if calls is None else plain_json.tool_calls(json_text.loads(calls))
        usage = None if total is None else usage_of(input_tokens, total, output_tokens)
        each_call = () if call_usage is None else _calls(call_usage)
    except (BadValue, UsageError, msgspec.MsgspecError) as bad:
        raise result_codec.damaged_projection(run_id) from bad
    return _new_tuple(
        RunSummary,
        (
            run_id,
            source,
            _STATUSES.get(status, RunStatus.UNKNOWN),
            recording,
            assistant_id,
            thread_id,
            model,
            labels,
            created_by,
            None if created_at is None else from_micros(created_at),
            from_micros(started_at),
            from_micros(finished_at),
            first_text_ms(requested_at, text_at),
            duration_ms(requested_at, started_at, finished_at),
            None if error is None and code is None else RunError(error, code),
            calls,
            usage,
            events,
            last_seq,
            None
            if cached is None and reasoning is None and cache_write is None
            else UsageDetails(cached, reasoning, cache_write),
            response_id,
            False,
            None if requested_at is None else from_micros(requested_at),
            from_micros(text_at),
            each_call,
            *row[_PLAIN:_END],
        ),
    )


def _calls(text: str) -> tuple[CallUsage, ...]:
    return tuple(msgspec.convert(json_text.loads(text), list[CallUsage]))


def _labels(text: str) -> dict[str, str]:
    try:
        return _plain_labels(text)
    except (msgspec.DecodeError, UnicodeError):
        # msgspec rejects some strings that the log accepts.
        labels: dict[str, str] = json_text.loads(text)
        return labels
