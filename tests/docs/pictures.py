"""The picture of a terminal: what the real commands print of runs with fixed ids and times."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from runreel.model.events import RUN, STREAM_EVENT
from runreel.recording.recorder import Recorder
from runreel.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Iterator

WIDTH = 88
COMMANDS = (
    "runreel show answer-1042",
    "runreel replay answer-1042 --speed 2",
    "runreel usage --by day --by model",
)
ANSWER = (
    "Every event of a run is one row, written before your program sees it. "
    "The rows are never rewritten. So this answer can be shown as it was at any moment, "
    "replayed with its timing, and counted."
)
_IDENTITY = {"assistant_id": "helper", "thread_id": "thread-77", "labels": {"app": "help"}}
_START = datetime(2025, 11, 5, 9, 30, tzinfo=UTC)
_WORD = timedelta(milliseconds=40)
# Viewers of the picture may not be able to fetch fonts.
FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_TEXT = re.compile(r"<text[^>]*>(.*?)</text>", re.DOTALL)


def render() -> str:
    """The picture, as SVG."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.db"
        _record(path)
        screen = Console(
            record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False
        )
        for count, command in enumerate(COMMANDS):
            screen.print(Text.assemble("\n" if count else "", ("$ ", "green"), (command, "bold")))
            screen.print(Text.from_ansi(_printed(path, command).rstrip()))
    return FONT_FACE.sub("", screen.export_svg(title="runreel", unique_id="runreel"))


def words(svg: str) -> list[str]:
    """The words of a picture, without its layout."""
    return unescape(" ".join(_TEXT.findall(svg))).split()


def _printed(path: Path, command: str) -> str:
    environment = {
        **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
        "RUNREEL_DB": str(path),
        "FORCE_COLOR": "1",
        "COLUMNS": str(WIDTH),
        "TZ": "UTC",
        "PYTHONUTF8": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "runreel", *command.split()[1:]],
        env=environment,
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    return done.stdout


def _record(path: Path) -> None:
    database = Database(str(path))
    try:
        for day, name, model, tokens in (
            (-2, "answer-1039", "small-1", (912, 340)),
            (-1, "answer-1040", "large-1", (1_204, 655)),
            (0, "answer-1041", "small-1", None),
            (0, "answer-1042", "large-1", (1_377, 43)),
        ):
            clock = _Clock(_START + timedelta(days=day, minutes=int(name[-2:]) % 10))
            recorder = Recorder(
                database,
                name,
                source="plain",
                via="program",
                identity={**_IDENTITY, "model": model},
                clock=clock,
                timer=clock,
            )
            for pause, kind, value in _script(tokens):
                clock.now += pause
                recorder.append(kind, value)
            recorder.close()
    finally:
        database.close()


def _script(tokens: tuple[int, int] | None) -> Iterator[tuple[timedelta, str, dict[str, Any]]]:
    yield timedelta(), RUN, {"type": "PENDING"}
    parts = ANSWER.split(" ")
    for count in range(1, len(parts) + 1):
        pause = _WORD if count > 1 else timedelta(milliseconds=412)
        text = " ".join(parts[:count])
        yield pause, STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": text}
    if tokens is None:
        yield _WORD, STREAM_EVENT, {"type": "ERROR", "error": "the model was overloaded"}
        return
    yield _WORD, STREAM_EVENT, {"type": "DONE", "text": ANSWER}
    usage = {"input_text_tokens": tokens[0], "completion_tokens": tokens[1]}
    yield _WORD, RUN, {"type": "COMPLETED", "text": ANSWER, "usage": usage}


class _Clock:
    """Nanoseconds since the epoch, as long as it likes."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> int:
        return (self.now - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000
