"""Recording files are read in blocks of lines, which changes nothing but the time."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from runreel.importing import recording_blocks, recording_import, recording_reader
from runreel.importing.import_files import import_files
from runreel.model.errors import BadRecording
from tests import logs, traffic

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel

RUNS = [f"run-{n:02d}" for n in range(12)]
SIZES = (1, 300, 1 << 18)


@pytest.fixture
def file(reel: Reel, tmp_path: Path) -> Path:
    """A recording of runs with texts of every width."""
    lines = [line for run_id in RUNS for line in traffic.streamed(run_id, "Ünï \U0001f600 \n text")]
    import_files(reel.db, [traffic.write(tmp_path / "lines.jsonl", lines)])
    reel.export(tmp_path / "all.reel.jsonl")
    return tmp_path / "all.reel.jsonl"


def read(data: bytes, size: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, ...]:
    """What a file holds, or what is wrong with it and where."""
    monkeypatch.setattr(recording_blocks, "_BLOCK", size)
    reader = None
    try:
        reader = recording_reader.RecordingReader(io.BytesIO(data), "file")
        rows = [(reader.line, row) for row in reader.rows()]
    except BadRecording as error:
        return str(error), error.line, None if reader is None else reader.line
    return rows, reader.trailer, reader.heads, reader.erased


@pytest.mark.parametrize("size", SIZES)
def test_blocks_are_the_lines_of_a_file(file: Path, monkeypatch, size: int) -> None:
    monkeypatch.setattr(recording_blocks, "_BLOCK", size)
    data = file.read_bytes()
    found = list(recording_blocks.blocks(io.BytesIO(data), 1 << 20))
    assert b"".join(lines + rest for lines, rest in found) == data
    assert all(lines.endswith(b"\n") or not lines for lines, _ in found)
    assert [rest for _, rest in found if rest] == [data.splitlines(keepends=True)[-1]]
    cut = data[:-10]
    *_, (_, rest) = recording_blocks.blocks(io.BytesIO(cut), 1 << 20)
    assert rest == data.splitlines(keepends=True)[-1][:-10]
    long = list(recording_blocks.blocks(io.BytesIO(b"x" * 900_000 + b"\n"), 400_000))
    assert max(len(lines + rest) for lines, rest in long) <= 400_000 + size


def test_what_is_wrong_is_named_alike_whatever_the_size_of_blocks(file: Path, monkeypatch) -> None:
    data = file.read_bytes()
    lines = data.splitlines(keepends=True)
    drawn = random.Random(5)  # noqa: S311 - no secret
    wrong = [data, data[:-1], data[: len(data) // 2], b"".join(lines[:-1]), data + b"\n"]
    wrong += [data + lines[3], b"".join([*lines[:4], *lines[5:]]), b"".join([*lines[:4], b"\n"])]
    wrong += [b"".join([lines[0], *lines[20:40], *lines[1:20], *lines[40:]]), b"".join(lines[:1])]
    for _ in range(150):
        at = drawn.randrange(len(data))
        wrong.append(data[:at] + bytes([data[at] ^ drawn.choice((1, 2, 32))]) + data[at + 1 :])
    good = 0
    for changed in wrong:
        first, *others = (read(changed, size, monkeypatch) for size in SIZES)
        assert others == [first, first]
        good += not isinstance(first[0], str)
    assert good == 1, "the file as it was"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("change", ["a time", "less", "more"])
def test_a_file_that_changes_between_its_readings_is_refused(
    file: Path, reel: Reel, monkeypatch, size: int, change: str
) -> None:
    monkeypatch.setattr(recording_blocks, "_BLOCK", size)
    data = file.read_bytes()
    place = data.index(b'"at":1', data.index(b'"run_id":"run-05"'))
    changed = {
        "a time": data[:place] + b'"at":2' + data[place + 6 :],
        "less": data[: data.rindex(b'{"run_id"')] + data.splitlines(keepends=True)[-1],
        "more": data + b"{}\n",
    }[change]
    rows, other = len(logs.rows(reel)), file.with_name("other.reel.jsonl")
    check = recording_import.check

    def check_and_change(*asked: Any, **options: Any) -> Any:
        found = check(*asked, **options)
        other.write_bytes(changed)
        return found

    other.write_bytes(data)
    monkeypatch.setattr(recording_import, "check", check_and_change)
    with runreel.open(file.with_name("target.db")) as opened:
        with pytest.raises(BadRecording, match="was changed while the file was read"):
            import_files(opened.db, [str(other)])
        found = [(row.run_id, row.at) for row in logs.rows(opened)]
    assert len(found) < rows
    assert not [at for run_id, at in found if run_id == "run-05" and str(at).startswith("2")]
