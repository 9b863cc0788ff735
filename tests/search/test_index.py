"""The optional index: what it needs, what it does not know yet, and runs read from the middle."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

import runreel
from runreel.model.errors import LogError
from runreel.model.events import STREAM_EVENT
from runreel.recording.recorder import Recorder
from runreel.store.projections import text_table
from runreel.store.schema import comparison
from tests.search import oracle

if TYPE_CHECKING:
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
