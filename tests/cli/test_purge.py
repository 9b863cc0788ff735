"""``--purge`` exits with 1 while a reader keeps what was erased, and says what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import psycopg
import pytest

import runreel
from runreel.store.drivers.sqlite import connecting as engines
from tests.cli.stories import partial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.calls import Called, Caller

SECRET = "hunter2-hunter2"  # noqa: S105 - nobody has it


@contextlib.contextmanager
def reader(url: str) -> Iterator[None]:
    """Another program in the middle of reading the log."""
    if url.startswith("postgresql"):
        with psycopg.connect(url) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT count(*) FROM pg_class")
            yield
        return
    connection = sqlite3.connect(url, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM events").fetchone()
    yield
    connection.close()


@pytest.fixture
def log(call: Caller, monkeypatch: pytest.MonkeyPatch) -> Caller:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.2)
    with runreel.open(call.url) as reel, reel.recording("run") as recording:
        recording.append(partial(f"the key is {SECRET}"))
    return call


def redact(call: Caller, *options: str) -> Called:
    return call(
        *("redact", "--all-runs", "--match", SECRET, "--reason", "leaked", "--yes", *options)
    )


def test_redacting_says_that_a_reader_keeps_the_bytes(log: Caller) -> None:
    with reader(log.url):
        called = redact(log, "--purge")
        assert called.code == 1
        assert "run this again" in called.err
        assert redact(log, "--purge").code == 1
    after = redact(log, "--purge")
    assert after.code == 0
    assert "run this again" not in after.err


def test_pruning_says_that_a_reader_keeps_the_bytes(log: Caller) -> None:
    with reader(log.url):
        called = log("prune", "--older-than", "2100-01-01", "--yes", "--purge")
        assert called.code == 1
        assert "run this again" in called.err
    assert log("prune", "--older-than", "2100-01-01", "--yes", "--purge").code == 0


def test_erasing_without_a_purge_does_not_ask_for_it(log: Caller) -> None:
    with reader(log.url):
        assert redact(log).code == 0
