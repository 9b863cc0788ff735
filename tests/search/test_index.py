"""The optional index: what it needs, what it does not know yet, and runs read from the middle."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest

import runreel
from runreel.model.errors import LogError
from runreel.model.events import STREAM_EVENT
from runreel.recording.recorder import Recorder
from runreel.store.drivers.sqlite import text_search
from runreel.store.projections import text_queries, text_table
from runreel.store.schema import comparison
from tests.search import oracle

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runreel.api.reel import Reel


def record(reel: Reel, run_id: str, text: str) -> Recorder:
    recorder = Recorder(reel.db, run_id, source="plain", via="program")
    recorder.append(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": text})
    return recorder


def test_runs_that_end_after_the_index_was_built_are_found(reel: Reel) -> None:
    record(reel, "old", "Погода была").close()
    going_on = record(reel, "open", "Погода есть")
    if reel.db.driver.in_process:
        assert reel.build_search_index().indexed == 1
    record(reel, "new", "Погода будет").close()
    assert {run_id for run_id, *_ in oracle.found(reel, "погода")} == {"old", "open", "new"}
    going_on.append(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": "Погода есть, и ветер"})
    assert oracle.found(reel, "есть, и") == [("open", "answer", 7, 14)]
    going_on.close()
    record(reel, "old", "Погода была и прошла").close()
    assert oracle.found(reel, "была и прошла") == [("old", "answer", 7, 20)]
    if reel.db.driver.in_process:
        assert reel.build_search_index().added == 3
    assert len(oracle.found(reel, "погода")) == 3
    with reel.db.reading() as connection:
        assert comparison.differences(connection) == []


def test_what_comes_after_the_end_of_a_recording_is_searched_and_read_by_no_other_search(
    reel: Reel,
) -> None:
    left = record(reel, "run", "Погода была")
    late = Recorder(reel.db, "run", source="plain", via="program")
    late.append(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": "Погода была и"})
    left.close()
    if reel.db.driver.in_process:
        reel.build_search_index()
    for text in ("Погода была и есть", "Погода была и есть ветер"):
        late.append(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": text})
        (found,) = reel.search(text[-5:])
        assert found.seq == late.last_seq
        (listed,) = reel.runs()
        assert (listed.recording, listed.last_seq) == ("closed", late.last_seq)
        with reel.db.reading() as connection:
            assert text_queries.lagging(connection) == set()
    assert reel.rebuild(check=True) == []


DONE = {"type": "DONE", "text": "Погода"}
CALLS = {"type": "TOOL_CALLS", "tool_calls": [{"id": "1", "name": "find", "arguments": {}}]}
FAILED = {"type": "ERROR", "error": "занято"}


def a_run_ends(reel: Reel) -> None:
    record(reel, f"run-y-{uuid4()}", "Погода").close()


def the_first_run_says_more(reel: Reel) -> None:
    record(reel, "run-0", "Погода и ветер").close()


def the_last_run_says_more(reel: Reel) -> None:
    record(reel, "run-4", "Погода и дождь").close()


def the_last_two_are_pruned_and_others_come(reel: Reel) -> None:
    list(reel.prune("2100-01-01", statuses="failed"))
    a_run_ends(reel)
    a_run_ends(reel)


def the_last_two_go_on_while_another_ends(reel: Reel) -> None:
    last = record(reel, "run-4", "Погода и снег")
    record(reel, "run-3", "Погода и снег")
    a_run_ends(reel)
    last.close()


def all_get_other_numbers(reel: Reel) -> None:
    """As VACUUM may do it, which closes gaps."""
    list(reel.prune("2100-01-01", statuses="tool_calls"))
    with reel.db.writing() as connection:
        connection.execute(
            "UPDATE run_text SET rowid = (SELECT count(*) FROM run_text AS t"
            " WHERE t.rowid <= run_text.rowid)"
        )
    a_run_ends(reel)


def all_are_rebuilt(reel: Reel) -> None:
    reel.rebuild()
    a_run_ends(reel)


CHANGES: tuple[Callable[[Reel], None], ...] = (
    a_run_ends,
    the_first_run_says_more,
    the_last_run_says_more,
    the_last_two_are_pruned_and_others_come,
    the_last_two_go_on_while_another_ends,
    all_get_other_numbers,
    all_are_rebuilt,
)


@pytest.mark.parametrize("change", CHANGES)
def test_texts_that_are_not_in_the_index_are_known_whatever_comes_and_goes(
    tmp_path: Path, change: Callable[[Reel], None]
) -> None:
    with runreel.open(tmp_path / "log.db") as reel:
        for number, ended in enumerate((DONE, CALLS, DONE, FAILED, FAILED)):
            recorder = record(reel, f"run-{number}", "Погода")
            recorder.append(STREAM_EVENT, ended)
            recorder.close()
        reel.build_search_index()
        for _ in range(2):
            change(reel)
            with reel.db.reading() as connection:
                (looked_up,) = connection.one(
                    "SELECT count(*) FROM run_text AS t WHERE NOT EXISTS (SELECT 1 FROM"
                    " run_text_indexed AS i WHERE i.run_id = t.run_id AND i.part = t.part)"
                )
                assert text_search.missing(connection) == looked_up
                texts = {run_id for (run_id,) in connection.all("SELECT run_id FROM run_text")}
                assert text_search.candidates(connection, "погода", ["answer"]) == texts
            assert reel.build_search_index().added == looked_up


def test_the_texts_of_a_run_are_read_in_the_log_if_a_projector_has_not_collected_them(
    reel: Reel,
) -> None:
    recorder = record(reel, "run", "Погода")
    recorder.append(STREAM_EVENT, {"type": "ERROR", "error": "занято"})
    recorder.close()
    projected = recorder.projected()
    assert projected.texts == (("answer", "погода"), ("error", "занято"))
    other = type(projected)(projected.summary, projected.result, projected.text, texts=None)
    with reel.db.reading() as connection:
        assert text_table.rows_of(connection, other) == text_table.rows_of(connection, projected)


def test_a_read_only_file_is_searched(tmp_path: Path) -> None:
    file = tmp_path / "log.db"
    with runreel.open(file) as reel:
        record(reel, "run", "Погода").close()
        reel.build_search_index()
    file.chmod(0o400)
    with runreel.open(f"sqlite:///file:{file}?mode=ro&uri=true", create=False) as reel:
        assert oracle.found(reel, "погода") == [("run", "answer", 0, 6)]


def test_postgres_needs_an_extension_that_sees_letters(
    reel: Reel, backend: str, db_url: str
) -> None:
    if backend != "postgresql":
        pytest.skip("of Postgres")
    record(reel, "run", "Погода 100%").close()
    with pytest.raises(LogError, match="pg_trgm"):
        reel.build_search_index()
    with suppress(psycopg.Error), psycopg.connect(db_url, autocommit=True) as server:
        server.execute("CREATE EXTENSION pg_trgm")
    with suppress(LogError):
        assert reel.build_search_index().indexed == 1
    assert oracle.found(reel, "А 100%") == [("run", "answer", 5, 11)]
    assert oracle.found(reel, "А_100") == []
    with reel.db.reading() as connection:
        assert comparison.differences(connection) == []
