"""Disks that are full once a file has grown to a size: what programs and commands make of them.

A limit of the process stands for the disk, so these functions are for processes of their own.
"""

from __future__ import annotations

import contextlib
import io
import logging
import resource
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import runreel
from runreel import RunResult, RunStatus, Usage
from runreel.cli.main import main
from runreel.model.errors import LogError, RecordingError, RunreelError, UsageError
from runreel.store.drivers.sqlite import connecting
from tests.cli.stories import partial, tell_all, tell_done
from tests.traffic import thread_of, write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from runreel.model.events import StoredEvent
    from runreel.recording.session import Recording

# In steps that meet the making of the tables, the write-ahead log and the file itself.
STEP = 12_345
MORE = 50


@contextlib.contextmanager
def room(size: int) -> Iterator[None]:
    """No file grows beyond ``size`` bytes: Python ignores the signal, so that writes fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fill(folder: str, number: int) -> str:
    """Record until the disk is full, and go on once it is not; what was full first.

    Every other time the write-ahead log moves into the file every few commits, and the same
    program goes on.
    """
    logging.disable()
    path = Path(folder) / "log.db"
    pages = 24 if number % 2 else connecting.WAL_CHECKPOINT_PAGES
    often = mock.patch.object(connecting, "WAL_CHECKPOINT_PAGES", pages)
    with often, runreel.open(path) as reel:
        with room(number * STEP):
            recording, told, error = _until_full(reel)
            if recording is not None:
                _is_exactly(path, told)
        if recording is not None and number % 2:
            _go_on(recording, len(told))
        else:
            reel.close()
            with runreel.open(path) as later:
                _go_on(later.recording("run-1"), len(told))
    _is_intact(path, len(told) + MORE)
    what = "making it" if recording is None else "recording"
    return f"{what}: {_kind(error)}"


def _until_full(reel: Reel) -> tuple[Recording | None, list[StoredEvent], RunreelError]:
    told: list[StoredEvent] = []
    recording = None
    try:
        recording = reel.recording("run-1")
        while True:
            told.append(_append(recording, len(told)))
    except LogError as error:
        return recording, told, error
    except RecordingError as error:
        assert isinstance(error.__cause__, LogError)
        return recording, told, error


def _append(recording: Recording, n: int) -> StoredEvent:
    if n % 4:
        stored = recording.append(partial(_text(n)))
    else:
        stored = recording.result(RunResult(RunStatus.IN_PROGRESS, usage=Usage(n, 2 * n, n)))
    assert stored is not None
    return stored


def _text(n: int) -> str:
    return f"{n}: " + "word " * (20 * (n % 50))


def _is_exactly(path: Path, told: list[StoredEvent]) -> None:
    """Others read what was told, and nothing else, while the disk is full."""
    with runreel.open(path) as reel:
        kept = [event for event in reel.events("run-1") if event.kind != "note"] if told else []
    assert kept == told, (len(kept), len(told))


def _go_on(recording: Recording, done: int) -> None:
    for n in range(done, done + MORE):
        _append(recording, n)
    recording.close()


def _is_intact(path: Path, events: int) -> None:
    with runreel.open(path) as reel:
        kept = [event for event in reel.events("run-1") if event.kind != "note"]
        texts = [event.text for event in kept if event.event]
        usages = [event.raw["usage"]["input_text_tokens"] for event in kept if not event.event]
        assert texts == [_text(n) for n in range(events) if n % 4]
        assert usages == [n for n in range(events) if not n % 4]
        assert reel.run("run-1").recording == "closed"
        assert list(reel.verify()) == []


def _kind(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error, RecordingError) else error
    return type(cause).__name__


# Each with the files that it makes.
COMMANDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("record", "--run", "run-1", "--input", "{}/run.jsonl"), ()),
    (("import", "{}/traffic.jsonl"), ()),
    (("rebuild",), ()),
    (("redact", "--all-runs", "--match", "Moon", "--reason", "r", "--yes", "--purge"), ()),
    (("prune", "--older-than", "2100-01-01", "--yes", "--purge"), ()),
    (("demo", "--fast"), ()),
    (("keygen", "{}/new.key"), ("new.key", "new.key.pub")),
    (("checkpoint", "--key", "{}/audit.key", "--out", "{}/one.txt"), ("one.txt",)),
    (("backup", "{}/backup.db"), ("backup.db",)),
    (("export", "--out", "{}/log.reel.jsonl.gz"), ("log.reel.jsonl.gz",)),
    (("export", "--out", "{}/log.parquet"), ("log.parquet",)),
    (("export", "--table", "events", "--out", "{}/log.csv"), ("log.csv",)),
    (("export", "--out", "{}/log.otlp.json"), ("log.otlp.json",)),
    (("export", "run-done", "--out", "{}/run.cast"), ("run.cast",)),
    (("export", "--out", "{}/log.md"), ("log.md",)),
    (("export", "--out", "{}/log.html"), ("log.html",)),
    (("import", "{}/other.reel.jsonl"), ()),
    (("show", "{}/other.reel.jsonl"), ()),
)


def command(folder: str, number: int, which: int) -> str:
    """Run a command while the disk is full, and again when it is not; how it ended first.

    Whatever it makes is whole or not there, and the log is intact both times.
    """
    place = Path(folder)
    arguments, files = COMMANDS[which]
    call = ("--db", f"{folder}/log.db", *(argument.format(folder) for argument in arguments))
    _make_log(place)
    with room(number * number * STEP // 12):
        code, shown = _called(*call)
    # A file that the user names is not the database.
    assert code in (0, 2 if files else 3, 3), (code, shown)
    assert "Traceback" not in shown, shown
    assert (code == 0) == ("Error: " not in shown), (code, shown)
    assert [(place / file).exists() for file in files] == [code == 0] * len(files), shown
    with runreel.open(place / "log.db") as reel:
        assert list(reel.verify()) == []
    if code:
        assert _called(*call)[0] == 0
    if arguments[0] == "record":
        with runreel.open(place / "log.db") as reel:
            kept = [event.text for event in reel.events("run-1", type="PARTIAL_MESSAGE")]
            assert kept == [_text(n) for n in range(MORE)]
    assert _called("--db", f"{folder}/log.db", "verify")[0] == 0
    return f"{arguments[0]}: {code}"


def _make_log(folder: Path) -> None:
    with runreel.open(folder / "log.db") as reel:
        tell_all(reel)
    lines = [{"type": "PARTIAL_MESSAGE", "text": _text(n)} for n in range(MORE)]
    write(folder / "run.jsonl", [*lines, {"type": "DONE", "text": _text(MORE - 1)}])
    write(folder / "traffic.jsonl", thread_of(5))
    assert _called("keygen", f"{folder}/audit.key")[0] == 0
    with runreel.open(folder / "other.db") as reel:
        tell_done(reel, "run-other")
        reel.export(folder / "other.reel.jsonl")


def _called(*arguments: str) -> tuple[int, str]:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
        code = main(arguments)
    return code, shown.getvalue()


def tables(folder: str) -> None:
    """Export tables with room for all but a few bytes of a file: each fails, and leaves nothing."""
    place, missing = Path(folder), (1, 2, 9, 100, 1000)
    with runreel.open(place / "log.db") as reel:
        tell_all(reel)
        reel.export(place / "whole.parquet")
        largest = max(file.stat().st_size for file in (place / "whole.parquet").iterdir())
        failed = []
        for number in missing:
            try:
                with room(largest - number):
                    reel.export(place / "cut.parquet")
            except UsageError as error:
                assert "File too large" in str(error)
                failed.append(number)
            assert [file.name for file in place.glob("*.parquet")] == ["whole.parquet"]
            assert not list(place.glob(".runreel*"))
    assert failed == [*missing]
