"""An index that worker processes make in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.model.errors import UsageError
from runreel.store.drivers.sqlite import text_index, text_index_parts
from tests.search import oracle
from tests.search.test_erasure import traces
from tests.search.test_index import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runreel.api.reel import Reel
    from runreel.store.connection import Connection

RUNS = 24


@pytest.fixture
def reel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reel]:
    """A log with texts enough for two parts."""
    monkeypatch.setattr(text_index_parts, "_LEAST", RUNS // 2)
    (tmp_path / "log").mkdir()
    with runreel.open(tmp_path / "log" / "log.db") as opened:
        for number in range(RUNS):
            record(opened, f"run-{number:02}", f"Погода numb{number:02}er").close()
        yield opened


def parts(reel: Reel) -> list[str]:
    with reel.db.reading() as connection:
        return text_index.parts(text_index.tables(connection))


def integrity(reel: Reel) -> None:
    """SQLite's own check of each part."""
    with reel.db.writing() as connection:
        for part in parts(reel):
            connection.execute(f"INSERT INTO {part} ({part}) VALUES ('integrity-check')")
            assert connection.one("PRAGMA integrity_check") == ("ok",)


def test_two_workers_make_the_index_that_one_process_makes(reel: Reel) -> None:
    seen: list[tuple[int, int]] = []
    report = reel.build_search_index(jobs=2, progress=lambda *step: seen.append(step))
    assert (report.indexed, report.added) == (RUNS, RUNS)
    assert seen == [(RUNS // 2, RUNS), (RUNS, RUNS)]
    assert len(parts(reel)) == 3
    integrity(reel)
    with reel.db.reading() as connection:
        common = {gram for (gram,) in connection.all("SELECT gram FROM run_text_indexed_common")}
        assert {"", "пог", "num"} <= common
    for number in (0, 11, 12, 23):
        ((run_id, *_),) = oracle.found(reel, f"numb{number:02}er")
        assert run_id == f"run-{number:02}"
    assert len(oracle.found(reel, "погода")) == RUNS
    assert list(reel.search("numb24er")) == []


def test_texts_come_to_and_go_from_an_index_of_parts(reel: Reel) -> None:
    reel.build_search_index(jobs=2)
    record(reel, "run-00", "Погода numb00er и ещё").close()
    record(reel, "run-23", "Погода numb23er и ещё").close()
    record(reel, "run-24", "Погода numb24er").close()
    assert reel.build_search_index(jobs=2).added == 3
    assert {run_id for run_id, *_ in oracle.found(reel, "и ещё")} == {"run-00", "run-23"}
    assert len(oracle.found(reel, "погода")) == RUNS + 1
    list(reel.prune("2100-01-01"))
    assert list(reel.search("погода")) == []
    integrity(reel)
    record(reel, "run-25", "Погода").close()
    # The ids of texts that are gone are not given to others.
    assert reel.build_search_index().added == 1
    assert len(list(reel.search("погода"))) == 1
    assert list(reel.rebuild(check=True)) == []


def a_text_changes(reel: Reel) -> None:
    record(reel, "run-03", "Погода numb03er and more").close()


def a_text_is_erased(reel: Reel) -> None:
    list(reel.redact(["run-03"], "numb03er", reason="r", actor="a"))


def another_process_builds_it(reel: Reel) -> None:
    reel.build_search_index()


CHANGES = (a_text_changes, a_text_is_erased, another_process_builds_it)


@pytest.mark.parametrize("change", CHANGES)
def test_a_part_is_left_out_if_a_text_of_it_changed_meanwhile(
    reel: Reel, change: Callable[[Reel], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    add = text_index_parts.added
    counted: list[int] = []

    def added(connection: Connection, part: text_index_parts.Part) -> int:
        if not counted:
            change(reel)
        counted.append(add(connection, part))
        return counted[-1]

    monkeypatch.setattr(text_index_parts, "added", added)
    report = reel.build_search_index(jobs=2)
    assert counted == ([0, 0] if change is another_process_builds_it else [0, RUNS // 2])
    assert report.indexed == RUNS
    expected = {"run-03"} if change is not a_text_is_erased else set()
    assert {run_id for run_id, *_ in oracle.found(reel, "numb03er")} == expected
    assert len(oracle.found(reel, "погода")) == RUNS
    integrity(reel)


def test_no_trigram_of_a_text_that_is_erased_is_left_in_a_part(reel: Reel, tmp_path: Path) -> None:
    secret = "Щёлкунчик-КЖ7Ф"  # noqa: S105 - nobody has it
    record(reel, "run-12", f"Погода {secret}").close()
    reel.build_search_index(jobs=2)
    list(reel.redact(["run-12"], secret, reason="r", actor="a"))
    assert list(reel.search(secret)) == []
    reel.release(purge=True)
    assert traces(tmp_path / "log") == []
    assert len(list(reel.search("погода"))) == RUNS


def test_an_entry_whose_text_is_unknown_empties_all_parts(reel: Reel) -> None:
    reel.build_search_index(jobs=2)
    with reel.db.writing() as connection:
        connection.execute("UPDATE run_text SET text = ? WHERE run_id = 'run-20'", (b"\0",))
    record(reel, "run-20", "Погода numb20er и ещё").close()
    assert parts(reel) == ["run_text_index"]
    assert len(oracle.found(reel, "погода")) == RUNS
    assert reel.build_search_index(jobs=2).added == RUNS
    assert len(oracle.found(reel, "погода")) == RUNS


def test_few_texts_are_added_by_this_process(reel: Reel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_index_parts, "_LEAST", RUNS)
    assert reel.build_search_index(jobs=2).added == RUNS
    assert parts(reel) == ["run_text_index"]
    with pytest.raises(UsageError, match="at least 1"):
        reel.build_search_index(jobs=0)


def test_a_worker_says_which_text_is_damaged(reel: Reel) -> None:
    with reel.db.writing() as connection:
        connection.execute("UPDATE run_text SET text = ? WHERE run_id = 'run-20'", (b"\0",))
    with pytest.raises(runreel.LogError, match="run-20"):
        reel.build_search_index(jobs=2)
