"""Runs are folded many rows at a time and many runs at a time, to what one by one gives."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from runreel.codec.json_text import dumps
from runreel.importing.import_files import import_files
from runreel.model.results import RunStreamEvent
from runreel.model.status import StreamEvent
from runreel.projection.projector import DamagedRow, RunProjector
from runreel.projection.run_mapper import as_dict
from runreel.rebuild.compared_batch import compare_batch
from runreel.rebuild.comparison import DamagedRun, compare_runs, for_each_row
from runreel.store.events import event_log, stream_ids
from runreel.store.projections import text_table
from tests import logs, real_runs, traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

SHAPES = list(traffic.SHAPES.values())
# Between every two of these runs another one began.
ODD = [f"run-{n:02d}" for n in range(1, 20, 2)]


@pytest.fixture(scope="module")
def told(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reel]:
    """A reel on a log with runs of every shape and of every source, some of them redacted."""
    path = tmp_path_factory.mktemp("told") / "told.jsonl"
    lines = [line for n, make in enumerate(SHAPES) for line in make(f"run-{n:02d}")]
    with runreel.open(shared_url) as opened:
        import_files(opened.db, [traffic.write(path, lines)])
        service = [line for recording in real_runs.RECORDINGS.values() for line in recording]
        import_files(opened.db, [traffic.write(path, service)])
        list(opened.redact(["run-00", "run-01"], "Forty", reason="test", actor="test"))
        list(opened.redact(["run-02"], seqs=[2], reason="test", actor="test"))
        yield opened


def rows_of(reel: Reel, run_id: str) -> list[Any]:
    with reel.db.reading() as connection:
        return list(event_log.read(connection, run_id))


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 1_000])
def test_rows_at_once_fold_to_what_they_do_one_by_one(told: Reel, at_once: int) -> None:
    for run_id in logs.run_ids(told):
        rows = rows_of(told, run_id)
        one_by_one, together = RunProjector(run_id), RunProjector(run_id)
        for start in range(0, len(rows), at_once):
            some = rows[start : start + at_once]
            shown = [row.seq for row in some if one_by_one.apply(row).affects_projection]
            assert together.apply_rows(some) == max(shown, default=-1)
            assert together.state == one_by_one.state
            assert together.transcript.position == one_by_one.transcript.position


@pytest.mark.parametrize("chunk", [1, 3, 1_000])
def test_runs_read_together_are_what_they_are_alone(told: Reel, chunk: int, monkeypatch) -> None:
    monkeypatch.setattr(event_log, "_CHUNK", chunk)
    run_ids = logs.run_ids(told)
    found: dict[str, list[Any]] = {}
    with told.db.reading() as connection:
        for run_id, rows in event_log.read_range(connection, run_ids[1], run_ids[-2]):
            found.setdefault(run_id, []).extend(rows)
    assert list(found) == run_ids[1:-1]
    for run_id, rows in found.items():
        lean = [row._replace(elapsed=None, salt=None, digest=None) for row in rows_of(told, run_id)]
        assert [(*row[:11], row[11] and bytes(row[11]), row[12]) for row in rows] == [
            (*row[:11], row[11] and bytes(row[11]), row[12]) for row in lean
        ]


def test_pieces_have_all_runs_and_leave_none_out_between(told: Reel, monkeypatch) -> None:
    monkeypatch.setattr(stream_ids, "_PAGE", 5)
    logs.execute(told, "INSERT INTO run_labels VALUES ('team', 'x', 0, 'nowhere')")
    with told.db.reading() as connection:
        pieces = list(stream_ids.id_batches(connection, 2))
    logs.execute(told, "DELETE FROM run_labels WHERE run_id = 'nowhere'")
    assert pieces.pop() == ["nowhere"]
    assert [run_id for piece in pieces for run_id in piece] == logs.run_ids(told)
    assert all(len(piece) <= 2 for piece in pieces)
    assert all(before[-1] < after[0] for before, after in pairwise(pieces))


@pytest.fixture
def own(db_url: str) -> Iterator[Reel]:
    """A reel on a log of twenty runs."""
    with runreel.open(db_url) as opened:
        for n in range(20):
            with opened.recording(f"run-{n:02d}") as recording:
                recording.append(RunStreamEvent(StreamEvent.DONE))
        yield opened


def test_a_run_that_began_in_between_is_passed_over(own: Reel) -> None:
    with own.db.reading() as connection:
        found = compare_runs(connection, ODD)
    assert [(run.run_id, run.differences, run.damage) for run in found] == [
        (run_id, [], None) for run_id in ODD
    ]


def test_a_damaged_run_takes_none_of_its_neighbours_with_it(own: Reel) -> None:
    logs.execute(own, "UPDATE runs SET model = 'wrong' WHERE run_id IN ('run-03', 'run-05')")
    payload = logs.rows(own, "run-05")[1].payload
    change = "UPDATE events SET payload = ? WHERE run_id = 'run-05' AND seq = 1"
    logs.tamper(own, change, ("{",))
    with own.db.reading() as connection:
        found = {run.run_id: run for run in compare_runs(connection, ODD)}
    with own.db.reading() as connection, pytest.raises(DamagedRun, match="row 1 of run run-05"):
        for_each_row(connection, "run-05", RunProjector("run-05").apply)
    logs.tamper(own, change, (payload,))
    assert list(found) == ODD
    assert found["run-05"].damage is not None
    assert (found["run-05"].damage.seq, found["run-05"].expected) == (1, None)
    assert [run_id for run_id, run in found.items() if run.differences] == ["run-03"]
    assert found["run-03"].expected is not None
    assert as_dict(found["run-03"].expected)["model"] is None
    assert [wrong.run_id for wrong in own.rebuild()] == ["run-03", "run-05"]


def test_a_damaged_piece_of_text_is_named_in_the_middle_of_others() -> None:
    """The rows of a text are gone over faster than others, and looked at no less."""
    fold = RunProjector("run", "yandex-assistants")
    columns: dict[str, Any] = {
        "run_id": "run",
        "kind": "stream_event",
        "type": "PARTIAL_MESSAGE",
        "elapsed": 0,
        "added": 2,
        "payload": dumps("ab"),
        "salt": b"",
        "redacted": None,
        "digest": b"",
    }
    rows = [
        event_log.EventRow(
            **columns,
            seq=seq,
            source_index=seq,
            at=seq,
            keep=2 * seq,
        )
        for seq in range(6)
    ]
    assert RunProjector("run", "yandex-assistants").apply_rows(rows) == 0
    rows[4] = rows[4]._replace(payload='"a" "b"')
    with pytest.raises(DamagedRow, match="row 4 of run run") as caught:
        fold.apply_rows(rows)
    assert caught.value.row == rows[4]


def test_rows_are_made_where_runs_are_compared_and_only_to_be_stored(own: Reel) -> None:
    logs.execute(own, "UPDATE runs SET model = 'wrong' WHERE run_id IN ('run-03', 'run-05')")
    logs.execute(own, "DELETE FROM run_text WHERE run_id = 'run-05'")
    with own.db.reading() as connection:
        checked = compare_batch(connection, ODD, stage=False)
        found = compare_batch(connection, ODD, stage=True)
        runs = {run.run_id: run for run in compare_runs(connection, ODD)}
        packed = text_table.stored_rows(connection, "run-05", runs["run-05"].texts)
    assert (found.runs, found.damage, checked.staged) == (len(ODD), [], {})
    assert found.differences == checked.differences
    assert {one.run_id for one in found.differences} == {"run-03", "run-05"}
    assert [one for (one,) in found.staged["staged_ids"]] == ["run-03", "run-05"]
    assert [row for row in found.staged["staged_texts"] if row[0] == "run-05"] == packed
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - we made it
    own.rebuild()
    assert own.rebuild(check=True) == []
