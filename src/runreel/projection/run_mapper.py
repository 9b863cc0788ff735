"""Rows of ``runs`` and ``run_labels``: what is kept of a run's state, and what is read of it."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass
from operator import attrgetter, is_
from typing import TYPE_CHECKING, Any

import msgspec

from runreel.codec import json_text, plain_json, text_delta
from runreel.model.errors import BadValue, LogError, UsageError
from runreel.model.results import RunResult, UsageDetails
from runreel.model.results import usage as usage_of
from runreel.model.runs import RunError, RunSummary
from runreel.model.status import RunStatus
from runreel.model.timestamps import duration_ms, first_text_ms, from_micros, to_micros
from runreel.sources import reader_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

# Key, value, and when the run started, in µs.
Label = tuple[str, str, int]

# The columns of ``runs`` in their order: to ask the tables would import SQLAlchemy.
COLUMNS = (
    *("run_id", "source", "status", "recording", "assistant_id", "thread_id", "created_by"),
    *("model", "labels", "error", "error_code", "tool_calls", "created_at", "started_at"),
    *("first_text_at", "finished_at", "input_text_tokens", "completion_tokens", "total_tokens"),
    *("cached_tokens", "reasoning_tokens", "response_id", "events", "result", "projected_seq"),
    "requested_at",
)
# What a list shows; results can be long.
SUMMARY = tuple(column for column in COLUMNS if column != "result")
_SHAPE = reader_of("plain")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_STATUSES = dict(RunStatus.__members__)
_told = attrgetter(*RunResult.__dataclass_fields__)
_plain_labels = msgspec.json.Decoder(dict[str, str]).decode
# Powers of two: a window of 4 KiB.
_WINDOW, _MEMORY = 12, 4
# An index of Postgres takes no more than 2,704 bytes of a row.
_KEPT = 200


@dataclass(frozen=True, slots=True)
class RunProjection:
    """One row of ``runs`` as words; ``text`` is the run's text as of the same event.

    ``packed`` is the result as ``encode_result`` tells it, where that is known already.
    """

    summary: RunSummary
    result: RunResult
    text: str
    compressed_result: bytes | None = None


def sort_labels(labels: Iterable[Label]) -> list[Label]:
    """Labels in order, whatever a damaged table holds."""
    return sorted(labels, key=repr)


def differing_columns(
    stored: dict[str, Any], projected: RunProjection
) -> Iterator[tuple[str, Any, Any]]:
    """The columns in which a row is not what it should be: name, the row's value, the right one.

    A result is compared unpacked: equal states may be compressed unequally.
    """
    packed = stored["result"]
    same = _same_result(packed, _result_payload(projected))
    right = _row(projected, packed if same else encode_result(projected))
    for column, value, due in zip(COLUMNS, stored.values(), right, strict=True):
        # SQLite may hold a number of another type, which Python calls equal.
        if type(value) is not type(due) or value != due:
            yield column, value, due


def label_rows(summary: RunSummary) -> list[Label]:
    """The labels as their own table holds them, in order."""
    stored = {str(index_key(name)): str(index_key(value)) for name, value in summary.labels.items()}
    started_at = to_micros(summary.started_at)
    return sort_labels((name, value, started_at) for name, value in stored.items())


def to_row(projected: RunProjection) -> tuple[Any, ...]:
    """The values of a row, in the order of its columns."""
    return _row(projected, projected.compressed_result or encode_result(projected))


def to_dict(projected: RunProjection) -> dict[str, Any]:
    """The values of a row by column names."""
    return as_dict(to_row(projected))


def as_dict(row: Sequence[Any]) -> dict[str, Any]:
    """The values of a row of ``COLUMNS`` by their names."""
    return dict(zip(COLUMNS, row, strict=True))


def _row(projected: RunProjection, result: bytes) -> tuple[Any, ...]:
    told = projected.summary
    usage, details = told.usage, told.usage_details
    calls = plain_json.tool_calls_value(told.tool_calls)
    return (
        told.run_id,
        told.source,
        told.status.name,
        told.recording,
        index_key(told.assistant_id),
        index_key(told.thread_id),
        clean_text(told.created_by),
        index_key(told.model),
        json_text.dumps(told.labels) if told.labels else None,
        clean_text(None if told.error is None else told.error.message),
        None if told.error is None or told.error.code is None else json_text.dumps(told.error.code),
        None if calls is None else json_text.dumps(calls),
        _micros(told.created_at),
        to_micros(told.started_at),
        _micros(told.first_text_at),
        _micros(told.finished_at),
        usage and usage.input_text_tokens,
        usage and usage.completion_tokens,
        usage and usage.total_tokens,
        details and details.cached_tokens,
        details and details.reasoning_tokens,
        index_key(told.response_id),
        told.events,
        result,
        told.last_seq,
        _micros(told.requested_at),
    )


def clean_text(text: str | None) -> str | None:
    """``text`` as both databases take it; the log has it exactly."""
    if text is None or text.isprintable():
        return text
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def index_key(text: str | None) -> str | None:
    """``text`` as indexes of both databases take it: what is long is cut, and told apart."""
    text = clean_text(text)
    if text is None or len(text) <= _KEPT:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{text[: _KEPT - 17]}\N{HORIZONTAL ELLIPSIS}{digest}"


def row_to_summary(row: Sequence[Any]) -> RunSummary:
    """The words of a row of ``SUMMARY``.

    Raises:
        LogError: if the row is damaged.
    """
    # A list has many of them: what most rows lack is looked for first, and a tuple made of a tuple
    # takes half as long as one made of arguments.
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
        given,
        made,
        total,
        cached,
        reasoning,
        response_id,
        events,
        last_seq,
        requested_at,
    ) = row
    try:
        labels = {} if labels is None else _labels(labels)
        code = None if error_code is None else json_text.loads(error_code)
        calls = None if calls is None else plain_json.tool_calls(json_text.loads(calls))
        usage = None if total is None else usage_of(given, total, made)
    except (BadValue, UsageError) as bad:
        raise _damaged(run_id) from bad
    return RunSummary._make(
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
            None if finished_at is None else from_micros(finished_at),
            first_text_ms(requested_at, text_at),
            duration_ms(requested_at, started_at, finished_at),
            None if error is None and code is None else RunError(error, code),
            calls,
            usage,
            events,
            last_seq,
            None if cached is None and reasoning is None else UsageDetails(cached, reasoning),
            response_id,
            False,
            None if requested_at is None else from_micros(requested_at),
            None if text_at is None else from_micros(text_at),
        )
    )


def _labels(text: str) -> Any:
    try:
        return _plain_labels(text)
    except (msgspec.DecodeError, UnicodeError):
        # Not every string is one to msgspec.
        return json_text.loads(text)


def encode_result(projected: RunProjection) -> bytes:
    """A result as compressed plain JSON, the text that stands in the log lifted out of it."""
    # Results are short: to clear the usual window and tables would take most of the time.
    packer = zlib.compressobj(6, zlib.DEFLATED, _WINDOW, _MEMORY)
    return packer.compress(_result_payload(projected)) + packer.flush()


def compress_result(now: RunProjection, before: RunProjection | None = None) -> RunProjection:
    """``now`` with its result packed; that of ``before``, if it is the same still."""
    if before is None or now.text is not before.text or not _same(now.result, before.result):
        return RunProjection(now.summary, now.result, now.text, encode_result(now))
    return RunProjection(now.summary, now.result, now.text, before.compressed_result)


def _same(one: RunResult, other: RunResult) -> bool:
    # Equal is not enough: 1, 1.0 and true are, and are packed unequally.
    return all(map(is_, _told(one), _told(other)))


def decode_result(run_id: str, data: bytes, text: str) -> RunResult:
    """The result that ``encode_result`` was given; ``text`` is the run's text in the log.

    Raises:
        LogError: if it is damaged.
    """
    try:
        return plain_json.result(
            text_delta.decode_detached(zlib.decompress(data).decode(), _SHAPE, text=text)
        )
    except (zlib.error, UnicodeDecodeError, BadValue) as error:
        raise _damaged(run_id) from error


def _result_payload(projected: RunProjection) -> bytes:
    value = plain_json.result_value(projected.result)
    return text_delta.encode(value, _SHAPE, text=projected.text).payload.encode()


def _same_result(packed: Any, payload: bytes) -> bool:
    """Whether a stored result is this one; however long it unpacks, little more is unpacked."""
    if not isinstance(packed, bytes):
        return False
    unpacking = zlib.decompressobj()
    try:
        # Keys may stand in another order, and characters be escaped, in what is equal.
        found = unpacking.decompress(packed, 6 * len(payload) + 1)
        whole = unpacking.eof and not unpacking.unused_data
        return whole and (found == payload or json_text.loads(found) == json_text.loads(payload))
    except (zlib.error, BadValue):
        return False


def _damaged(run_id: str) -> LogError:
    return LogError(
        f"the projection of run {run_id} is damaged",
        hint=f"`runreel rebuild {run_id}` makes it anew from the log.",
    )


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment)
