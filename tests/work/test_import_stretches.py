"""Lines that only continue a text are read once, and are stored as if each was read again."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from runreel.importing import text_stretches
from runreel.importing.import_files import import_files
from runreel.importing.text_stretches import TextStretches
from runreel.projection import key_frames
from runreel.sources.line_cursor import LineCursor
from tests import logs, traffic
from tests.work.imported import Imported, difference, stored
from tests.work.mixed_files import MixedFile

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ["слово", "word", "\N{GRINNING FACE}", "\u2028", '"', "\\", "\x7f", "a\u0301"]


def growing(run: traffic.Run, count: int, seed: int = 0) -> list[traffic.Line]:
    """Partial messages of a text that grows, and begins again now and then."""
    chosen = random.Random(seed)  # noqa: S311 - it only mixes
    text, lines = "", []
    for _ in range(count):
        text = text + chosen.choice(WORDS) if chosen.random() < 0.97 else "again"
        lines.append(run.partial(text))
    return lines


def line_by_line(monkeypatch: pytest.MonkeyPatch, folder: Path, *paths: str) -> Imported:
    """What an import stores when no stretch is used."""
    with monkeypatch.context() as patch:
        patch.setattr(TextStretches, "next_at", lambda *_: None)
        (folder / "lines").mkdir(parents=True)
        return stored(folder / "lines", *paths)


def test_a_line_that_continues_a_text_is_parsed_once(reel, tmp_path, monkeypatch):
    run = traffic.Run()
    lines = [run.pending(), *map(run.partial, ("a" * n for n in range(1, 1_001)))]
    parsed = []
    cumulative = LineCursor.cumulative
    monkeypatch.setattr(
        LineCursor, "cumulative", lambda *args: parsed.append(1) or cumulative(*args)
    )
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])

    assert (report.events_new, report.lines, report.problems) == (1_001, 1_001, [])
    assert len(parsed) == 1_001 + 2
    assert logs.said(reel, "run-1") == [line["data"] for line in lines]


@pytest.mark.parametrize("limit", [1, 3, 250])
def test_stretches_of_any_length_are_stored_as_line_by_line(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(text_stretches, "_LINES", limit)
    monkeypatch.setattr(text_stretches, "_IN_MEMORY", 1_000)
    monkeypatch.setattr(key_frames, "ROWS", 40)
    runs = [traffic.Run(f"run-{n}", thread=f"thread-{n}") for n in range(4)]
    lines = [line for run in runs for line in (run.pending(), *growing(run, 150, len(run.id)))]
    # They go on among each other, in a second file and without their ids.
    more = [line for run in runs for line in growing(run, 30)]
    nameless = [{"type": "stream_event", "data": line["data"]} for line in growing(runs[-1], 40, 7)]
    paths = [
        traffic.write(tmp_path / "1.jsonl", lines),
        traffic.write(tmp_path / "2.jsonl", [*more, *nameless, runs[-1].done("x")]),
    ]
    found = stored(tmp_path, *paths)

    assert found.report.problems == []
    assert difference(found, line_by_line(monkeypatch, tmp_path, *paths)) is None


@pytest.mark.parametrize("seed", range(6))
def test_mixed_files_are_stored_as_line_by_line(tmp_path, monkeypatch, seed):
    raws = [line.raw for line in MixedFile(seed).lines]
    text = traffic.Run(f"{seed}-text")
    grown = growing(text, 30, seed)
    cut = random.Random(seed).randrange(len(raws) + 1)  # noqa: S311 - it only mixes
    bad = ["{"] if seed % 3 == 0 else []
    path = traffic.write(
        tmp_path / "f.jsonl", [*raws[:cut], *grown[:20], *bad, *grown[20:], *raws[cut:]]
    )
    found = stored(tmp_path, path)

    assert difference(found, line_by_line(monkeypatch, tmp_path, path)) is None


def test_an_import_needs_no_space_for_temporary_files(reel, tmp_path, monkeypatch):
    class FullDisk:
        def write(self, _: bytes) -> int:
            raise OSError(28, "No space left on device")

        def seek(self, _: int) -> None: ...

        def close(self) -> None: ...

    monkeypatch.setattr("tempfile.SpooledTemporaryFile", lambda *_: FullDisk())
    run = traffic.Run()
    lines = [run.pending(), *growing(run, 50)]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])

    assert (report.events_new, report.problems) == (51, [])
    assert logs.said(reel, "run-1") == [line["data"] for line in lines]
