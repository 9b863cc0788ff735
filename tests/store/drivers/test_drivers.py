"""What every driver does: the same tests for each database."""

from __future__ import annotations

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from runreel.model.errors import DatabaseLocked, DatabaseUnavailable, LogError
from runreel.store import pool as pools
from runreel.store.connection import RollbackTransaction
from runreel.store.drivers.errors import our_errors
from runreel.store.pool import MAX_IDLE, Pool
from runreel.store.projections import run_table

if TYPE_CHECKING:
    from runreel.store.connection import Connection


def insert(connection: Connection, key: str) -> None:
    connection.execute("INSERT INTO runreel_meta VALUES (?, 'a value')", (key,))


def has(pool: Pool, key: str) -> bool:
    with closing(pool.connect()) as connection:
        return connection.one("SELECT 1 FROM runreel_meta WHERE key = ?", (key,)) is not None


# -- The pool --------------------------------------------------------------------------------------


def test_a_returned_connection_is_lent_again_to_one_at_a_time(pool: Pool) -> None:
    first = pool.connect()
    second = pool.connect()
    assert first.raw is not second.raw
    first.close()
    first.close()
    third, fourth = pool.connect(), pool.connect()
    assert third.raw is first.raw
    assert fourth.raw not in (second.raw, third.raw)
    for held in (second, third, fourth):
        held.close()


def test_a_discarded_connection_is_not_lent_again(pool: Pool) -> None:
    first = pool.connect()
    first.discard()
    first.close()
    with closing(pool.connect()) as second:
        assert second.raw is not first.raw
        assert second.one("SELECT 1")[0] == 1


def test_a_transaction_that_was_left_is_rolled_back(pool: Pool) -> None:
    left = pool.connect()
    left.execute("BEGIN")
    insert(left, "left")
    assert left.in_transaction
    left.close()
    with closing(pool.connect()) as again:
        assert again.raw is left.raw
        assert not again.in_transaction
    assert not has(pool, "left")


def test_a_connection_in_use_is_closed_when_it_returns_to_a_disposed_pool(pool: Pool) -> None:
    held, idle = pool.connect(), pool.connect()
    idle.close()
    pool.dispose()
    held.close()
    with closing(pool.connect()) as new:
        assert new.raw not in (held.raw, idle.raw)
        assert new.one("SELECT 1")[0] == 1
    for connection in (held, idle):
        with pytest.raises(Exception, match="closed"):
            connection.execute("SELECT 1")


def test_no_more_connections_are_open_than_the_limit(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pools, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(pools, "WAIT_SECONDS", 0.01)
    limited = Pool(pool.driver)
    held = [limited.connect(), limited.connect()]
    with pytest.raises(DatabaseUnavailable, match="too many"):
        limited.connect()
    reserved = limited.connect(reserved=True)
    held.pop().discard()
    held.append(limited.connect())
    for connection in (*held, reserved):
        connection.close()
    limited.dispose()


def test_threads_share_the_idle_connections(pool: Pool) -> None:
    def ask(number: int) -> int:
        with closing(pool.connect()) as connection:
            return int(connection.one("SELECT CAST(? AS int)", (number,))[0])

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(ask, range(200))) == list(range(200))
    # No thread holds one any more: all of them can be had at once.
    held = [pool.connect() for _ in range(MAX_IDLE + 1)]
    assert len({id(one.raw) for one in held}) == len(held)
    for one in held:
        one.close()


# -- Transactions ----------------------------------------------------------------------------------


def test_a_transaction_is_committed_at_its_end(pool: Pool, other_pool: Pool) -> None:
    with closing(pool.connect()) as connection:
        with connection.transaction():
            insert(connection, "new")
            assert connection.in_transaction
            assert not has(other_pool, "new")
        assert not connection.in_transaction
        assert has(other_pool, "new")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, RollbackTransaction])
def test_a_transaction_is_rolled_back_by_an_error(pool: Pool, error: type[BaseException]) -> None:
    with closing(pool.connect()) as connection:
        try:
            with connection.transaction():
                insert(connection, "new")
                raise error
        except (ValueError, KeyboardInterrupt) as raised:
            assert type(raised) is error
        assert not connection.in_transaction
    assert not has(pool, "new")


def test_a_failed_statement_does_not_hide_its_error(pool: Pool) -> None:
    with closing(pool.connect()) as connection:
        with (
            pytest.raises(LogError),
            our_errors(pool.driver.url),
            connection.transaction(),
        ):
            insert(connection, "new")
            connection.execute("SELECT * FROM missing")
        assert not connection.in_transaction
        assert connection.one("SELECT 1")[0] == 1
    assert not has(pool, "new")


def test_a_writer_waits_for_another_one_only_so_long(pool: Pool, other_pool: Pool) -> None:
    with closing(pool.connect()) as first, closing(other_pool.connect()) as second:
        second.wait_for_lock(waits=False)
        with first.transaction():
            first.driver.lock_writes(first, "runs")
            with (
                pytest.raises(DatabaseLocked),
                our_errors(pool.driver.url),
                second.transaction(),
            ):
                second.driver.lock_writes(second, "runs", seconds=1)
        second.wait_for_lock(waits=True)
        with second.transaction():
            second.driver.lock_writes(second, "runs", seconds=1)


# -- Forks -----------------------------------------------------------------------------------------


def test_a_child_never_uses_a_connection_of_its_parent(pool: Pool) -> None:
    held, idle = pool.connect(), pool.connect()
    idle.close()
    with held.transaction():
        insert(held, "by the parent")
        pid = os.fork()
        if not pid:
            status = 1
            try:
                pool.leave_parent()
                raws = {id(held.raw), id(idle.raw)}
                held.close()
                idle.discard()
                own = Pool(pool.driver)
                del idle
                gc.collect()
                # SQLite refuses a file that its parent had open; see ``test_fork``.
                if pool.driver.in_process:
                    status = 0
                else:
                    with closing(own.connect()) as connection:
                        status = int(id(connection.raw) in raws)
                        connection.execute("SELECT 1")
                    own.dispose()
            finally:
                os._exit(status)
        _, left = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(left) == 0
        assert held.one("SELECT count(*) FROM runreel_meta")[0] == 3
    held.close()
    assert has(pool, "by the parent")


# -- Streams ---------------------------------------------------------------------------------------


def test_a_stream_yields_all_rows_in_the_chunks_asked_for(pool: Pool) -> None:
    driver = pool.driver
    with closing(pool.connect()) as connection, connection.transaction():
        for number in range(7):
            insert(connection, f"row {number}")
        sql = "SELECT key FROM runreel_meta WHERE key LIKE ? ORDER BY key"
        fetch = driver.stream(connection, sql, ("row %",), name="rows", by_key=True)
        sizes = [len(fetch(most)) for most in (1, 4, 4, 4)]
        assert sizes == [1, 4, 2, 0]


def test_a_list_of_ids_is_one_parameter(pool: Pool) -> None:
    one_of, none_of, ids = pool.driver.id_list(["database_id", "'quoted'"])
    with closing(pool.connect()) as connection:
        for sql, expected in ((one_of, {"database_id"}), (none_of, {"projection_version"})):
            rows = connection.all(f"SELECT key FROM runreel_meta WHERE key {sql}", (ids,))
            assert {key for (key,) in rows} == expected


def test_a_commit_without_projections_reads_no_rows(pool: Pool) -> None:
    with closing(pool.connect()) as connection, connection.transaction():
        run_table.save(connection)
