"""Connections that are kept: lent once at a time, as good as new, and none that is dead."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from runreel.store.connection import Connection
from runreel.store.database_url import parse_url
from runreel.store.drivers.connection_limit import MAX_IDLE
from runreel.store.drivers.factory import create_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.store.drivers.interface import Engine


@pytest.fixture
def engine(db_url: str) -> Iterator[Engine]:
    made = create_engine(parse_url(db_url), durability="full")
    yield made
    made.dispose()


def test_what_was_given_back_is_lent_again_to_one_at_a_time(engine: Engine) -> None:
    first = engine.connect()
    second = engine.connect()
    assert first.driver is not second.driver
    first.close()
    first.close()
    third, fourth = engine.connect(), engine.connect()
    assert third.driver is first.driver
    assert fourth.driver not in (second.driver, third.driver)
    for held in (second, third, fourth):
        held.close()


def test_a_transaction_that_was_left_is_taken_back(engine: Engine) -> None:
    held = engine.connect()
    connection = Connection(held)
    connection.execute("BEGIN")
    connection.execute("INSERT INTO runreel_meta VALUES ('left', 'behind')")
    connection.close()
    again = Connection(engine.connect())
    assert again.driver is held.driver
    assert again.one("SELECT value FROM runreel_meta WHERE key = 'left'") is None
    again.close()


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_what_is_held_while_others_are_closed_is_closed_when_it_comes_back(engine: Engine) -> None:
    held, idle = engine.connect(), engine.connect()
    idle.close()
    engine.dispose()
    for driver in (idle.driver, held.driver):
        held.close()
        with pytest.raises(sqlite3.ProgrammingError):
            driver.execute("SELECT 1")
    anew = Connection(engine.connect())
    assert anew.one("SELECT 1")[0] == 1
    anew.close()


def test_threads_share_what_is_kept(engine: Engine) -> None:
    def ask(number: int) -> int:
        connection = Connection(engine.connect())
        found = connection.one("SELECT CAST(? AS int)", (number,))[0]
        connection.close()
        return int(found)

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(ask, range(200))) == list(range(200))
    # Nobody holds one any more: all of them can be had at once.
    held = [engine.connect() for _ in range(MAX_IDLE + 1)]
    assert len({id(one.driver) for one in held}) == len(held)
    for one in held:
        one.close()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_connection_that_the_server_ended_is_not_lent_again(engine: Engine, db_url: str) -> None:
    held = engine.connect()
    pid = held.driver.info.backend_pid
    held.close()
    with psycopg.connect(db_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    again = Connection(engine.connect())
    assert again.one("SELECT 1")[0] == 1
    assert again.driver is not held.driver
    again.close()


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_connection_that_the_server_told_something_is_lent_again(
    engine: Engine, db_url: str
) -> None:
    held = engine.connect()
    held.driver.execute("LISTEN something")
    held.close()
    with psycopg.connect(db_url, autocommit=True) as other:
        other.execute("NOTIFY something")
    again = engine.connect()
    assert again.driver is held.driver
    again.close()
