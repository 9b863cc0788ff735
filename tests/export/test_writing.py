"""Exports: what is selected, and that a file is whole or not there."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from runreel.codec.stream_codec import PLACEHOLDER
from tests.cli import stories

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel

SECRET = "sk-abcdefghijklmnop"  # noqa: S105 - it opens nothing


def lines(path: Path) -> list[Any]:
    data = path.read_bytes()
    if path.name.endswith(".gz"):
        data = gzip.decompress(data)
    return [json.loads(line) for line in data.splitlines()]


def stored(reel: Reel) -> list[tuple[Any, ...]]:
    """Every column of every row, bytes as bytes."""
    with reel.db.reading() as connection:
        rows = connection.all("SELECT * FROM events ORDER BY run_id, seq")
    return [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in rows]


def test_a_recording_has_every_column_of_every_row(reel: Reel, tmp_path: Path) -> None:
    stories.tell_all(reel)
    path = tmp_path / "x.reel.jsonl"
    report = reel.export(path)
    manifest, *rows, last = lines(path)
    assert (manifest["format"], manifest["version"], manifest["rows"]) == (
        "runreel-recording",
        1,
        len(rows),
    )
    columns = list(runreel.tables.events.columns.keys())
    found = [
        tuple(
            bytes.fromhex(row[name])
            if name in ("salt", "redacted", "digest") and name in row
            else row.get(name)
            for name in columns
        )
        for row in rows
    ]
    with reel.db.reading() as connection:
        names = ", ".join(columns)
        kept = connection.all(f"SELECT {names} FROM events ORDER BY run_id, seq")
    assert found == [
        tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in kept
    ]
    assert (last["rows"], last["runs"], last["erased"]) == (len(rows), 4, 0)
    assert last["heads"] == {row["run_id"]: row["digest"] for row in rows}
    before = path.read_bytes().splitlines(keepends=True)[:-1]
    assert last["sha256"] == hashlib.sha256(b"".join(before)).hexdigest()
    assert (report.runs, report.rows, report.size) == (4, len(rows), path.stat().st_size)
    assert path.stat().st_mode & 0o777 == 0o600


def test_runs_and_filters_select(reel: Reel, tmp_path: Path) -> None:
    stories.tell_all(reel)
    reel.export(tmp_path / "two.reel.jsonl", ["run-plain", "run-done", "run-done"])
    assert list(lines(tmp_path / "two.reel.jsonl")[-1]["heads"]) == ["run-done", "run-plain"]
    reel.export(tmp_path / "bad.reel.jsonl", status="failed")
    assert list(lines(tmp_path / "bad.reel.jsonl")[-1]["heads"]) == ["run-failed"]
    with pytest.raises(runreel.RunNotFound):
        reel.export(tmp_path / "none.reel.jsonl", model="nothing")
    with pytest.raises(runreel.RunNotFound):
        reel.export(tmp_path / "none.reel.jsonl", ["run-done", "run"])
    with pytest.raises(runreel.UsageError, match="not both"):
        reel.export(tmp_path / "none.reel.jsonl", ["run-done"], status="failed")
    assert sorted(file.name for file in tmp_path.glob("*.reel*")) == [
        "bad.reel.jsonl",
        "two.reel.jsonl",
    ]


def test_an_existing_file_is_replaced_only_by_force(reel: Reel, tmp_path: Path) -> None:
    stories.tell_done(reel)
    path = tmp_path / "x.reel.jsonl.gz"
    path.write_text("mine")
    with pytest.raises(runreel.UsageError, match="already exists") as error:
        reel.export(path)
    assert "--force" in str(error.value.hint)
    assert path.read_text() == "mine"
    reel.export(path, force=True)
    assert lines(path)[-1]["runs"] == 1
    (tmp_path / "folder.reel.jsonl").mkdir()
    with pytest.raises(runreel.UsageError, match="is a folder"):
        reel.export(tmp_path / "folder.reel.jsonl", force=True)
    with pytest.raises(runreel.UsageError, match="cannot use"):
        reel.export(tmp_path / "missing" / "x.reel.jsonl")
    with pytest.raises(runreel.UsageError, match="which format"):
        reel.export(tmp_path / "x.txt")
    reel.export(tmp_path / "x.txt", format="reel")
    assert lines(tmp_path / "x.txt")[0]["format"] == "runreel-recording"


def test_an_export_never_replaces_its_own_log(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    (tmp_path / "link.reel.jsonl").symlink_to(path)
    with runreel.open(str(path)) as reel:
        stories.tell_done(reel)
        (tmp_path / "same.db").hardlink_to(path)
        for name in ("log.db", "log.db-wal", "link.reel.jsonl", "same.db"):
            with pytest.raises(runreel.UsageError, match="is the log itself"):
                reel.export(tmp_path / name, format="reel", force=True)
        assert len(list(reel.runs())) == 1


def test_masks_that_mask_nothing_are_said(reel: Reel, tmp_path: Path) -> None:
    stories.tell_done(reel)
    with pytest.raises(runreel.UsageError, match="mask pattern is empty"):
        reel.export(tmp_path / "x.reel.jsonl", mask=["secrets", ""])
    report = reel.export(tmp_path / "x.reel.jsonl", mask=["no such words"])
    assert report.notices == ("no passage masked",)
    words = reel.export(tmp_path / "y.reel.jsonl", mask=["second line"])
    (notice,) = words.notices
    assert re.fullmatch(r"[1-9]\d* passages? masked", notice)
    with reel.recording("run-2", source="plain") as recording:
        recording.append(stories.partial("a" * 50_000 + "!"))
    with pytest.raises(runreel.UsageError, match="exceeded the limit") as error:
        reel.export(tmp_path / "z.reel.jsonl", ["run-2"], mask=["(a|aa)+b"])
    assert "Nothing was written" in str(error.value.hint)
    assert "--seq" not in str(error.value.hint)
    assert not (tmp_path / "z.reel.jsonl").exists()


def test_a_damaged_log_is_not_exported(reel: Reel, tmp_path: Path) -> None:
    stories.tell_all(reel)
    with reel.db.writing() as connection:
        if connection.driver.backend == "sqlite":
            connection.execute("DROP TRIGGER events_guard_update")
        else:
            connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute("UPDATE events SET elapsed = 7 WHERE run_id = 'run-failed' AND seq = 2")
    with pytest.raises(runreel.LogError, match="row 2 of run run-failed is damaged"):
        reel.export(tmp_path / "x.reel.jsonl")
    assert list(tmp_path.glob("*.reel.jsonl")) == list(tmp_path.glob(".runreel*")) == []
    reel.export(tmp_path / "x.reel.jsonl", ["run-done"])


def test_a_masked_copy_is_another_recording(reel: Reel, tmp_path: Path) -> None:
    with reel.recording("run-1", labels={"note": SECRET}) as recording:
        recording.append(stories.partial(f"The key is {SECRET[:5]}"))
        recording.append(stories.partial(f"The key is {SECRET[:9]}"))
        recording.append(stories.partial(f"The key is {SECRET}, keep it"))
    path = tmp_path / "x.reel.jsonl"
    reel.export(path, mask=["secrets"])
    assert SECRET[:5] not in path.read_text()
    assert SECRET[5:9] not in path.read_text()
    manifest, *rows, last = lines(path)
    assert manifest["masked"] == ["secrets"]
    assert (rows[-1]["kind"], rows[-1]["type"]) == ("note", "made_from")
    note = json.loads(rows[-1]["payload"])
    original = stored(reel)
    assert note["seq"] == len(original) - 1
    assert note["digest"] == original[-1][-1].hex()
    assert note["masked"] >= 3
    assert not {row["digest"] for row in rows} & {row[-1].hex() for row in original}
    assert not {row["salt"] for row in rows} & {row[-3].hex() for row in original}
    assert [row["seq"] for row in rows] == list(range(len(original) + 1))
    assert PLACEHOLDER * 3 in path.read_text()
    assert last["runs"] == 1
