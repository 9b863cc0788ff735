"""Generated runs of the Assistants service, live and as files."""

from __future__ import annotations

import json
import random
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.recording.recorder import Recorder
from tests import traffic

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runreel.api.reel import Reel

SOURCE = "yandex-assistants"
DELTAS = 40
CHARACTERS = 2_000
_WORDS = ["ответ", "на", "вопрос", "модель", "считает", "что", "событие", "the", "answer", "stream"]


class RunData(NamedTuple):
    """A run from its service: kinds and JSON values in order, and its whole text."""

    run_id: str
    events: list[tuple[str, Any]]
    text: str


def run_id(number: int) -> str:
    """Ids like the service's, in no order of time."""
    return f"fvt{random.Random(number).getrandbits(68):017x}"  # noqa: S311 - made up


def fresh_id() -> str:
    """An unused id."""
    return f"fvt{uuid.uuid4().hex[:17]}"


def text_of(number: int, characters: int = CHARACTERS) -> str:
    """An answer, two thirds of it Cyrillic."""
    chosen = random.Random(number).choices(_WORDS, k=characters // 2)  # noqa: S311 - made up
    return " ".join(chosen)[:characters]


def growing(text: str, pieces: int = DELTAS) -> list[str]:
    """What an answer is after each of its pieces."""
    return [text[: len(text) * n // pieces] for n in range(1, pieces + 1)]


def partials(number: int, count: int) -> list[Any]:
    """The events of answers that grow in 40 pieces each, all in one run."""
    run = traffic.Run(run_id(number))
    texts = [growing(text_of(number + n)) for n in range(count // DELTAS + 1)]
    parts = [part for text in texts for part in text][:count]
    return [run.partial(part)["data"] for part in parts]


def run_data(number: int, characters: int = CHARACTERS) -> RunData:
    """A whole run: its answer in 40 pieces, done, and what it cost."""
    text = text_of(number, characters)
    run = traffic.Run(run_id(number), assistant=f"asst-{number % 7}")
    lines = [run.pending(), *map(run.partial, growing(text)), run.done(text), run.completed(text)]
    return RunData(run.id, [(line["type"], line["data"]) for line in lines], text)


def recorder(reel: Reel, name: str, source: str = SOURCE) -> Recorder:
    """A recorder like those of live streams."""
    return Recorder(reel.db, name, source=source, via="benchmark")


def write(path: Path, runs: Iterable[RunData]) -> int:
    """Runs as a file of recorded traffic; how many lines it has."""
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for run in runs:
            for kind, value in run.events:
                line = {"type": kind, "data": value, "request": {"runId": run.run_id}}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                count += 1
    return count
