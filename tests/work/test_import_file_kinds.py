"""Files of other kinds: compressed ones are read, what holds no traffic is reported once."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sys
from importlib import import_module

import pytest

import runreel
from runreel.importing.import_files import import_files
from tests import logs, traffic

# Part of the standard library from 3.14 on.
zstd = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
LINES = traffic.thread_of(3)
TEXT = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in LINES).encode()
GOOD = traffic.streamed("good", thread="thread-good")
COMPRESSORS = {
    "gz": gzip.compress,
    "zst": zstd.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}
OTHERS = {
    "UTF-16 with a byte order mark": (TEXT.decode().encode("utf-16"), "UTF-16"),
    "UTF-16, little-endian": (TEXT.decode().encode("utf-16-le"), "UTF-16"),
    "UTF-16, big-endian": (TEXT.decode().encode("utf-16-be"), "UTF-16"),
    "a JSON array": (json.dumps(LINES).encode(), "JSON array"),
    "a JSON array, pretty-printed": (json.dumps(LINES, indent=2).encode(), "JSON array"),
    "a JSON array of lines": (b"[" + TEXT.strip().replace(b"\n", b",\n") + b"]", "JSON array"),
    "a JSON array after blank lines": (b"\n\n [\n{}]", "JSON array"),
    "one object, pretty-printed": (json.dumps(LINES[0], indent=4).encode(), "pretty-printed"),
    "objects, pretty-printed": (
        b"".join(json.dumps(line, indent="\t").encode() + b"\r\n" for line in LINES),
        "pretty-printed",
    ),
    "binary": (bytes(range(256)) * 400, "binary"),
    "a SQLite database": (b"SQLite format 3\0" + bytes(8000), "SQLite database"),
    "a zip archive": (b"PK\x03\x04" + bytes(200), "zip archive"),
}


@pytest.fixture
def log(tmp_path):
    """A log of the embedded database: the kind of a file does not depend on where it would go."""
    with runreel.open(tmp_path / "log.db") as reel:
        yield reel
        logs.verify(reel)


@pytest.mark.parametrize("compressor", COMPRESSORS)
@pytest.mark.parametrize("name", ["traffic.jsonl", "traffic.jsonl.gz", "traffic.zst"])
def test_a_compressed_file_is_imported_like_its_content(log, tmp_path, compressor, name):
    (tmp_path / name).write_bytes(COMPRESSORS[compressor](TEXT))
    report = import_files(log.db, [str(tmp_path / name)])

    assert (report.runs_new, report.problems, report.notices) == (3, [], [])
    for n in range(3):
        of_run = [line["data"] for line in traffic.thread_of(3)]
        of_run = [data for data in of_run if f"number {n}" in str(data)]
        assert [raw for raw in logs.said(log, f"run-{n}") if f"number {n}" in str(raw)] == of_run
    assert import_files(log.db, [traffic.write(tmp_path / "plain", LINES)]).events_new == 0


@pytest.mark.parametrize("compressor", COMPRESSORS)
def test_compressed_standard_input_is_decompressed(log, compressor, monkeypatch):
    import io

    data = io.BytesIO(COMPRESSORS[compressor](TEXT))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(data))
    assert import_files(log.db, ["-"]).runs_new == 3


def test_a_bad_line_of_a_compressed_file_has_the_number_that_it_has_decompressed(log, tmp_path):
    path = tmp_path / "f.gz"
    path.write_bytes(gzip.compress(TEXT + b"\n{\n"))
    report = import_files(log.db, [str(path)])
    assert [(p.file, p.line) for p in report.problems] == [(str(path), len(LINES) + 2)]


@pytest.mark.parametrize("compressor", COMPRESSORS)
@pytest.mark.parametrize("damage", ["cut", "changed", "followed"])
def test_damaged_compressed_data_is_one_problem_and_other_files_go_in(
    log, tmp_path, compressor, damage
):
    data = COMPRESSORS[compressor](TEXT * 3)
    changed = data[:40] + bytes(byte ^ 0x55 for byte in data[40:]) + b"\1"
    damaged = {"cut": data[:-9], "changed": changed, "followed": data + data[:20]}[damage]
    (tmp_path / "f").write_bytes(damaged)
    report = import_files(log.db, [str(tmp_path / "f"), traffic.write(tmp_path / "g", GOOD)])

    (problem,) = report.problems
    assert (problem.file, problem.line, problem.run_id) == (str(tmp_path / "f"), 1, None)
    assert "data is damaged or ends too early" in problem.message
    assert logs.run_ids(log) == ["good"]


def test_zstd_without_a_library_names_the_extra(log, tmp_path, monkeypatch):
    for module in ("compression", "compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "f.zst").write_bytes(zstd.compress(TEXT))
    (problem,) = import_files(log.db, [str(tmp_path / "f.zst")]).problems
    assert "backports.zstd (the extra `zstd`)" in problem.message


@pytest.mark.parametrize("kind", OTHERS)
@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_a_file_of_another_kind_is_one_problem_and_other_files_go_in(log, tmp_path, kind, compress):
    data, reason = OTHERS[kind]
    (tmp_path / "f").write_bytes(compress(data))
    report = import_files(log.db, [str(tmp_path / "f"), traffic.write(tmp_path / "g", GOOD)])

    (problem,) = report.problems
    assert (problem.file, problem.line, problem.run_id) == (str(tmp_path / "f"), 1, None)
    assert reason in problem.message
    assert logs.run_ids(log) == ["good"]
    assert logs.said(log, "good") == [line["data"] for line in GOOD]


@pytest.mark.parametrize(
    "first", ["{", '{\n"text', "[1]", "[{}]", "[", "\0\0\0\0", "null", "x" * 70_000]
)
def test_a_first_line_that_is_bad_does_not_make_a_file_of_another_kind(log, tmp_path, first):
    good = traffic.streamed("second", thread="thread-2")
    report = import_files(log.db, [traffic.write(tmp_path / "f", [first, *GOOD, *good])])

    assert {(p.line, p.run_id) for p in report.problems} >= {(1, None), (1, "good")}
    assert {p.line for p in report.problems} == set(range(1, first.count("\n") + 2))
    assert logs.said(log, "second") == [line["data"] for line in good]


def test_a_byte_order_mark_is_of_no_line(log, tmp_path):
    (tmp_path / "f").write_bytes(b"\xef\xbb\xbf" + TEXT)
    report = import_files(log.db, [str(tmp_path / "f")])
    assert (report.runs_new, report.problems) == (3, [])
    assert {run.model for run in log.runs()} == {traffic.MODEL}, "contexts are read where they are"


@pytest.mark.parametrize(
    ("lines", "notice"),
    [
        ([], "f holds no event of a run"),
        (["", ": a comment", "data: [DONE]"], "f holds no event of a run"),
        ([traffic.assistant(), traffic.question("Hi?")], "f holds no event of a run"),
    ],
)
def test_a_file_without_events_is_reported_as_such(log, tmp_path, lines, notice):
    report = import_files(log.db, [traffic.write(tmp_path / "f", lines)])
    assert notice in report.notices[-1]
    assert report.problems == []


def test_many_files_without_events_are_one_notice(log, tmp_path):
    paths = [traffic.write(tmp_path / f"{n}.jsonl", []) for n in range(9)]
    report = import_files(log.db, [traffic.write(tmp_path / "good.jsonl", GOOD), *paths])
    (notice,) = report.notices
    assert notice == f"{', '.join(paths[:3])}, … hold no event of a run: nothing to import"
