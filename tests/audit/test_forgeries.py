"""Whatever somebody changes in a log who can write its database is named."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import BigInteger, LargeBinary

import runreel
from runreel.model.events import KINDS
from runreel.store.events.event_log import COLUMNS
from runreel.store.schema import tables
from tests import logs
from tests.audit import forging
from tests.audit.verified import found, named, whats
from tests.cli import stories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from tests.audit.verified import Place

RUN = "run-done"


@pytest.fixture(scope="module")
def loose(shared_url: str) -> Iterator[Reel]:
    """A log with a run of every kind whose database takes anything; a test leaves it as it was.

    The schema, which is what others look after, is not compared.
    """
    with runreel.open(shared_url) as reel, pytest.MonkeyPatch.context() as patch:
        stories.tell_all(reel)
        forging.unguard(reel)
        _loosen(reel)
        patch.setattr("runreel.audit.verify.comparison", SimpleNamespace(differences=lambda _: []))
        yield reel


@pytest.fixture
def open_log(loose: Reel) -> Iterator[Reel]:
    """The loose log, which is intact before the test and again behind it."""
    assert found(loose) == []
    yield loose
    assert found(loose) == []


def _loosen(reel: Reel) -> None:
    if reel.db.url.postgres:
        for table in ("events", "runs"):
            for column in getattr(tables, table).columns:
                if not column.primary_key:
                    logs.execute(reel, f"ALTER TABLE {table} ALTER {column.name} DROP NOT NULL")
        for name in ("events_seq", "events_run_id", "events_kind", "events_erased"):
            logs.execute(reel, f"ALTER TABLE events DROP CONSTRAINT {name}")
        return
    with reel.db.writing() as connection:
        connection.execute("PRAGMA writable_schema = ON")
        for table in (tables.events, tables.runs, tables.run_labels):
            columns = ", ".join(column.name for column in table.columns)
            key = ", ".join(column.name for column in table.primary_key)
            how = "" if table is tables.runs else " WITHOUT ROWID"
            sql = f"CREATE TABLE {table.name} ({columns}, PRIMARY KEY ({key})){how}"
            connection.execute(
                "UPDATE sqlite_master SET sql = ? WHERE type = 'table' AND name = ?",
                (sql, table.name),
            )
        connection.execute("PRAGMA writable_schema = OFF")
    reel.close()


@contextmanager
def changed(reel: Reel, table: str, sql: str, *parameters: Any) -> Iterator[None]:
    """Change a table, and have it as it was again."""
    before = logs.execute(reel, f"SELECT * FROM {table}")
    logs.execute(reel, sql, parameters)
    try:
        yield
    finally:
        logs.execute(reel, f"DELETE FROM {table}")
        marks = ", ".join("?" * len(before[0]))
        with reel.db.writing() as connection:
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", before)


def altered(column: Any, value: Any, *, typed: bool) -> Iterator[Any]:
    """Other values for a column than this one; of its own type, where the database minds."""
    integers = (0, -1, 2**63 - 1, value + 1 if isinstance(value, int) else 7)
    texts = ("", "\N{SNOWMAN}", f"{value}!")
    blobs = (b"", b"\1", value + b"\0" if isinstance(value, bytes) else b"\0" * 32)
    others: list[Any] = [*integers, *texts, *blobs, float(value) if value == 0 else 1.5]
    if isinstance(value, int):
        others += [float(value), str(value), str(value).encode()]
    if isinstance(value, str):
        others.append(value.encode())
    if typed:
        own = {BigInteger: int, LargeBinary: bytes}.get(type(column.type), str)
        others = [other for other in others if type(other) is own]
    yield from (None, *others)


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def test_every_column_of_every_row_of_the_log_is_bound(open_log: Reel) -> None:
    rows = logs.rows(open_log, RUN)
    assert {row.kind for row in rows} == {*KINDS} - {"context"}
    tried = 0
    for row in rows:
        for name, value in list(zip(COLUMNS, row, strict=True))[2:]:
            place = f"UPDATE events SET {name} = ? WHERE run_id = ? AND seq = ?"
            column = tables.events.columns[name]
            for other in altered(column, value, typed=open_log.db.url.postgres):
                if same(other, value):
                    continue
                logs.execute(open_log, place, (other, RUN, row.seq))
                told = named(open_log, [RUN])
                logs.execute(open_log, place, (value, RUN, row.seq))
                assert (RUN, row.seq) in told, (row.seq, name, other)
                assert told <= {(RUN, row.seq), (RUN, None)}, (row.seq, name, other)
                tried += 1
    assert tried > 300


def test_every_column_of_the_projections_is_compared(open_log: Reel) -> None:
    for table in (tables.runs, tables.run_labels):
        for column in table.columns:
            where = "WHERE run_id = ?"
            ((before,),) = logs.execute(
                open_log, f"SELECT {column.name} FROM {table.name} {where}", (RUN,)
            )
            for other in altered(column, before, typed=open_log.db.url.postgres):
                if same(other, before) or (other is None and column.primary_key):
                    continue
                change = f"UPDATE {table.name} SET {column.name} = ? {where}"
                with changed(open_log, table.name, change, other, RUN):
                    told = found(open_log)
                assert told, (column.name, other)
                assert RUN in {finding.run_id for finding in told}, (column.name, other)


def test_projections_of_no_run_or_of_another_version_are_named(open_log: Reel) -> None:
    change = "UPDATE runs SET run_id = 'ghost' WHERE run_id = ?"
    with changed(open_log, "runs", change, RUN):
        assert whats(open_log) == [(RUN, None, "projection"), ("ghost", None, "stray")]
        assert whats_of(open_log, "ghost") == ["stray"]
    with changed(open_log, "run_labels", "INSERT INTO run_labels VALUES ('a', 'b', 0, 'ghost')"):
        assert whats(open_log) == [("ghost", None, "stray")]
    with changed(open_log, "runreel_meta", "UPDATE runreel_meta SET value = '0'"):
        assert ("projections") in {finding.what for finding in found(open_log)}


def whats_of(reel: Reel, run_id: str) -> list[str]:
    return [finding.what for finding in found(reel, [run_id])]


def test_a_row_that_was_removed_is_missed(open_log: Reel) -> None:
    for row in logs.rows(open_log):
        change = "DELETE FROM events WHERE run_id = ? AND seq = ?"
        last = logs.rows(open_log, row.run_id)[-1].seq
        with changed(open_log, "events", change, row.run_id, row.seq):
            told = whats(open_log)
        if row.seq == last:
            assert (row.run_id, None, "projection") in told, "the log itself cannot tell"
        else:
            assert (row.run_id, row.seq + 1, "gap") in told


def test_rows_that_change_places_are_named(open_log: Reel) -> None:
    rows = logs.rows(open_log, RUN)
    columns = ", ".join(f"{name} = ?" for name in COLUMNS)
    where = "WHERE run_id = ? AND seq = ?"
    for what in (("payload",), ("payload", "salt"), COLUMNS[2:], COLUMNS[2:-1]):
        for one, other in pairwise(rows):
            swapped = {
                one: one._replace(**{name: getattr(other, name) for name in what}),
                other: other._replace(**{name: getattr(one, name) for name in what}),
            }
            for row, now in swapped.items():
                logs.execute(open_log, f"UPDATE events SET {columns} {where}", (*now, RUN, row.seq))
            assert {(RUN, one.seq), (RUN, other.seq)} <= named(open_log), what
            for row in swapped:
                logs.execute(open_log, f"UPDATE events SET {columns} {where}", (*row, RUN, row.seq))


@pytest.mark.parametrize(
    ("run_id", "seq", "places"),
    [
        ("run-failed", 9, {(RUN, 4), ("run-failed", 9)}),
        ("unheard-of", 0, {(RUN, 4), ("unheard-of", 0)}),
        ("unheard-of", 3, {(RUN, 4), ("unheard-of", 3)}),
        (RUN, 30, {(RUN, 4), (RUN, 30)}),
    ],
)
def test_a_row_that_was_moved_is_named_at_both_ends(
    open_log: Reel, run_id: str, seq: int, places: set[Place]
) -> None:
    change = "UPDATE events SET run_id = ?, seq = ? WHERE run_id = ? AND seq = 3"
    with changed(open_log, "events", change, run_id, seq, RUN):
        assert places <= named(open_log)


def test_a_row_that_was_made_up_is_named(open_log: Reel) -> None:
    last = logs.rows(open_log, RUN)[-1]
    for seq in (last.seq + 1, last.seq + 5):
        row = last._replace(seq=seq)
        marks = ", ".join("?" * len(COLUMNS))
        with changed(open_log, "events", f"INSERT INTO events VALUES ({marks})", *row):
            assert (RUN, seq) in named(open_log)


def test_one_change_is_one_finding(open_log: Reel) -> None:
    """The rows behind it follow from the digest that stands there."""
    for change in ("at = at + 1", "digest = salt", "type = 'x'"):
        sql = f"UPDATE events SET {change} WHERE run_id = ? AND seq = 1"
        with changed(open_log, "events", sql, RUN):
            chained = [place for place in whats(open_log) if place[2] != "projection"]
        assert chained == [(RUN, 1, "digest")], change


def test_rows_in_the_order_of_another_are_named(open_log: Reel) -> None:
    """A type of SQLite may put a key where it does not belong."""
    if open_log.db.url.postgres:
        return
    for column, other in (("seq", "3"), ("seq", b"3"), ("seq", 3.5), ("run_id", RUN.encode())):
        change = f"UPDATE events SET {column} = ? WHERE run_id = ? AND seq = 3"
        with changed(open_log, "events", change, other, RUN):
            told = named(open_log)
        assert (RUN, 4) in told
        assert len(told) > 1
