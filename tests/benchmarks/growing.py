"""Logs of any size whose runs differ as real ones do, filled at once.

``python -m tests.benchmarks.growing PATH EVENTS`` fills one and keeps it.
"""

from __future__ import annotations

import itertools
import sys
import time
from datetime import datetime
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import runreel
from runreel.codec import json_text
from runreel.model.events import INTERRUPTED
from tests import traffic
from tests.benchmarks import filling, workload
from tests.search import corpus

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.api.reel import Reel
    from runreel.model.events import EventRow

# Rows of a run that are no pieces of its answer.
NOTES = 5
# Texts that are streamed in pieces as recorders store them; each run has one of these.
_TEXTS = 500
_WORDS = 400
# What is replaced in the payloads of a run: as long as what takes its place, where it is streamed.
_ID, _THREAD, _ASSISTANT = "fvt00000000000000000", "thread-0", "asst-0"
_CREATED, _ANSWERED = traffic.stamp(0), traffic.stamp(1)
_LATIN, _CYRILLIC = "@" * 8, "#" * 8
_USED = '"promptTokens":"12","completionTokens":"8","totalTokens":"20"'
_CONSONANTS, _VOWELS = ("bcdfghklmnprstvz", "бвгджзклмнпрстфх"), ("aeiouy", "аеиоуы")
_SYLLABLES = len(_CONSONANTS[0]) * len(_VOWELS[0])
# Has no factor in common with the number of such words, so no two numbers have the same word.
_STEP = 15_485_863
_RUNS_OF_THREAD = 20
_INTERRUPTED_ONE_IN = 1_000


def fill(reel: Reel, events: int) -> int:
    """Fill an empty log with runs of 40 pieces each, at least ``events``; returns their number."""
    rows = NOTES + workload.DELTAS
    runs = -(-events // rows)
    fill_runs(reel, runs)
    return runs * rows


def fill_runs(
    reel: Reel,
    runs: int,
    *,
    pieces: int = workload.DELTAS,
    characters: int = workload.CHARACTERS,
) -> None:
    """Fill an empty log with runs.

    Each has its own words, ``word(number, script)``, at the start of its answer.
    """
    made = [_drafted(number, pieces, characters) for number in range(_TEXTS)]
    filling.store(
        reel,
        itertools.chain.from_iterable(
            _run(number, runs, made[number % _TEXTS]) for number in range(runs)
        ),
    )
    reel.rebuild()


def word(number: int, script: int = 0) -> str:
    """The word that only this run says: Latin, or Cyrillic if ``script`` is 1."""
    left, syllables = number * _STEP % _SYLLABLES**4, []
    for _ in range(4):
        left, place = divmod(left, _SYLLABLES)
        first, second = divmod(place, len(_VOWELS[script]))
        syllables.append(_CONSONANTS[script][first] + _VOWELS[script][second])
    return "".join(syllables)


def _drafted(number: int, pieces: int, characters: int) -> list[EventRow]:
    said = corpus.text(Random(number), _WORDS)  # noqa: S311 - made up
    text = f"{_LATIN} {_CYRILLIC} {said}"[:characters]
    run = traffic.Run(_ID, assistant=_ASSISTANT, thread=_THREAD)
    answers = map(run.partial, workload.growing(text, pieces))
    lines = [run.pending(), *answers, run.done(text), run.completed(text)]
    data = [(line["type"], line["data"]) for line in lines]
    return filling.drafted(workload.RunData(_ID, data, text))


def _run(number: int, runs: int, drafted: Sequence[EventRow]) -> Iterator[EventRow]:
    """The rows of a run that says what is drafted, under names of its own."""
    dice = Random(number)  # noqa: S311 - made up
    run_id, began = workload.run_id(number), filling.began(number, runs)
    given, made = dice.randrange(20, 2_000), dice.randrange(10, 900)
    replaced = {
        _ID: run_id,
        _THREAD: f"thread-{number // _RUNS_OF_THREAD}",
        _ASSISTANT: f"asst-{dice.randrange(filling.ASSISTANTS)}",
        _CREATED: _stamp(began),
        _ANSWERED: _stamp(began + 2_000_000),
        _LATIN: word(number, 0),
        _CYRILLIC: word(number, 1),
        _USED: f'"promptTokens":"{given}","completionTokens":"{made}",'
        f'"totalTokens":"{given + made}"',
    }
    first, *middle, end = drafted
    labels = {"team": f"team-{dice.randrange(filling.TEAMS)}", "env": dice.choice(("prod", "test"))}
    opened = {
        **json_text.loads(first.payload or ""),
        "model": f"model-{dice.randrange(filling.MODELS)}",
        "labels": labels,
    }
    rows = [first._replace(payload=json_text.dumps(opened))]
    rows += (_with(row, replaced) for row in middle)
    is_cut = number % _INTERRUPTED_ONE_IN == 1
    rows.append(end._replace(type=INTERRUPTED) if is_cut else end)
    return filling.chained(run_id, began, rows)


def _with(row: EventRow, replaced: dict[str, str]) -> EventRow:
    # Of the pieces, only the first has a name in it.
    if row.keep and row.added:
        return row
    payload = row.payload or ""
    for old, new in replaced.items():
        payload = payload.replace(old, new)
    return row._replace(payload=payload)


def _stamp(micros: int) -> str:
    return f"{datetime.fromtimestamp(micros / 1e6, filling.NOW.tzinfo):%Y-%m-%dT%H:%M:%S.%f}000Z"


def make(path: Path, events: int) -> None:
    """Fill a log of a file, and index its texts."""
    begin = time.process_time()
    with runreel.open(path, durability="normal") as reel:
        reel.db.upgrade()
        for made in (f"{fill(reel, events):,} events", reel.build_search_index()):
            sys.stderr.write(f"  {made}: {time.process_time() - begin:,.0f} s of CPU\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
