from __future__ import annotations

import hashlib
import shutil
import stat
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.audit import checkpoints, signing
from runreel.audit.checkpoint_files import Checkpoint, verify_chain
from runreel.audit.checkpoints import ComparisonCounts, checkpoint, compare_all
from runreel.model.errors import BadCheckpoint, BadKey, LogContradicted, LogError, UsageError
from runreel.store.events import event_log, stream_heads
from tests import logs
from tests.audit import forging
from tests.cli import stories

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runreel.api.reel import Reel
    from runreel.audit.checkpoints import CheckpointCreated
    from runreel.audit.signing import SigningKey
    from runreel.model.finding import Finding

NOW = 1_767_200_000_000_000
RUNS = ("open-run", "run-done", "run-failed", "run-plain")


def sign(reel: Reel, key: SigningKey, out: Path, **options: object) -> CheckpointCreated:
    return checkpoint(reel.db, out, key=key, now=NOW, **options)


def found(
    reel: Reel, key: SigningKey, *paths: Path, compared: ComparisonCounts | None = None
) -> list[Finding]:
    with reel.db.reading() as connection:
        return list(compare_all(connection, paths, key.public, compared=compared))


def named(findings: Iterable[Finding]) -> set[tuple[str | None, str]]:
    return {(finding.run_id, finding.what) for finding in findings}


def test_an_untouched_log_is_what_its_checkpoint_says(
    told: Reel, key: SigningKey, shelf: Path
) -> None:
    made = sign(told, key, shelf)
    assert (made.header.number, made.header.full, made.runs) == (1, True, 4)
    assert made.path == shelf / "checkpoint-000001.txt"
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    data = made.path.read_bytes()
    assert made.sha256 == hashlib.sha256(data).hexdigest()
    with told.db.reading() as connection:
        assert made.header.database_id == stream_heads.database_id(connection)
    counts = ComparisonCounts()
    assert found(told, key, made.path, compared=counts) == []
    assert counts == ComparisonCounts(checkpoints=1, runs=4, pruned=0)
    assert [head.run_id for head in Checkpoint(made.path).heads()] == list(RUNS)


def test_a_run_that_goes_on_and_new_runs_are_no_findings(
    told: Reel, key: SigningKey, shelf: Path
) -> None:
    sign(told, key, shelf)
    told.recording("open-run").append(stories.partial("Well then"))
    stories.tell_done(told, "run-new")
    assert found(told, key, shelf) == []


def test_the_next_one_lists_what_changed(told: Reel, key: SigningKey, shelf: Path) -> None:
    first = sign(told, key, shelf)
    told.recording("open-run").append(stories.partial("Well then"))
    stories.tell_done(told, "run-новый 世界")
    second = sign(told, key, shelf)
    assert (second.header.number, second.header.full, second.runs) == (2, False, 2)
    assert second.header.previous == first.sha256
    assert [head.run_id for head in Checkpoint(second.path).heads()] == [
        "open-run",
        "run-новый 世界",
    ]
    third = sign(told, key, shelf)
    assert (third.header.full, third.runs) == (False, 0)
    fourth = sign(told, key, shelf, full=True)
    assert (fourth.header.full, fourth.runs) == (True, 5)
    fifth = sign(told, key, shelf)
    assert (fifth.header.number, fifth.runs) == (5, 0)
    assert found(told, key, shelf) == []


def test_every_so_often_all_runs_are_listed(
    told: Reel, key: SigningKey, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "FULL_EVERY", 3)
    made = [sign(told, key, shelf) for _ in range(7)]
    assert [one.header.full for one in made] == [True, False, False, True, False, False, True]


def test_a_missing_ancestor_makes_a_full_one(told: Reel, key: SigningKey, shelf: Path) -> None:
    first = sign(told, key, shelf)
    sign(told, key, shelf)
    first.path.unlink()
    third = sign(told, key, shelf)
    assert (third.header.number, third.header.full, third.runs) == (3, True, 4)
    assert found(told, key, shelf) == []


