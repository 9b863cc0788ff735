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

Every time is in microseconds since 1970-01-01 UTC, unless it says otherwise.
`events` is the log: rows are only ever added, and the database sees to it. `runs`, `run_labels`,
`usage_by_time` and `usage_by_value` are projections: `runreel rebuild` makes them anew from the
log. `runreel db sql` prints the DDL.
"""

ABOUT = {
    "events": "The log, one row per event. A run's rows are numbered without gaps. Triggers"
    " (`events_guard_…`) refuse to change a row, to remove one, to put one before the last of its"
    " run (SQLite) and to empty the table (Postgres). Two things they allow: to erase the payload"
    " of a row that a `redacted` note behind it lists, and to remove rows before a `pruned` note of"
    " their run.",
    "runs": "What lists and reports need of each run: one row per run, a projection. Ids, models"
    " and labels of more than 200 characters are cut, with a digest at their end; the log has them"
    " whole.",
    "run_labels": "The labels of runs, one row per label, a projection.",
    "usage_by_time": "What usage adds up to in each quarter of an hour and each hour that runs"
    " started in, a projection. Runs that are still being recorded are not in it, pruned ones whose"
    " usage was kept are. Reports are made of it where they can be: every time zone's days begin"
    " on a quarter.",
    "usage_by_value": "The same for each source, status, assistant and model alone, in each"
    " quarter, hour and day (of UTC), a projection. Threads are not in it: each has few runs.",
    "runreel_meta": "What the database knows of itself.",
    "runreel_version": "The revision of the schema; Alembic keeps it.",
    "transcript": "A view: the log for people with an SQL prompt.",
    "run_list": "A view: the runs for people with an SQL prompt, newest first.",
}

_SUM = "The sum is `high` times 1,000,000,000 and `low`: it may be wider than 64 bits."
COUNTED = {
    "span": "How many quarters of an hour: 1, 4 or 96.",
    "start": "The first of them, counted since 1970-01-01 UTC.",
    "slot": "Which part of the count. On Postgres connections add to one of several, so that they"
    " do not wait for each other; all of them together are the count.",
    "runs": "How many runs.",
    "known": "How many of them reported their usage.",
    "input_high": f"Their input tokens. {_SUM}",
    "input_low": "See `input_high`.",
    "completion_high": "Their completion tokens, likewise.",
    "completion_low": "See `completion_high`.",
    "total_high": "Their tokens in all, likewise.",
    "total_low": "See `total_high`.",
}
MEANINGS = {
    "events": {
        "run_id": "The source's id of the run, 1 to 200 characters.",
        "seq": "0, 1, 2, … within the run, gapless; of a pruned run, from its tombstone on.",
        "kind": "`run` (a state of the run, as its service told it), `stream_event`, `context`"
        " (what the run was about: the assistant, messages), `tool_results` (what the program sent"
        " back), `note` (the recorder's own).",
        "type": "Of a `stream_event` the `StreamEvent` name, of a `run` the `RunStatus` name, of a"
        " `note` which one: `opened`, `resumed`, `closed`, `interrupted`, `conflict`, `gap`,"
        " `lost`, `sent`, `redacted`, `pruned`.",
        "source_index": "The source's own number of the event, where it has one. By it a repeated"
        " event is recognised.",
        "at": "The wall clock when the event was received; of an import, when it was imported.",
        "elapsed": "Microseconds on a monotonic clock since this recording session began. Replays"
        " are timed by it.",
        "keep": "How many characters of the run's text so far this event keeps. NULL: the payload"
        " stands as it came.",
        "added": "How many characters it appends after those.",
        "payload": "The source's JSON, compact, the running text lifted out. NULL once erased.",
        "salt": "16 random bytes that key the payload's commitment. Erased with the payload.",
        "redacted": "The commitment of a payload that was erased. NULL while the payload stands.",
        "digest": "SHA-256 over the row before and every column of this one.",
    },
    "runs": {
        "run_id": "The run.",
        "source": f"Whose events they are: {', '.join(f'`{name}`' for name in SOURCES)}.",
        "status": "A `RunStatus` name.",
        "recording": "`open`, `closed` or `interrupted`: the state of the recording, which is not"
        " the status of the run. `pruned`: the row is kept for its usage alone.",
        "assistant_id": "The assistant, as far as known.",
        "thread_id": "The thread, as far as known.",
        "created_by": "Who created the run, as far as known.",
        "model": "The model, as far as known.",
        "labels": "The labels as a JSON object. NULL: none.",
        "error": "The error's message.",
        "error_code": "The error's code, as JSON.",
        "tool_calls": "The tool calls that the run waits for, as JSON.",
        "created_at": "When the source says that the run was created.",
        "started_at": "When the recording began; of an import, when the source says so.",
        "first_text_at": "When the first text came, where that is known.",
        "finished_at": "When the run was over.",
        "input_text_tokens": "As the source reported last. NULL: it never did, which is not zero.",
        "completion_tokens": "Likewise.",
        "total_tokens": "Likewise.",
        "cached_tokens": "Of the input, those that came from a cache; NULL where not told.",
        "reasoning_tokens": "Of the completion, those that the model thought with; NULL where not"
        " told.",
        "response_id": "The source's id of the run's last response, where it has one.",
        "events": "How many stream events the run has.",
        "result": "The `RunResult`, encoded. Read it through `runreel show` or `reel.result`.",
        "projected_seq": "The row of the log up to which this row was made.",
        "requested_at": "When the model was asked. NULL: not known.",
    },
    "run_labels": {
        "key": "The label's key.",
        "value": "The label's value.",
        "started_at": "When the run started, as in `runs`: a list by label is read in this order.",
        "run_id": "The run that has it.",
    },
    "usage_by_time": COUNTED,
    "usage_by_value": COUNTED
    | {
        "dimension": "The column of `runs` whose value this is.",
        "value": "Its value.",
        "named": "1; 0: the runs have no value.",
    },
    "runreel_meta": {
        "key": "`database_id`: a random UUID. `projection_version`: of the code that made the"
        " projections.",
        "value": "Its value.",
    },
    "runreel_version": {"version_num": "The revision."},
    "transcript": {
        "time": "When it was received, as ISO 8601 text, UTC.",
        "appended": "The text that the event appended. NULL where it carries none.",
    },
    "run_list": {
        "started": "When it started, as ISO 8601 text, UTC.",
        "requested": "When the model was asked, likewise. NULL: not known.",
    },
}
# What else a view shows stands so in the table that it is a view of.
OF_TABLE = {"transcript": "events", "run_list": "runs"}

_SQLITE, _POSTGRES = sqlite.dialect(), postgresql.dialect()


def render() -> str:
    """The whole page, as Markdown."""
    pieces = [HEAD]
    pieces += [_table(table) for table in tables.metadata.tables.values()]
    pieces += [_columns(name, columns) for name, columns in _others()]
    return "\n".join(pieces).rstrip() + "\n"


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
    here, there = (told.partition(" COLLATE")[0].lower() for told in types)
    return f"`{here}`" if here == there else f"`{here}` (`{there}`)"


def _rules(table: Table) -> Iterator[str]:
    yield f"- Primary key: {_names(table.primary_key.columns)}."
    for index in sorted(table.indexes, key=lambda one: str(one.name)):
        where = index.dialect_options["sqlite"]["where"]
        of = "" if where is None else f", of rows with `{where}`"
        yield f"- Index `{index.name}`: {_names(index.columns)}{of}."
    checks = [one for one in table.constraints if isinstance(one, CheckConstraint)]
    for check in sorted(checks, key=lambda one: str(one.name)):
        yield f"- Check `{check.name}`: `{check.sqltext}`."


def _names(columns: Iterable[Column[object]]) -> str:
    return ", ".join(f"`{column.name}`" for column in columns)


def _others() -> Iterator[tuple[str, list[str]]]:
    """What the migrations make besides the tables of the metadata, in a database of its own."""
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
        raise LookupError(f"say what {table}.{column} means, in MEANINGS")
    return known[column]


def _rows(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]
