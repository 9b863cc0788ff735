"""Queries of users through SQLAlchemy: they read the log, and cannot change it."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, insert, select, text
from sqlalchemy.exc import DBAPIError

import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent, tables
from runreel.model.events import RUN
from runreel.projection import key_frames
from runreel.recording.recorder import Recorder
from runreel.store.schema.tables import metadata
from tests.prices.lines import data, line

if TYPE_CHECKING:
    from pathlib import Path

    from runreel import Reel

DONE = RunStreamEvent(StreamEvent.DONE)


def record(reel: Reel, run_id: str, team: str = "maps") -> None:
    with reel.recording(run_id, model="tiny-1", labels={"team": team}) as recording:
        recording.append(DONE)


def test_the_tables_can_be_queried(reel: Reel) -> None:
    record(reel, "run-1")
    record(reel, "run-2", team="search")
    runs, labels = tables.runs, tables.run_labels
    query = (
        select(runs.c.run_id, runs.c.started_at, labels.c.value)
        .join(labels, (labels.c.run_id == runs.c.run_id) & (labels.c.key == "team"))
        .where(runs.c.model == "tiny-1")
        .order_by(runs.c.run_id)
    )
    with reel.engine().connect() as connection:
        found = connection.execute(query).all()
        rows = connection.scalar(select(func.count()).select_from(tables.events))
    assert [(row.run_id, row.value) for row in found] == [("run-1", "maps"), ("run-2", "search")]
    started = reel.run("run-1").started_at
    assert found[0].started_at == int(started.timestamp() * 1_000_000)
    assert rows == len(list(reel.events("run-1"))) + len(list(reel.events("run-2")))


def test_every_table_and_column_can_be_read(reel: Reel, tmp_path: Path) -> None:
    record(reel, "run-1")
    (tmp_path / "book.jsonl").write_bytes(data(line()))
    reel.rebuild_costs(prices=tmp_path / "book.jsonl")
    response = {"id": "resp_1", "object": "response", "status": "completed", "output": []}
    # Its id is a key of the run.
    Recorder(reel.db, "resp_1", source="openai-responses", via="live").offer(RUN, response)
    with reel.recording("run-2") as recording:
        for n in range(key_frames.ROWS + 1):
            recording.append(
                RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((f"{n}",)))
            )
    with reel.engine().connect() as connection:
        for table in metadata.sorted_tables:
            assert connection.execute(select(table)).all(), table.name
        for view in ("transcript", "run_list"):
            assert connection.execute(text(f"SELECT * FROM {view}")).all()


def test_the_engine_cannot_write(reel: Reel) -> None:
    record(reel, "run-1")
    before = list(reel.events("run-1"))
    statements = [
        insert(tables.run_labels).values(key="a", value="b", started_at=0, run_id="run-1"),
        tables.runs.delete(),
        text("CREATE TABLE more (number integer)"),
    ]
    for statement in statements:
        with reel.engine().connect() as connection, pytest.raises(DBAPIError) as caught:
            connection.execute(statement)
        assert "read" in str(caught.value)
    assert list(reel.events("run-1")) == before
    assert reel.rebuild(check=True) == []


def test_the_statements_of_a_connection_see_one_moment(reel: Reel) -> None:
    record(reel, "run-1")
    count = select(func.count()).select_from(tables.runs)
    engine = reel.engine()
    with engine.connect() as connection:
        assert connection.scalar(count) == 1
        record(reel, "run-2")
        assert connection.scalar(count) == 1
    with engine.connect() as connection:
        assert connection.scalar(count) == 2


def test_the_engine_outlives_the_reel_and_keeps_no_connection(tmp_path: Path) -> None:
    path = tmp_path / "a log?#%.db"
    with runreel.open(path) as reel:
        record(reel, "run-1")
        engine = reel.engine()
    with engine.connect() as connection:
        assert connection.scalar(select(tables.runs.c.run_id)) == "run-1"
    with runreel.open(path) as reel:
        record(reel, "run-2")
    # The last connection to a file removes its write-ahead log.
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_log_given_as_a_uri_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with runreel.open(path) as reel:
        record(reel, "run-1")
    for options in ("uri=true", "mode=rw&uri=true", "mode=ro&uri=true", "immutable=1&uri=true"):
        with (
            runreel.open(f"sqlite:///file:{path}?{options}", create=False) as reel,
            reel.engine().connect() as connection,
        ):
            assert connection.scalar(select(tables.runs.c.run_id)) == "run-1"


def test_a_missing_log_is_reported_when_the_engine_is_requested(tmp_path: Path) -> None:
    with (
        runreel.open(tmp_path / "none.db", create=False) as reel,
        pytest.raises(runreel.DatabaseUnavailable),
    ):
        reel.engine()


def test_the_tables_are_loaded_at_first_use() -> None:
    program = (
        "import sys, runreel; assert 'sqlalchemy' not in sys.modules;"
        " from runreel import tables; print(tables.runs.name, 'tables' in dir(runreel))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "runs True\n"