def test_the_previous_one_can_be_named(
    told: Reel, key: SigningKey, shelf: Path, tmp_path: Path
) -> None:
    first = sign(told, key, tmp_path / "monday.txt")
    second = sign(told, key, tmp_path / "tuesday.txt", previous=first.path)
    assert (second.header.number, second.header.full) == (2, False)
    assert found(told, key, first.path, second.path) == []
    third = sign(told, key, shelf, previous=second.path)
    assert third.path.name == "checkpoint-000003.txt"


def test_nothing_is_ever_overwritten(told: Reel, key: SigningKey, tmp_path: Path) -> None:
    place = tmp_path / "one.txt"
    place.write_text("mine")
    with pytest.raises(UsageError, match="already exists"):
        sign(told, key, place)
    assert place.read_text() == "mine"
    with pytest.raises(UsageError, match="cannot use"):
        sign(told, key, tmp_path / "nowhere" / "one.txt")
    assert not list(tmp_path.glob(".runreel*"))


def test_the_ids_of_runs_may_be_anything(reel: Reel, key: SigningKey, shelf: Path) -> None:
    ids = [
        "a b",
        'quo"te',
        "\N{RIGHT-TO-LEFT OVERRIDE}evil",
        "é",
        "z",
        "\U0010ffff",
        "\uff5a",
        "\\n",
        "'",
    ]
    for run_id in ids:
        stories.tell_unused(reel, run_id)
    made = sign(reel, key, shelf)
    assert made.path.read_bytes().isascii()
    listed = [head.run_id for head in Checkpoint(made.path).heads()]
    assert listed == sorted(ids, key=str.encode)
    assert found(reel, key, shelf) == []


def test_many_runs_are_listed_once_each(reel: Reel, key: SigningKey, shelf: Path) -> None:
    total = 2 * stream_heads.CHUNK + 1
    for number in range(total):
        reel.recording(f"run-{number:04}").append(stories.partial("x"))
    counts = ComparisonCounts()
    assert sign(reel, key, shelf).runs == total
    assert found(reel, key, shelf, compared=counts) == []
    assert counts.runs == total


def test_a_deleted_run_is_named(told: Reel, key: SigningKey, shelf: Path) -> None:
    sign(told, key, shelf)
    forging.cut(told, "run-done")
    stories.tell_done(told, "run-later")
    assert named(found(told, key, shelf)) == {("run-done", "deleted"), (None, "rolled_back")}
    told.recording("open-run").append(stories.partial("Well then"))
    (finding,) = found(told, key, shelf)
    assert (finding.run_id, finding.seq, finding.what) == ("run-done", 8, "deleted")
    assert finding.detail.startswith("checkpoint 1: ")


def test_what_only_lacks_an_old_run_is_no_older_copy(
    told: Reel, key: SigningKey, shelf: Path
) -> None:
    sign(told, key, shelf)
    stories.tell_done(told, "run-later")
    sign(told, key, shelf)
    forging.cut(told, "run-done")
    assert named(found(told, key, shelf)) == {("run-done", "deleted")}
    forging.cut(told, "run-later")
    assert (None, "rolled_back") in named(found(told, key, shelf))


def test_a_truncated_tail_is_named(told: Reel, key: SigningKey, shelf: Path) -> None:
    sign(told, key, shelf)
    forging.cut(told, "run-failed", 2)
    assert logs.verify(told), "the chain itself does not show it"
    assert named(found(told, key, shelf)) == {("run-failed", "truncated"), (None, "rolled_back")}


def test_a_recomputed_chain_is_named(told: Reel, key: SigningKey, shelf: Path) -> None:
    sign(told, key, shelf)
    forging.rewrite(told, "run-failed", 2, payload='{"type":"ERROR","error":"all is well"}')
    assert logs.verify(told), "the chain itself does not show it"
    assert named(found(told, key, shelf)) == {("run-failed", "recomputed")}


