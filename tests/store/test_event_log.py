"""Appending and reading rows, at the level of the store."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

import pytest

from runreel.model.errors import LogError
from runreel.model.events import EventRow
from runreel.store.connection import Connection, RollbackTransaction
from runreel.store.database import Database
from runreel.store.events import event_log, stream_ids

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def database(db_url: str) -> Iterator[Database]:
    opened = Database(db_url)
    yield opened
    opened.close()


def row(seq: int, *, run_id: str = "run", mark: bytes = b"") -> EventRow:
    return EventRow(
        run_id, seq, "note", "test", None, 0, 0, None, None, "{}", b"salt", None, mark or b"digest"
    )


def seqs(connection: Connection, run_id: str = "run") -> list[int]:
    return [found.seq for found in event_log.read(connection, run_id)]


def test_rows_go_in_behind_each_other_only(database: Database) -> None:
    with database.writing() as connection:
        assert event_log.append(connection, [row(0)])
        assert not event_log.append(connection, [row(2)])
        assert not event_log.append(connection, [row(0)])
        assert event_log.append(connection, [row(1)])
        assert seqs(connection) == [0, 1]


def test_a_row_with_no_run_before_it_is_refused(database: Database) -> None:
    with database.writing() as connection:
        assert not event_log.append(connection, [row(1)])
        assert seqs(connection) == []
        assert event_log.last_position(connection, "run") == -1


def test_several_rows_are_stored_together_or_not_at_all(database: Database) -> None:
    with database.writing() as connection:
        event_log.append(connection, [row(0)])
        with connection.transaction():
            if not event_log.append(connection, [row(1), row(3), row(4)]):
                raise RollbackTransaction
        assert seqs(connection) == [0]
        with connection.transaction():
            assert event_log.append(connection, [row(1), row(2), row(0, run_id="other")])
        assert seqs(connection) == [0, 1, 2]
        assert seqs(connection, "other") == [0]


def test_the_loser_of_a_race_is_told_and_the_first_row_stays(database: Database) -> None:
    with database.writing() as one, database.reading() as two:
        event_log.append(one, [row(0)])
        assert event_log.append(one, [row(1, mark=b"first")])
        assert not event_log.append(two, [row(1, mark=b"second")])
        assert [found.digest for found in event_log.read(two, "run")] == [b"digest", b"first"]


@pytest.mark.parametrize("order", sorted(set(itertools.permutations("aabb"))))
def test_two_appenders_in_any_order_leave_a_gapless_run(
    database: Database, order: tuple[str, ...]
) -> None:
    with database.reading() as a, database.reading() as b:
        connections, heads = {"a": a, "b": b}, {"a": -1, "b": -1}
        stored = 0
        for who in order:
            if event_log.append(connections[who], [row(heads[who] + 1, mark=who.encode())]):
                heads[who] += 1
                stored += 1
            else:
                heads[who] = event_log.last_position(connections[who], "run")
        assert seqs(a) == list(range(stored))


def test_threads_that_race_for_each_row_store_it_once(database: Database) -> None:
    wins: list[list[int]] = [[], [], []]

    def work(mine: list[int]) -> None:
        with database.reading() as connection:
            while (seq := event_log.last_position(connection, "run") + 1) < 60:
                if event_log.append(connection, [row(seq)]):
                    mine.append(seq)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in wins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(itertools.chain(*wins)) == list(range(60))


def test_reading_goes_on_through_chunks_and_stops_where_told(database: Database) -> None:
    count = 2_500
    with database.writing() as connection, connection.transaction():
        assert event_log.append(connection, [row(seq) for seq in range(count)])
    with database.reading() as connection:
        assert seqs(connection) == list(range(count))
        part = event_log.read(connection, "run", start=990, stop=1_010)
        assert [found.seq for found in part] == list(range(990, 1_010))
        assert [found.seq for found in event_log.read(connection, "run", start=count)] == []


def test_every_column_comes_back_as_it_went_in(database: Database) -> None:
    full = EventRow(
        "run", 0, "run", "COMPLETED", 2**63 - 1, 1, 2, 3, 4, '"ö\\u0000"', b"\0\xff", None, b"\1"
    )
    with database.writing() as connection:
        assert event_log.append(connection, [full])
        found = next(event_log.read(connection, "run"))
        assert found._replace(salt=bytes(found.salt or b""), digest=bytes(found.digest)) == full


@pytest.mark.parametrize(
    "bad",
    [
        row(0)._replace(kind="no such kind"),
        row(0, run_id=""),
        row(0, run_id="x" * 201),
        row(0)._replace(payload=None),
        row(0)._replace(redacted=b"commitment"),
        row(0)._replace(salt=None),
    ],
)
def test_the_database_itself_refuses_what_is_no_event(database: Database, bad: EventRow) -> None:
    # SQLite only ignores a row that breaks a NOT NULL or CHECK where it is told to: it is not.
    with pytest.raises(LogError), database.writing() as connection:
        event_log.append(connection, [bad])
    with database.reading() as connection:
        assert seqs(connection, bad.run_id) == []


IDS = ["run", "run-1", "run-2", "run_2", "run%", "Run", "рун", "рун-2", "../run", "a b", "'q'", '"']


def test_runs_are_found_by_the_letters_they_begin_with(database: Database) -> None:
    with database.writing() as connection:
        for run_id in IDS:
            assert event_log.append(connection, [row(0, run_id=run_id), row(1, run_id=run_id)])
        assert event_log.run_ids(connection) == sorted(IDS)
        assert event_log.run_ids(connection, prefix="run") == [
            "run",
            "run%",
            "run-1",
            "run-2",
            "run_2",
        ]
        assert event_log.run_ids(connection, prefix="run_") == ["run_2"]
        assert event_log.run_ids(connection, prefix="рун") == ["рун", "рун-2"]
        assert event_log.run_ids(connection, prefix="run", limit=2) == ["run", "run%"]
        assert event_log.run_ids(connection, prefix="zzz") == []
        assert stream_ids.count(connection) == len(IDS)
