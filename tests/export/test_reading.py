"""Recordings read back: as a log, and into another log."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import os
import random
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.codec.stream_codec import PLACEHOLDER
from runreel.importing.recording_verification import verify_file
from tests.cli import stories
from tests.export.test_writing import lines, stored

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel

MUTATIONS = 500


@pytest.fixture
def other(tmp_path: Path) -> Reel:
    """A log to import into."""
    with runreel.open(tmp_path / "other.db") as reel:
        yield reel


def tell_everything(reel: Reel) -> None:
    """Runs of every kind, among them redacted and pruned ones."""
    stories.tell_all(reel)
    stories.tell_done(reel, "run-pruned")
    stories.tell_done(reel, "run-counted")
    stories.tell_done(reel, "run-redacted")
    with reel.recording("ünï-\U0001f600") as recording:
        recording.append(stories.partial("\x00\ud800 \u2028 и"))
        recording.append(stories.partial(""))
    list(reel.redact(["run-redacted"], "weather", reason="r", actor="a"))
    list(reel.redact(["run-redacted"], seqs=[2], reason="r", actor="a"))
    by_id = {"run-counted": True, "run-pruned": False}
    for run_id, keep in by_id.items():
        _prune(reel, run_id, keep_usage=keep)


def _prune(reel: Reel, run_id: str, *, keep_usage: bool) -> None:
    from runreel.retention import pruning

    request = pruning.PruneRequest(2**60, None, keep_usage, "old", "a")
    pruner = pruning._Pruner(reel.db, request, lambda: 2**60)
    plan = pruner.plan_run(run_id)
    assert isinstance(plan, pruning._PrunePlan)
    pruner.delete_runs([plan])


@pytest.mark.parametrize("ending", [".reel.jsonl", ".reel.jsonl.gz"])
def test_an_imported_recording_is_equal_row_by_row(
    reel: Reel, other: Reel, tmp_path: Path, ending: str
) -> None:
    tell_everything(reel)
    path = tmp_path / f"x{ending}"
    reel.export(path)
    report = other.import_file(path)
    assert report.problems == []
    assert (report.runs_new, report.events_known) == (lines(path)[-1]["runs"], 0)
    assert report.events_new == lines(path)[-1]["rows"]
    assert stored(other) == stored(reel)
    assert list(other.verify()) == []
    assert other.rebuild(check=True) == []
    again = other.import_file(path)
    assert (again.events_new, again.events_known, again.problems) == (0, report.events_new, [])
    assert stored(other) == stored(reel)
    # And back, from the other database: the same rows.
    other.export(tmp_path / f"y{ending}")
    assert lines(tmp_path / f"y{ending}")[1:-1] == lines(path)[1:-1]
    assert lines(tmp_path / f"y{ending}")[-1]["heads"] == lines(path)[-1]["heads"]


def test_a_log_moves_to_another_database_and_back(reel: Reel, tmp_path: Path) -> None:
    with runreel.open(tmp_path / "source.db") as source:
        tell_everything(source)
        for number in range(450):
            with source.recording(f"many-{number:03}") as recording:
                recording.append(stories.partial("x"))
        source.export(tmp_path / "1.reel.jsonl.gz")
        wanted = stored(source)
    with reel.recording("own") as recording:
        recording.append(stories.partial("x"))
    own = stored(reel)
    assert reel.import_file(tmp_path / "1.reel.jsonl.gz").problems == []
    assert sorted(stored(reel)) == sorted([*wanted, *own])
    assert list(reel.verify()) == []
    assert reel.rebuild(check=True) == []
    again = reel.import_file(tmp_path / "1.reel.jsonl.gz")
    assert (again.events_new, again.events_known, again.problems) == (0, len(wanted), [])
    reel.export(tmp_path / "2.reel.jsonl.gz")
    with runreel.open(tmp_path / "back.db") as back:
        assert back.import_file(tmp_path / "2.reel.jsonl.gz").problems == []
        assert stored(back) == sorted([*wanted, *own], key=lambda row: (row[0].encode(), row[1]))
        assert list(back.verify()) == []
        assert back.usage(by="status") == reel.usage(by="status")


def test_a_recording_is_read_without_its_log(reel: Reel, tmp_path: Path) -> None:
    tell_everything(reel)
    path = tmp_path / "x.reel.jsonl.gz"
    reel.export(path)
    with runreel.read(path) as read:
        folder = read.db._folder
        assert read.url_shown == str(path)
        assert [run.run_id for run in read.runs()] == [run.run_id for run in reel.runs()]
        assert list(read.runs()) == list(reel.runs())
        for run in reel.runs():
            assert read.state(run.run_id) == reel.state(run.run_id)
            assert list(read.events(run.run_id)) == list(reel.events(run.run_id))
        assert read.usage() == reel.usage()
        assert list(read.verify()) == []
        for write in (
            lambda: read.recording("new").append(stories.partial("x")),
            read.rebuild,
            lambda: list(read.redact(None, "Done", reason="r", actor="a")),
            lambda: list(read.prune("2100-01-01", reason="r", actor="a")),
            read.release,
        ):
            with pytest.raises(
                runreel.RunreelError, match="is a recording, which can only be read"
            ):
                write()
        assert os.path.isdir(folder)  # noqa: PTH112
    assert not os.path.exists(folder)  # noqa: PTH110


def test_any_change_of_a_file_is_refused(tmp_path: Path, other: Reel) -> None:
    with runreel.open(tmp_path / "source.db") as reel:
        tell_everything(reel)
        path = tmp_path / "x.reel.jsonl"
        reel.export(path)
    whole = path.read_bytes()
    dice = random.Random(7)  # noqa: S311
    broken = tmp_path / "broken.reel.jsonl"
    for number in range(MUTATIONS):
        broken.write_bytes(mutated := mutate(whole, dice))
        assert mutated != whole
        with pytest.raises(runreel.BadRecording) as refused:
            other.import_file(broken)
        assert refused.value.line is not None, number
        assert str(broken) in str(refused.value)
    assert stored(other) == []


def mutate(data: bytes, dice: random.Random) -> bytes:
    """Change a byte, remove, repeat, move or exchange lines, or cut the end off."""
    rows = data.splitlines(keepends=True)
    one, two = dice.sample(range(len(rows)), 2)
    match dice.randrange(8):
        case 0 | 1 | 2:
            at = dice.randrange(len(data))
            byte = dice.choice([data[at] ^ (1 << dice.randrange(8)), dice.randrange(256)])
            changed = data[:at] + bytes([byte]) + data[at + 1 :]
        case 3:
            at = dice.randrange(len(data))
            changed = data[:at] + dice.choice([b"", b" ", b"\n", b"0"]) + data[at + 1 :]
        case 4:
            changed = data[: dice.randrange(len(data))]
        case 5:
            changed = b"".join(rows[:one] + rows[one + 1 :])
        case 6:
            rows[one], rows[two] = rows[two], rows[one]
            changed = b"".join(rows)
        case _:
            changed = b"".join([*rows[:one], rows[two], *rows[one:]])
    return changed if changed != data else mutate(data, dice)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not a recording"),
        (b"\n", "is not a recording"),
        (b"SQLite format 3\0more", "SQLite"),
        (b'{"format":"runreel-recording","version":2,"new":1}\n', "version 2"),
        (b'{"format":"runreel-recording","version":1}\n', "cut off after line 1"),
        (b'{"format":"runreel-recording","version":1}', "cut off in line 1"),
        (gzip.compress(b'{"format":"runreel-recording",'), "cut off in line 1"),
        (gzip.compress(b"x" * 999)[:-5], "damaged or ends too early"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.reel.jsonl"
    path.write_bytes(content)
    with pytest.raises(runreel.BadRecording, match=said):
        runreel.read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(runreel.UsageError, match="cannot read"):
        runreel.read(tmp_path / "x.reel.jsonl")


def test_a_shorter_run_is_extended(reel: Reel, other: Reel, tmp_path: Path) -> None:
    recording = reel.recording("run-1")
    recording.append(stories.partial("one, my secret"))
    reel.export(tmp_path / "1.reel.jsonl")
    recording.append(stories.partial("one, my secret, two"))
    recording.close()
    list(reel.redact(["run-1"], "secret", reason="r", actor="a"))
    reel.export(tmp_path / "2.reel.jsonl")
    assert other.import_file(tmp_path / "1.reel.jsonl").events_new == 2
    report = other.import_file(tmp_path / "2.reel.jsonl")
    assert (report.events_known, report.runs_new, report.runs_touched) == (2, 0, 1)
    assert report.events_new == len(stored(reel)) - 2
    assert stored(other) == stored(reel), "what was redacted since is erased here too"
    assert list(other.verify()) == []
    assert other.rebuild(check=True) == []
    shorter = other.import_file(tmp_path / "1.reel.jsonl")
    assert (shorter.events_new, shorter.events_known, shorter.problems) == (0, 2, [])


def test_other_rows_of_a_run_are_a_conflict(reel: Reel, other: Reel, tmp_path: Path) -> None:
    stories.tell_done(reel)
    stories.tell_failed(reel)
    for rows in range(3):
        with runreel.open(tmp_path / f"{rows}.db") as log:
            recording = log.recording("run-done")
            for n in range(1 + rows * 6):
                recording.append(stories.partial("x" * n))
            before = stored(log)
            reel.export(tmp_path / "x.reel.jsonl", force=True)
            report = log.import_file(tmp_path / "x.reel.jsonl")
            (problem,) = report.problems
            assert problem.run_id == "run-done"
            assert "other rows" in problem.message
            assert report.runs_new == 1
            assert [row for row in stored(log) if row[0] == "run-done"] == before
            assert list(log.verify()) == []


def test_a_pruned_run_does_not_come_back(reel: Reel, other: Reel, tmp_path: Path) -> None:
    stories.tell_done(reel)
    reel.export(tmp_path / "whole.reel.jsonl")
    other.import_file(tmp_path / "whole.reel.jsonl")
    _prune(reel, "run-done", keep_usage=False)
    report = reel.import_file(tmp_path / "whole.reel.jsonl")
    assert report.notices == ["1 run skipped: pruned earlier"]
    assert (report.events_new, report.problems, len(stored(reel))) == (0, [], 1)
    reel.export(tmp_path / "pruned.reel.jsonl")
    (problem,) = other.import_file(tmp_path / "pruned.reel.jsonl").problems
    assert "was pruned in the file" in problem.message
    assert list(other.verify()) == []


def test_a_masked_copy_says_so_and_is_no_part_of_the_original(
    reel: Reel, other: Reel, tmp_path: Path
) -> None:
    tell_everything(reel)
    reel.export(tmp_path / "masked.reel.jsonl", mask=["secrets", "weather|Moon"])
    with runreel.read(tmp_path / "masked.reel.jsonl") as read:
        assert list(read.verify()) == []
        assert read.rebuild(check=True) == []
        assert [run.run_id for run in read.runs()] == [run.run_id for run in reel.runs()]
        assert list(read.events("run-done"))[-1].type == "made_from"
        result = read.result("run-done")
        assert result.text == reel.result("run-done").text
    assert b"Moon" not in (tmp_path / "masked.reel.jsonl").read_bytes()
    report = reel.import_file(tmp_path / "masked.reel.jsonl")
    assert report.events_new == 0
    assert all("masked copy" in problem.message for problem in report.problems)
    assert len(report.problems) >= 6
    assert other.import_file(tmp_path / "masked.reel.jsonl").problems == []


def test_an_import_that_was_stopped_goes_on(
    reel: Reel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runreel.importing.recording_writer.ROWS", 1_000)
    with runreel.open(tmp_path / "source.db", durability="normal") as log:
        for number in range(3):
            with log.recording(f"run-{number}") as recording:
                for n in range(1_300):
                    recording.append(stories.partial("x" * n))
        path = tmp_path / "x.reel.jsonl.gz"
        log.export(path)
        wanted = stored(log)

    class Stopped(Exception):
        pass

    for calls in (1, 3):
        left = calls

        def stop(done: int, total: int) -> None:
            nonlocal left
            left -= done > total // 2
            if not left:
                raise Stopped

        with pytest.raises(Stopped):
            reel.import_file(path, progress=stop)
        assert list(reel.verify()) == []
        assert wanted[: len(stored(reel))] == stored(reel)
    assert 0 < len(stored(reel)) < len(wanted)
    report = reel.import_file(path)
    assert report.problems == []
    assert report.events_known > 0
    assert stored(reel) == wanted
    assert reel.rebuild(check=True) == []


def test_two_imports_at_once_store_each_row_once(reel: Reel, tmp_path: Path) -> None:
    with runreel.open(tmp_path / "source.db") as log:
        for number in range(40):
            stories.tell_done(log, f"run-{number:02}")
        log.export(tmp_path / "x.reel.jsonl")
        wanted = stored(log)
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(reel.import_file, [tmp_path / "x.reel.jsonl"] * 4))
    assert [report.problems for report in reports] == [[]] * 4
    assert stored(reel) == wanted
    assert reel.rebuild(check=True) == []
    assert list(reel.verify()) == []


def test_a_request_that_goes_on_from_another_run(reel: Reel, tmp_path: Path) -> None:
    secret = "sk-" + "a" * 20
    ask = {"role": "user", "content": f"My key is {secret}"}
    more = {"role": "user", "content": "And then?"}
    with reel.recording("run-1", source="openai-chat") as recording:
        recording.offer("context", {"model": "m", "messages": [ask]})
    (row,) = [row for row in stored(reel) if row[2] == "context"]
    extends = {"run_id": "run-1", "seq": row[1], "items": 1, "digest": row[-1].hex(), "depth": 1}
    with reel.recording("run-0", source="openai-chat") as recording:
        own = {"extends": extends}
        recording.offer("context", {"model": "m", "messages": [more], "$runreel": own})
    assert reel.request("run-0") == {"model": "m", "messages": [ask, more]}
    (notice,) = reel.export(tmp_path / "one.reel.jsonl", ["run-0"]).notices
    assert "it does not hold: run-1;" in notice
    assert reel.export(tmp_path / "two.reel.jsonl").notices == ()
    with runreel.read(tmp_path / "two.reel.jsonl") as read:
        assert read.request("run-0") == reel.request("run-0")
    assert reel.export(tmp_path / "m.reel.jsonl", ["run-0"], mask=["secrets"]).notices == (
        "1 passage masked",
    )
    assert secret[4:] not in (tmp_path / "m.reel.jsonl").read_text()
    with runreel.read(tmp_path / "m.reel.jsonl") as read:
        masked = {**ask, "content": "My key is " + PLACEHOLDER * len(secret)}
        assert read.request("run-0") == {"model": "m", "messages": [masked, more]}
        assert list(read.verify()) == []


def test_a_file_that_was_packed_again_is_the_same_recording(reel: Reel, tmp_path: Path) -> None:
    stories.tell_all(reel)
    reel.export(tmp_path / "x.reel.jsonl")
    data = (tmp_path / "x.reel.jsonl").read_bytes()
    for name, packed in (("gz", gzip.compress(data, 9)), ("xz", lzma.compress(data))):
        (tmp_path / f"{name}.reel.jsonl.gz").write_bytes(packed)
        with runreel.read(tmp_path / f"{name}.reel.jsonl.gz") as read:
            assert list(read.runs()) == list(reel.runs())


def test_flipped_bits_of_a_compressed_file_change_nothing_unseen(tmp_path: Path) -> None:
    with runreel.open(tmp_path / "source.db") as reel:
        stories.tell_done(reel)
        reel.export(tmp_path / "x.reel.jsonl.gz")
    whole = (tmp_path / "x.reel.jsonl.gz").read_bytes()
    content, dice = gzip.decompress(whole), random.Random(3)  # noqa: S311
    path = tmp_path / "y.reel.jsonl.gz"
    refused = 0
    for _ in range(100):
        at = dice.randrange(len(whole))
        path.write_bytes(
            whole[:at] + bytes([whole[at] ^ (1 << dice.randrange(8))]) + whole[at + 1 :]
        )
        if verify_file(path).findings:
            refused += 1
        else:
            # A bit of the wrapping, such as its time.
            assert gzip.decompress(path.read_bytes()) == content
    assert refused > 90


def test_a_forked_child_leaves_the_file_of_its_parent(tmp_path: Path) -> None:
    with runreel.open(tmp_path / "source.db") as log:
        stories.tell_done(log)
        log.export(tmp_path / "x.reel.jsonl")
    with runreel.read(tmp_path / "x.reel.jsonl") as read:
        assert len(list(read.runs())) == 1
        child = os.fork()
        if not child:
            code = 1
            with contextlib.suppress(BaseException):
                code = len(list(read.runs())) - 1
                read.close()
            os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert len(list(read.events("run-done"))) > 1