def test_a_recomputed_chain_that_goes_on_is_named(told: Reel, key: SigningKey, shelf: Path) -> None:
    sign(told, key, shelf)
    forging.rewrite(told, "open-run", 0, at=1)
    told.recording("open-run").append(stories.partial("Well then"))
    assert named(found(told, key, shelf)) == {("open-run", "recomputed")}


def test_a_rolled_back_copy_is_caught_and_every_run_named(
    reel: Reel, db_url: str, key: SigningKey, shelf: Path
) -> None:
    stories.tell_failed(reel)
    reel.recording("open-run").append(stories.partial("Well"))
    then = {row: row for row in logs.rows(reel)}
    reel.recording("open-run").append(stories.partial("Well then"))
    stories.tell_done(reel)
    sign(reel, key, shelf)
    forging.unguard(reel)
    with reel.db.writing() as connection:
        for row in logs.rows(reel):
            if row not in then:
                connection.execute(
                    "DELETE FROM events WHERE run_id = ? AND seq = ?", (row.run_id, row.seq)
                )
    assert logs.rows(reel) == list(then), "this is the log as it was"
    assert logs.verify(reel), "the chain itself does not show it"
    assert named(found(reel, key, shelf)) == {
        ("open-run", "truncated"),
        ("run-done", "deleted"),
        (None, "rolled_back"),
    }


def test_an_old_file_in_the_place_of_the_log_is_caught(
    tmp_path: Path, key: SigningKey, shelf: Path
) -> None:
    place, old = tmp_path / "log.db", tmp_path / "old.db"
    with runreel.open(place) as reel:
        stories.tell_failed(reel)
    shutil.copyfile(place, old)
    with runreel.open(place) as reel:
        stories.tell_done(reel)
        sign(reel, key, shelf)
    shutil.copyfile(old, place)
    with runreel.open(place) as reel:
        assert named(found(reel, key, shelf)) == {("run-done", "deleted"), (None, "rolled_back")}


def test_a_row_taken_out_of_the_middle_is_named(told: Reel, key: SigningKey, shelf: Path) -> None:
    sign(told, key, shelf)
    told.recording("open-run").append(stories.partial("Well then"))
    forging.unguard(told)
    logs.execute(told, "DELETE FROM events WHERE run_id = 'open-run' AND seq = 1")
    assert named(found(told, key, shelf)) == {("open-run", "missing")}


def test_another_database_is_told_at_once(told: Reel, key: SigningKey, shelf: Path) -> None:
    sign(told, key, shelf)
    logs.execute(told, "UPDATE runreel_meta SET value = 'other' WHERE key = 'database_id'")
    assert named(found(told, key, shelf)) == {(None, "another_database")}
    with pytest.raises(BadCheckpoint, match="another database"):
        sign(told, key, shelf / "new.txt", previous=shelf / "checkpoint-000001.txt")
    logs.execute(told, "DELETE FROM runreel_meta WHERE key = 'database_id'")
    with pytest.raises(LogError, match="has no id"):
        found(told, key, shelf)


def test_redaction_changes_nothing_that_was_signed(
    told: Reel, key: SigningKey, shelf: Path
) -> None:
    sign(told, key, shelf)
    forging.redact(told, "run-done", [1, 3, 5])
    assert logs.verify(told)
    assert found(told, key, shelf) == []
    assert sign(told, key, shelf).runs == 1
    assert found(told, key, shelf) == []


def test_pruned_runs_are_accepted_and_counted(told: Reel, key: SigningKey, shelf: Path) -> None:
    sign(told, key, shelf)
    forging.note(told, "run-failed", "lost", {"events": 1})
    forging.prune(told, "run-done")
    forging.prune(told, "run-failed")
    counts = ComparisonCounts()
    assert found(told, key, shelf, compared=counts) == []
    assert counts == ComparisonCounts(checkpoints=1, runs=4, pruned=2)
    assert sign(told, key, shelf).runs == 2
    counts = ComparisonCounts()
    assert found(told, key, shelf, compared=counts) == []
    assert counts == ComparisonCounts(checkpoints=2, runs=6, pruned=2)


