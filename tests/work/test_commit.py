"""Group commits: shared by whoever meets, one outcome for each."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING

import psycopg
import pytest

from runreel import RunStreamEvent, StreamEvent
from runreel.model.errors import LogError
from runreel.model.events import STREAM_EVENT
from runreel.model.messages import PartialMessage
from runreel.recording.append_unit import AppendUnit
from runreel.recording.group_commit import committer_of
from runreel.recording.recorder import Recorder
from runreel.store.connection import Connection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

RUNS = 24
EVENTS = 20


def partial(n: int) -> dict[str, str]:
    return {"type": "PARTIAL_MESSAGE", "text": "word " * n}


def recorders(reel: Reel, count: int = RUNS) -> list[Recorder]:
    return [Recorder(reel.db, f"run-{n}", source="plain", via="test") for n in range(count)]


def texts(reel: Reel, run_id: str) -> list[str | None]:
    return [event.text for event in reel.events(run_id, type="PARTIAL_MESSAGE")]


def expected(count: int = EVENTS) -> list[str]:
    return ["word " * n for n in range(count)]


def assert_whole(reel: Reel, count: int = RUNS) -> None:
    for n in range(count):
        assert texts(reel, f"run-{n}") == expected()
    assert reel.rebuild(check=True) == []


class Transactions:
    """Counts transactions, and can break one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        self.break_after_commit: set[int] = set()
        self.break_before_commit: set[int] = set()
        real = Connection.transaction

        @contextlib.contextmanager
        def counted(connection: Connection) -> Iterator[None]:
            self.count += 1
            number = self.count
            with real(connection):
                yield
                if number in self.break_before_commit:
                    raise self._broken(connection)
            if number in self.break_after_commit:
                raise self._broken(connection)

        monkeypatch.setattr(Connection, "transaction", counted)

    @staticmethod
    def _broken(connection: Connection) -> Exception:
        if connection.driver.url.postgres:
            return psycopg.OperationalError("the connection is lost")
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR
        return error


@pytest.fixture
def transactions(reel: Reel, monkeypatch: pytest.MonkeyPatch) -> Transactions:
    reel.db.current()
    return Transactions(monkeypatch)


def record_in_threads(reel: Reel) -> None:
    def work(recorder: Recorder) -> None:
        for n in range(EVENTS):
            recorder.append(STREAM_EVENT, partial(n))
        recorder.close()

    threads = [threading.Thread(target=work, args=(one,)) for one in recorders(reel)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def record_in_a_loop(reel: Reel) -> None:
    async def work(recorder: Recorder) -> None:
        for n in range(EVENTS):
            await recorder.aappend(STREAM_EVENT, partial(n))
        await recorder.aclose()

    async def everyone() -> None:
        await asyncio.gather(*(work(one) for one in recorders(reel)))

    asyncio.run(everyone())


@pytest.mark.parametrize("record", [record_in_threads, record_in_a_loop])
def test_what_many_record_at_once_is_all_there_in_order(reel: Reel, record) -> None:
    record(reel)
    assert_whole(reel)


def test_an_event_loop_shares_transactions(reel: Reel, transactions: Transactions) -> None:
    record_in_a_loop(reel)
    assert transactions.count < RUNS * EVENTS / 4
    assert_whole(reel)


@pytest.mark.parametrize("record", [record_in_threads, record_in_a_loop])
def test_a_commit_that_fails_or_seems_to_loses_and_doubles_nothing(
    reel: Reel, transactions: Transactions, record
) -> None:
    transactions.break_before_commit = {2, 6, 12}
    transactions.break_after_commit = {3, 7, 8, 15, 16, 17}
    record(reel)
    assert_whole(reel)


def bad_unit(reel: Reel) -> AppendUnit:
    """Rows that the database refuses."""
    recorder = Recorder(reel.db, "bad", source="plain", via="test")
    unit = next(recorder._append_steps(recorder.interpret(STREAM_EVENT, partial(1))))
    rows = [row._replace(kind="no such kind") for row in unit.rows]
    return AppendUnit(rows, None)


def good_units(reel: Reel) -> list[AppendUnit]:
    return [
        next(recorder._append_steps(recorder.interpret(STREAM_EVENT, partial(1))))
        for recorder in recorders(reel, 3)
    ]


def test_a_bad_unit_fails_alone_in_a_group(reel: Reel) -> None:
    one, two, three = good_units(reel)
    outcomes = committer_of(reel.db).commit_all([one, bad_unit(reel), two, three])
    assert [outcome is True for outcome in outcomes] == [True, False, True, True]
    assert isinstance(outcomes[1], LogError)
    assert [run.run_id for run in reel.runs()] == ["run-2", "run-1", "run-0"]


def test_in_a_loop_only_the_caller_of_the_bad_unit_hears_of_it(reel: Reel) -> None:
    async def commit() -> list[bool | BaseException]:
        committer = committer_of(reel.db)
        units = [*good_units(reel), bad_unit(reel)]
        return await asyncio.gather(
            *(committer.acommit(unit) for unit in units), return_exceptions=True
        )

    *good, bad = asyncio.run(commit())
    assert good == [True, True, True]
    assert isinstance(bad, LogError)


def test_threads_that_wait_behind_a_bad_unit_are_served(reel: Reel) -> None:
    outcomes: dict[str, object] = {}

    def work(name: str, unit: AppendUnit) -> None:
        try:
            outcomes[name] = committer_of(reel.db).commit(unit)
        except LogError as error:
            outcomes[name] = error

    units = {"bad": bad_unit(reel)} | {str(n): unit for n, unit in enumerate(good_units(reel))}
    threads = [threading.Thread(target=work, args=item) for item in units.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert isinstance(outcomes.pop("bad"), LogError)
    assert outcomes == {"0": True, "1": True, "2": True}


def test_a_cancelled_append_leaves_the_recorder_knowing_the_log(reel: Reel) -> None:
    async def run() -> None:
        recorder = Recorder(reel.db, "run-0", source="plain", via="test")
        await recorder.aappend(STREAM_EVENT, partial(0))
        task = asyncio.create_task(recorder.aappend(STREAM_EVENT, partial(1)))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        kept = recorder.last_seq
        await recorder.aappend(STREAM_EVENT, partial(2))
        assert recorder.last_seq in (kept, kept + 1)
        await recorder.aclose()

    asyncio.run(run())
    assert texts(reel, "run-0") in (["", "word word "], ["", "word ", "word word "])
    assert reel.rebuild(check=True) == []


def test_an_append_waits_for_a_database_that_comes_back(db_url: str) -> None:
    import runreel

    with runreel.open(db_url, patience=30) as patient:
        patient.db.current()
        recording = patient.recording("run-0")
        recording.append(
            RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("a",)))
        )
        real, failures = patient.db.writing, iter(range(3))

        @contextlib.contextmanager
        def flaky():
            if next(failures, None) is not None:
                from runreel.model.errors import DatabaseUnavailable

                raise DatabaseUnavailable("gone for a while")
            with real() as connection:
                yield connection

        patient.db.writing = flaky  # type: ignore[method-assign]
        recording.append(
            RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("ab",)))
        )
        recording.close()
        assert texts(patient, "run-0") == ["a", "ab"]
