"""The page of tables and views: their columns from the metadata, their meanings from here."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint
from sqlalchemy.dialects import postgresql, sqlite

from runreel.sources import SOURCES
from runreel.store.database import Database
from runreel.store.schema import tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Column, Table

HEAD = """\
# Tables and views

Times are in microseconds since 1970-01-01 UTC, unless stated otherwise.
`events` is the append-only log, protected by triggers. `runs`, `run_labels`, `usage_by_time` and
`usage_by_value` are projections: `runreel rebuild` computes them from the log again.
`runreel db sql` prints the DDL.
"""

ABOUT = {
    "events": "The log, one row per event. The rows of a run are numbered without gaps. Triggers"
    " (`events_guard_…`) refuse to update a row, to delete one, to insert one before the last of"
    " its run (SQLite) and to truncate the table (Postgres). They allow two exceptions: erasing the"
    " payload of a row that a later `redacted` note lists, and deleting the rows before a `pruned`"
    " note of their run.",
    "runs": "The columns of lists and reports: a projection with one row per run. Ids, models and"
    " labels of more than 200 characters are truncated, with a digest at the end; the log has the"
    " full values.",
    "run_labels": "The labels of runs: a projection with one row per label.",
    "run_keys": "The keys by which a run is found: a projection with one row per key and row of the"
    " log that has it.",
    "key_frames": "A projection with the state of long runs at some of their rows, so that reading"
    " a run there, or going on with it, does not read all of its rows. Runs of less than 256 rows"
    " have none.",
    "run_text": "The texts of runs whose recording has ended, for searches: a projection with one"
    " row per part of a run.",
    "usage_by_time": "A projection: a usage rollup by quarter of an hour and by hour of the runs'"
    " start. It excludes runs that are still being recorded and includes pruned ones with kept"
    " usage. Reports use it where possible: in every time zone, days begin on a quarter of an"
    " hour.",
    "cost_books": "A projection: the price books whose costs are stored.",
    "run_costs": "A projection: what each run whose recording has ended cost, by price book. It is"
    " written when costs are asked of a log with many runs, or by `runreel rebuild --costs`.",
    "cost_hours": "A projection: the hours whose runs have stored costs.",
    "cost_sums": "A projection: the costs of `run_costs` summed by hour and by UTC day, for all"
    " runs and for each value of source, status, assistant and model.",
    "usage_by_value": "A projection: a usage rollup for each single value of source, status,"
    " assistant and model, by quarter of an hour, hour and UTC day. Threads are not included,"
    " because each has few runs.",
    "runreel_meta": "Properties of the database.",
    "runreel_version": "The revision of the schema, maintained by Alembic.",
    "transcript": "A view: the log in readable form.",
    "run_list": "A view: the runs in readable form, newest first.",
}

_SUM = "The sum is `high` times 1,000,000,000 plus `low`, because it may exceed 64 bits."
COUNTED = {
    "span": "Length in quarters of an hour: 1, 4 or 96.",
    "start": "The first quarter, counted since 1970-01-01 UTC.",
    "slot": "Part of the count. On Postgres each connection adds to one of several parts, so that"
    " they do not wait for each other; the count is the sum of all parts.",
    "runs": "Number of runs.",
    "known": "Number of runs with known usage.",
    "input_high": f"Input tokens. {_SUM}",
    "input_low": "See `input_high`.",
    "completion_high": "Completion tokens, likewise.",
    "completion_low": "See `completion_high`.",
    "total_high": "Total tokens, likewise.",
    "total_low": "See `total_high`.",
    "cached_known": "Number of runs that reported cached tokens.",
    "cached_high": "Input tokens read from a cache, likewise.",
    "cached_low": "See `cached_high`.",
    "cache_write_known": "Number of runs that reported tokens written to a cache.",
    "cache_write_high": "Input tokens written to a cache, likewise.",
    "cache_write_low": "See `cache_write_high`.",
    "reasoning_known": "Number of runs that reported reasoning tokens.",
    "reasoning_high": "Completion tokens used for reasoning, likewise.",
    "reasoning_low": "See `reasoning_high`.",
}
MEANINGS = {
    "events": {
        "run_id": "Id of the run, 1 to 200 characters.",
        "seq": "Position in the run: 0, 1, 2, … without gaps; for a pruned run, from its tombstone"
        " on.",
        "kind": "`run` (a state of the run, as reported by its service), `stream_event`, `context`"
        " (the assistant, messages), `tool_results` (answers of the program), `note` (written by"
        " runreel).",
        "type": "For a `stream_event` the `StreamEvent` name, for a `run` the `RunStatus` name, for"
        " a `note` its type: `opened`, `resumed`, `closed`, `interrupted`, `conflict`, `gap`,"
        " `not_understood`, `lost`, `sent`, `attempt`, `labeled`, `made_from`, `masked`,"
        " `redacted`, `pruned`.",
        "source_index": "The source's own number of the event, if any. It identifies duplicates.",
        "at": "Wall-clock time when the event was received or imported.",
        "elapsed": "Microseconds on a monotonic clock since the recording started. Replays use it"
        " for their timing.",
        "keep": "Number of characters kept of the run's text so far. NULL: the payload is the"
        " source's JSON unchanged.",
        "added": "Number of characters appended after those.",
        "payload": "The source's JSON, compact, with the running text as a delta. NULL if erased.",
        "salt": "16 random bytes, the key of the payload's commitment. Erased with the payload.",
        "redacted": "The commitment of an erased payload. NULL while the payload exists.",
        "digest": "SHA-256 over the previous row's digest and all columns of this row.",
    },
    "runs": {
        "run_id": "Id of the run.",
        "source": f"The source: {', '.join(f'`{name}`' for name in SOURCES)}.",
        "status": "A `RunStatus` name.",
        "recording": "`open`, `closed` or `interrupted`: the state of the recording, which is not"
        " the status of the run. `pruned`: the row is kept only for its usage.",
        "assistant_id": "Id of the assistant, if known.",
        "thread_id": "Id of the thread, if known.",
        "created_by": "Creator of the run, if known.",
        "model": "Model name, if known.",
        "labels": "The labels as a JSON object. NULL: none.",
        "error": "The error message.",
        "error_code": "The error code, as JSON.",
        "tool_calls": "The tool calls that the run waits for, as JSON.",
        "created_at": "Time of the run's creation, according to the source.",
        "started_at": "Start of the recording; for an import, the source's time.",
        "first_text_at": "Time of the first text, if known.",
        "finished_at": "Time of the run's end.",
        "input_text_tokens": "Input tokens, from the source's last report. NULL: unknown, which is"
        " not zero.",
        "completion_tokens": "Completion tokens, likewise.",
        "total_tokens": "Total tokens, likewise.",
        "cached_tokens": "Input tokens read from a cache. NULL: not reported.",
        "reasoning_tokens": "Completion tokens used for reasoning. NULL: not reported.",
        "response_id": "The source's id of the run's last response, if any.",
        "events": "Number of stream events.",
        "result": "The `RunResult`, encoded. Read it with `runreel show` or `reel.result`.",
        "projected_seq": "The last event that this row includes.",
        "requested_at": "Time of the request to the model. NULL: unknown.",
        "cache_write_tokens": "Input tokens written to a cache. NULL: not reported.",
        "call_usage": "Of a run with several model calls, for each of them: the model, the service"
        " tier, the tokens of input and completion, and cached, cache-write and reasoning tokens,"
        " as a JSON array. NULL: one call, or the source reports totals only.",
        "service_tier": "Service tier of the last answer, if it names one.",
        "billed_model": "Model that the last answer names, if it is not `model`.",
    },
    "run_labels": {
        "key": "The label's key.",
        "value": "The label's value.",
        "started_at": "Start of the run, as in `runs`; the order of lists by label.",
        "run_id": "Id of the run.",
    },
    "run_keys": {
        "kind": "`response` (the id of a response or completion), `call` (the id of a tool call of"
        " the model) or `request` (a digest of a request's last item and number of items).",
        "key": "The id or the digest.",
        "at": "Time of the row.",
        "run_id": "Id of the run.",
        "seq": "The row.",
    },
    "key_frames": {
        "run_id": "Id of the run.",
        "seq": "The row after which the run had this state.",
        "base": "Another key-frame of the run, which has the beginning of the text. NULL: none.",
        "keep": "Number of characters kept of the text of the base.",
        "until": "The latest time of a row so far on the run's own clock. NULL: no row has a time.",
        "text": "The text after those characters: UTF-8, compressed with zlib.",
        "state": "The other parts of the state, as JSON, compressed with zlib.",
        "digest": "BLAKE2b over the state and the text, to detect damage.",
    },
    "run_text": {
        "run_id": "Id of the run.",
        "part": "`answer`, `request`, `tools`, `error` or `reasoning`; or `long`, without text, for"
        " a run whose texts have more than a million characters.",
        "text": "The texts of the part, one a line, with case folded; on SQLite compressed with"
        " zlib.",
    },
    "cost_books": {
        "book": "Number of the price book.",
        "digest": "SHA-256 of the price book.",
    },
    "run_costs": {
        "run_id": "Id of the run.",
        "book": "Number of the price book, as in `cost_books`.",
        "currency": "Currency of the cost. NULL: the run has none.",
        "cost": "The exact cost as a decimal number, at the prices of the run's start.",
        "reason": "Why the run has no cost: `no_model`, `no_tier`, `no_date`, `no_usage`,"
        " `bad_usage` or `several_currencies`.",
    },
    "cost_hours": {
        "book": "Number of the price book, as in `cost_books`.",
        "start": "The first quarter of the hour, counted since 1970-01-01 UTC.",
        "runs": "Number of runs that started in the hour and have a row in `run_costs`.",
    },
    "cost_sums": {
        "book": "Number of the price book, as in `cost_books`.",
        "dimension": "A column of `runs`; empty: all runs.",
        "span": "Length in quarters of an hour: 4, or 96 for a UTC day.",
        "start": "The first quarter, counted since 1970-01-01 UTC.",
        "sums": "A JSON array with an array for each value of the column and currency: the value"
        " or null, the currency or null, the runs, the known runs, the tokens of input, completion,"
        " total, cached, cache-write and reasoning, and the cost as two integers `n` and `d`: it"
        " is `n` / 10 to the power of `d`.",
    },
    "usage_by_time": COUNTED,
    "usage_by_value": COUNTED
    | {
        "dimension": "A column of `runs`.",
        "value": "A value of that column.",
        "named": "1; 0: the runs have no value.",
    },
    "runreel_meta": {
        "key": "`database_id`: a random UUID. `projection_version`: the version of the code that"
        " computed the projections.",
        "value": "The value.",
    },
    "runreel_version": {"version_num": "The revision."},
    "transcript": {
        "time": "Time of receipt, as ISO 8601 text, UTC.",
        "appended": "The text that the event appended. NULL: none.",
    },
    "run_list": {
        "started": "Start of the run, as ISO 8601 text, UTC.",
        "requested": "Time of the request to the model, likewise. NULL: unknown.",
    },
}
# The other columns of a view mean the same as in its table.
OF_TABLE = {"transcript": "events", "run_list": "runs"}

_SQLITE, _POSTGRES = sqlite.dialect(), postgresql.dialect()


def render() -> str:
    """The whole page, as Markdown."""
    parts = [HEAD]
    parts += [_table(table) for table in tables.metadata.tables.values()]
    parts += [_columns(name, columns) for name, columns in _others()]
    return "\n".join(parts).rstrip() + "\n"


def _table(table: Table) -> str:
    rows = [
        (
            f"`{column.name}`",
            _type(column),
            "yes" if column.nullable else "",
            _meaning(table.name, column.name),
        )
        for column in table.columns
    ]
    lines = [f"## {table.name}", "", ABOUT[table.name], ""]
    lines += _rows(("column", "type (Postgres)", "null", "meaning"), rows)
    lines += ["", *_rules(table), ""]
    return "\n".join(lines)


def _type(column: Column[object]) -> str:
    types = column.type.compile(_SQLITE), column.type.compile(_POSTGRES)
    here, there = (name.partition(" COLLATE")[0].lower() for name in types)
    return f"`{here}`" if here == there else f"`{here}` (`{there}`)"


def _rules(table: Table) -> Iterator[str]:
    yield f"- Primary key: {_names(table.primary_key.columns)}."
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        where = index.dialect_options["sqlite"]["where"]
        of = "" if where is None else f", only rows with `{where}`"
        yield f"- Index `{index.name}`: {_names(index.columns)}{of}."
    checks = [one for one in table.constraints if isinstance(one, CheckConstraint)]
    for check in sorted(checks, key=lambda one: str(one.name)):
        yield f"- Check `{check.name}`: `{check.sqltext}`."


def _names(columns: Iterable[Column[object]]) -> str:
    return ", ".join(f"`{column.name}`" for column in columns)


def _others() -> Iterator[tuple[str, list[str]]]:
    """Tables and views of the migrations that are not in the metadata, with their columns."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        database = Database(str(path))
        database.upgrade()
        database.close()
        connection = sqlite3.connect(path)
        try:
            made = connection.execute(
                "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
            ).fetchall()
            for (name,) in made:
                if name not in tables.metadata.tables:
                    columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
                    yield name, [column[1] for column in columns]
        finally:
            connection.close()


def _columns(name: str, columns: list[str]) -> str:
    rows = [(f"`{column}`", _meaning(name, column)) for column in columns]
    lines = [f"## {name}", "", ABOUT[name], "", *_rows(("column", "meaning"), rows), ""]
    return "\n".join(lines)


def _meaning(table: str, column: str) -> str:
    known = MEANINGS.get(OF_TABLE.get(table, ""), {}) | MEANINGS[table]
    if column not in known:
        raise LookupError(f"describe {table}.{column} in MEANINGS")
    return known[column]


def _rows(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