@pytest.mark.parametrize(
    ("lies", "what"),
    [
        ({"digest": "00" * 32}, "missing"),
        ({"seq": 7}, "missing"),
        ({"seq": True}, "missing"),
        ({"digest": "no"}, "missing"),
        ({"digest": 5}, "missing"),
    ],
)
def test_a_tombstone_that_does_not_follow_from_what_it_says_is_none(
    told: Reel, key: SigningKey, shelf: Path, lies: dict[str, object], what: str
) -> None:
    sign(told, key, shelf)
    forging.prune(told, "run-done", **lies)
    assert named(found(told, key, shelf)) == {("run-done", what)}


def test_a_tombstone_of_another_history_is_told(told: Reel, key: SigningKey, shelf: Path) -> None:
    sign(told, key, shelf)
    forging.rewrite(told, "run-done", 3, at=1)
    forging.prune(told, "run-done")
    assert named(found(told, key, shelf)) == {("run-done", "recomputed")}


def test_a_pruned_run_whose_tombstone_is_gone_is_told(
    told: Reel, key: SigningKey, shelf: Path
) -> None:
    forging.prune(told, "run-done")
    sign(told, key, shelf)
    forging.cut(told, "run-done")
    assert ("run-done", "deleted") in named(found(told, key, shelf))


def test_nothing_is_signed_that_contradicts_the_previous_one(
    told: Reel, key: SigningKey, shelf: Path
) -> None:
    sign(told, key, shelf)
    forging.cut(told, "run-done")
    forging.cut(told, "run-failed", 2)
    for options in ({}, {"full": True}):
        with pytest.raises(
            LogContradicted, match=r"run-done \(deleted\), run-failed \(truncated\)"
        ):
            sign(told, key, shelf, **options)
    assert [path.name for path in shelf.iterdir()] == ["checkpoint-000001.txt"]


def test_the_key_is_passed_on(
    told: Reel, key: SigningKey, other_key: SigningKey, shelf: Path, tmp_path: Path
) -> None:
    sign(told, key, shelf)
    with pytest.raises(BadKey, match="signed by"):
        sign(told, other_key, shelf)
    passing = sign(told, key, shelf, next_key=other_key.public)
    assert passing.next_key_id == other_key.public.id
    with pytest.raises(BadKey, match="names another next key"):
        sign(told, key, shelf)
    third = sign(told, other_key, shelf)
    assert third.header.full, "who follows vouches for every run"
    sign(told, other_key, shelf)
    assert found(told, key, shelf) == []
    assert found(told, other_key, third.path) == []
    (finding,) = found(told, key, third.path)
    assert (finding.what, finding.run_id) == ("checkpoint", None)
    assert other_key.public.id not in finding.detail

    stranger = tmp_path / "stranger"
    signing.generate(stranger)
    assert named(found(told, signing.load(stranger), shelf)) == {(None, "checkpoint")}


def test_the_old_key_signs_no_more_once_it_is_passed_on(
    told: Reel, key: SigningKey, other_key: SigningKey, shelf: Path, tmp_path: Path
) -> None:
    first = sign(told, key, shelf)
    sign(told, key, shelf, next_key=other_key.public)
    fork = tmp_path / "fork"
    fork.mkdir()
    shutil.copy(first.path, fork)
    sign(told, key, fork)
    late = sign(told, key, fork)
    shutil.copy(late.path, shelf)
    (finding,) = found(told, key, shelf)
    assert finding.what == "checkpoint"


