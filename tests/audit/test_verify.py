"""A log that nobody touched is intact, and so is one that was redacted or pruned as it should."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from runreel.audit.log_audit import VerifiedCounts
from runreel.audit.verify import verify
from runreel.importing.import_files import import_files
from runreel.integrity import digest_chain
from runreel.model.errors import LogError, RunNotFound
from runreel.model.events import EventRow
from runreel.store.connection import Connection
from runreel.store.projections import run_prefetch
from tests import logs, real_runs, traffic
from tests.audit import forging
from tests.audit.verified import found, named, whats
from tests.cli import stories

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel

RUN = "run-done"
SHAPES = list(traffic.SHAPES.values())


def test_logs_of_every_shape_are_intact(reel: Reel, tmp_path: Path) -> None:
    assert found(reel) == []
    stories.tell_all(reel)
    stories.tell_harm(reel)
    lines = [
        line
        for number, shape in enumerate(SHAPES)
        for line in shape(f"shape-{number}", labels={"team": "search"})
    ]
    import_files(reel.db, [traffic.write(tmp_path / "told.jsonl", lines)])
    service = [line for recording in real_runs.RECORDINGS.values() for line in recording]
    import_files(reel.db, [traffic.write(tmp_path / "service.jsonl", service)])
    extent, told = VerifiedCounts(), []
    assert found(reel, counts=extent, progress=lambda *at: told.append(at)) == []
    events = len(logs.rows(reel))
    assert (extent.runs, extent.events) == (len(logs.run_ids(reel)), events)
    assert (told[0], told[-1]) == ((0, events), (events, events))


def test_runs_can_be_verified_alone(reel: Reel) -> None:
    stories.tell_all(reel)
    logs.tamper(reel, "UPDATE events SET at = at + 1 WHERE run_id = 'run-failed' AND seq = 1")
    extent = VerifiedCounts()
    assert found(reel, ["run-done", "run-plain"], counts=extent) == []
    assert extent.runs == 2
    assert ("run-failed", 1) in named(reel, ["run-failed"])
    with pytest.raises(RunNotFound):
        found(reel, ["nowhere"])


def test_what_was_erased_and_said_so_is_intact(reel: Reel) -> None:
    stories.tell_all(reel)
    forging.redact(reel, RUN, [3, 4, 5])
    forging.redact(reel, RUN, [6])
    reel.rebuild()
    assert found(reel) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("payload = '\"x\"'", 3),
        ("salt = redacted", 3),
        ("payload = '\"x\"', salt = redacted, redacted = NULL", 3),
        ("redacted = digest", 3),
        ("redacted = NULL", 3),
    ],
)
def test_what_was_erased_and_then_changed_is_named(reel: Reel, change: str, place: int) -> None:
    stories.tell_all(reel)
    forging.redact(reel, RUN, [3, 4])
    forging.unguard(reel)
    if reel.db.url.postgres:
        logs.execute(reel, "ALTER TABLE events DROP CONSTRAINT events_erased")
    else:
        logs.execute(reel, "PRAGMA ignore_check_constraints = ON")
    logs.execute(reel, f"UPDATE events SET {change} WHERE run_id = '{RUN}' AND seq = 3")
    assert (RUN, place) in named(reel)


def test_what_was_erased_and_never_said_is_named(reel: Reel) -> None:
    stories.tell_all(reel)
    row = logs.rows(reel, RUN)[4]
    committed = digest_chain.commitment(row.salt or b"", row.payload or "")
    logs.tamper(
        reel,
        "UPDATE events SET payload = NULL, salt = NULL, redacted = ? WHERE run_id = ? AND seq = 4",
        (committed, RUN),
    )
    assert (RUN, 4, "redaction") in whats(reel)


@pytest.mark.parametrize(
    ("seqs", "place"), [([2], 2), ([2, 99], 99), (["2"], None), ([-1], None), ("all", None)]
)
def test_a_note_of_what_was_not_erased_is_named(reel: Reel, seqs: Any, place: int | None) -> None:
    stories.tell_all(reel)
    said = forging.note(reel, RUN, "redacted", {"seqs": seqs, "reason": "", "actor": None})
    reel.rebuild()
    told = [finding for finding in found(reel) if finding.run_id == RUN]
    assert {finding.seq for finding in told} <= {place, said.seq, 2}
    assert told


def test_a_note_that_something_was_erased_is_not_erased_itself(reel: Reel) -> None:
    stories.tell_all(reel)
    last = logs.rows(reel, RUN)[-1].seq
    forging.redact(reel, RUN, [3])
    forging.unguard(reel)
    forging.redact(reel, RUN, [last + 1])
    assert (RUN, last + 1, "redaction") in whats(reel)


def test_a_run_that_was_pruned_is_intact(reel: Reel) -> None:
    stories.tell_all(reel)
    stone = forging.prune(reel, RUN, source="plain")
    reel.rebuild()
    assert stone.seq > 5
    assert found(reel) == []
    forging.prune(reel, RUN, source="plain")
    reel.rebuild()
    assert found(reel) == []


@pytest.mark.parametrize(
    "lies", [{"seq": 3}, {"digest": "00" * 32}, {"digest": "x"}, {"seq": "9"}, {"seq": None}]
)
def test_a_tombstone_that_lies_is_named(reel: Reel, lies: dict[str, Any]) -> None:
    stories.tell_all(reel)
    stone = forging.prune(reel, RUN, **lies)
    assert (RUN, stone.seq, "tombstone") in whats(reel)


def test_rows_around_a_tombstone_are_named(reel: Reel) -> None:
    stories.tell_all(reel)
    stone = forging.note(reel, RUN, "pruned", {"seq": 0, "digest": ""})
    assert (RUN, stone.seq, "tombstone") in whats(reel)
    real = forging.prune(reel, "run-failed")
    event = real._replace(seq=real.seq + 1, kind="stream_event", type="DONE")
    forging.write(reel, [event])
    assert ("run-failed", event.seq, "tombstone") in whats(reel)


def test_what_postgres_cannot_read_takes_nothing_with_it(reel: Reel) -> None:
    """A row fails as one in a damaged page does; SQLite has a damaged page of its own."""
    if not reel.db.url.postgres:
        return
    stories.tell_all(reel)
    logs.execute(reel, "ALTER TABLE events RENAME TO events_itself")
    logs.execute(
        reel,
        """
        CREATE FUNCTION broken(run_id text, seq bigint, payload text) RETURNS text AS $$
        BEGIN
            IF run_id = 'run-done' AND seq = 4 OR run_id = 'run-failed' AND seq = 0 THEN
                RAISE EXCEPTION 'invalid page in block 7' USING ERRCODE = 'data_corrupted';
            END IF;
            RETURN payload;
        END $$ LANGUAGE plpgsql IMMUTABLE""",
    )
    columns = ", ".join(EventRow._fields).replace("payload", "broken(run_id, seq, payload) payload")
    logs.execute(reel, f"CREATE VIEW events AS SELECT {columns} FROM events_itself")
    extent = VerifiedCounts()
    told = [finding for finding in found(reel, counts=extent) if finding.what != "schema"]
    assert [(finding.run_id, finding.seq, finding.what) for finding in told] == [
        (RUN, 4, "unreadable"),
        ("run-failed", None, "unreadable"),
    ]
    assert "invalid page" in told[0].detail
    rows = logs.execute(reel, "SELECT count(*) FROM events_itself WHERE run_id <> 'run-failed'")
    assert extent.events == rows[0][0] - 5
    logs.execute(reel, "UPDATE runs SET model = 'wrong'")
    with pytest.raises(LogError, match="row 0 of run run-done is damaged"):
        reel.rebuild()
    models = dict(logs.execute(reel, "SELECT run_id, model FROM runs"))
    assert models == {
        "open-run": None,
        "run-done": "wrong",
        "run-failed": "wrong",
        "run-plain": None,
    }


def test_what_leaves_no_trace_in_a_log_is_not_seen(reel: Reel) -> None:
    """That is what checkpoints are for."""
    stories.tell_all(reel)
    forging.cut(reel, RUN, seq=6)
    forging.cut(reel, "run-plain")
    forging.rewrite(reel, "run-failed", 1, payload='"I was never"')
    reel.rebuild()
    assert {finding.what for finding in found(reel)} == {"schema"}, "the triggers are off"


def test_what_guards_the_log_is_compared(reel: Reel) -> None:
    stories.tell_all(reel)
    forging.unguard(reel)
    assert {finding.what for finding in found(reel)} == {"schema"}


def test_verifying_sees_one_moment_while_others_record(reel: Reel, db_url: str) -> None:
    stop = threading.Event()

    def record() -> None:
        with runreel.open(db_url) as other:
            number = 0
            while not stop.is_set():
                stories.tell_done(other, f"live-{number}")
                number += 1

    recorder = threading.Thread(target=record)
    recorder.start()
    try:
        for _ in range(15):
            assert found(reel) == []
    finally:
        stop.set()
        recorder.join()
    assert found(reel) == []


def test_little_is_held_however_long_a_run_is(reel: Reel) -> None:
    """Three times as many rows, in one run, take no more memory."""
    import tracemalloc

    peaks = []
    for count in (2_000, 6_000):
        _long_run(reel, f"run-{count}", count)
        tracemalloc.start()
        with reel.db.reading() as connection:
            told = [finding.what for finding in verify(connection, [f"run-{count}"])]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert told == ["projection"], "there is none"
    assert peaks[1] < 1.5 * peaks[0]


def _long_run(reel: Reel, run_id: str, count: int) -> None:
    """A run of so many rows of a kilobyte, half of them erased."""
    opened = {"source": "plain", "via": "program"}
    stories.tell_unused(reel, run_id)
    (first, *_) = logs.rows(reel, run_id)
    logs.tamper(reel, "DELETE FROM events WHERE run_id = ? AND seq > 0", (run_id,))
    logs.execute(reel, "DELETE FROM runs WHERE run_id = ?", (run_id,))
    assert opened["source"] in str(first.payload)
    rows, digest = [], bytes(first.digest)
    salt, payload = b"\1" * digest_chain.SALT_BYTES, '{"tool_results":["' + "x" * 1000 + '"]}'
    for seq in range(1, count):
        row = EventRow(
            run_id,
            seq,
            "tool_results",
            None,
            None,
            first.at,
            0,
            None,
            None,
            payload,
            salt,
            None,
            b"",
        )
        digest = digest_chain.digest(digest, *row[:9], digest_chain.commitment(salt, payload))
        rows.append(row._replace(digest=digest))
    forging.write(reel, rows)


def test_a_run_is_found_by_an_id_of_any_script(reel: Reel) -> None:
    for run_id in ("run-é", "запуск", "\U0001f600"):
        with reel.recording(run_id) as recording:
            recording.append(stories.partial("x"))
        counts = VerifiedCounts()
        with reel.db.reading() as connection:
            assert list(verify(connection, [run_id], counts=counts)) == []
        assert (counts.runs, counts.events) == (1, 3)


@pytest.mark.parametrize(("little", "pages"), [(500_000, 4), (0, 15)])
def test_more_runs_are_read_at_once_while_they_are_short(
    reel: Reel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, little: int, pages: int
) -> None:
    lines = [line for n in range(29) for line in traffic.streamed(f"run-{n:02d}", "A word or two")]
    import_files(reel.db, [traffic.write(tmp_path / "told.jsonl", lines)])
    asked: list[str] = []
    read_all = Connection.all

    def counted(connection: Connection, sql: str, parameters: Any = ()) -> list[Any]:
        asked.append(sql)
        return read_all(connection, sql, parameters)

    monkeypatch.setattr(Connection, "all", counted)
    for name, value in (("_RUNS", 2), ("_MOST", 16), ("_LITTLE", little)):
        monkeypatch.setattr(run_prefetch, name, value)
    assert found(reel) == []
    assert sum("FROM runs WHERE run_id >=" in sql for sql in asked) == pages