def test_two_histories_of_one_number_are_told(
    told: Reel, key: SigningKey, shelf: Path, tmp_path: Path
) -> None:
    first, again = sign(told, key, shelf), tmp_path / "again.txt"
    assert verify_chain([first.path, first.path, shelf], key.public)[0].sha256 == first.sha256
    stories.tell_done(told, "run-more")
    sign(told, key, again)
    with pytest.raises(BadCheckpoint, match="both have the number 1"):
        verify_chain([first.path, again], key.public)
    second = sign(told, key, tmp_path / "second.txt", previous=again)
    with pytest.raises(BadCheckpoint, match="does not follow"):
        verify_chain([first.path, second.path], key.public)


def test_checkpoints_of_two_databases_do_not_go_together(
    told: Reel, key: SigningKey, shelf: Path, tmp_path: Path
) -> None:
    sign(told, key, shelf)
    with runreel.open(tmp_path / "other.db") as other:
        stories.tell_done(other)
        theirs = sign(other, key, shelf / "theirs.txt")
        ours = sign(told, key, shelf)
        assert ours.header.number == 2, "the newest of this database is the previous one"
        with pytest.raises(BadCheckpoint, match="different databases"):
            verify_chain([shelf / "checkpoint-000001.txt", theirs.path], key.public)


def test_a_previous_one_that_only_claims_its_key_is_refused(
    told: Reel, key: SigningKey, shelf: Path
) -> None:
    path = sign(told, key, shelf).path
    lines, _, signature = path.read_bytes().rpartition(b"signature ")
    other = b"1" if signature.startswith(b"0") else b"0"
    path.write_bytes(lines + b"signature " + other + signature[1:])
    with pytest.raises(BadCheckpoint, match="its signature is invalid"):
        sign(told, key, shelf)


def test_a_damaged_file_is_a_finding_and_not_an_error(
    told: Reel, key: SigningKey, shelf: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    broken = tmp_path / "broken.txt"
    broken.write_bytes(b"\x00\xff")
    for path in (tmp_path / "missing.txt", tmp_path / "empty", broken):
        (finding,) = found(told, key, path)
        assert (finding.what, str(path) in finding.detail) == ("checkpoint", True)


def test_a_file_changed_while_it_is_read_is_told(told: Reel, key: SigningKey, shelf: Path) -> None:
    made = sign(told, key, shelf)
    (opened,) = verify_chain([made.path], key.public)
    data = made.path.read_bytes()
    made.path.write_bytes(data.replace(b"00", b"11", 1).replace(b"time 2", b"time 1"))
    with told.db.reading() as connection, pytest.raises(BadCheckpoint, match="changed while"):
        list(checkpoints.compare(connection, [opened]))


def test_a_checkpoint_of_a_log_that_was_written_lazily_waits_for_the_disk(
    db_url: str, key: SigningKey, shelf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = checkpoints.atomic_files.sync
    monkeypatch.setattr(
        checkpoints.atomic_files, "sync", lambda path: (synced.append(path.name), real(path))
    )
    with runreel.open(db_url, durability="normal") as reel:
        stories.tell_done(reel)
        sign(reel, key, shelf)
        with reel.db.reading() as connection:
            if connection.driver.url.postgres:
                flushed = connection.one(
                    "SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn() < 100"
                )
                assert flushed[0]
            else:
                assert "log.db-wal" in synced


def test_writers_do_not_disturb_a_checkpoint(told: Reel, key: SigningKey, shelf: Path) -> None:
    """Each head is a row that was in the log, whatever went on meanwhile."""
    import threading

    stop = threading.Event()

    def write() -> None:
        number = 0
        with runreel.open(_url(told)) as other:
            while not stop.is_set():
                number += 1
                other.recording(f"more-{number % 20}").append(stories.partial("x" * number))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(10):
            sign(told, key, shelf)
    finally:
        stop.set()
        writer.join()
    assert found(told, key, shelf) == []
    with told.db.reading() as connection:
        assert len(event_log.run_ids(connection)) > 4


def _url(reel: Reel) -> str:
    return reel.db.url.text
