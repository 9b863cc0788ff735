"""Searches over runs that speak Russian and English: without and with the index, and by hand.

Run it alone: ``python -m tests.benchmarks.searching [RUNS [PHRASES]]``.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import runreel
from runreel.projection.text_reader import TextReader
from runreel.store.events import event_log
from tests.search import corpus

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runreel.api.reel import Reel

_PARTS = ("answer", "tools", "error")


def texts(reel: Reel, run_ids: Sequence[str]) -> list[tuple[str, str, str]]:
    """The texts of all runs, read from the log."""
    with reel.db.reading() as connection:
        return [
            (run_id, text.part, text.text)
            for run_id in run_ids
            for text in TextReader(run_id, event_log.read(connection, run_id)).texts(_PARTS)
        ]


def scan(reel: Reel, run_ids: Sequence[str], phrase: str) -> list[tuple[str, str, int]]:
    """Where a phrase is, by reading the log."""
    folded, found = phrase.casefold(), []
    for run_id, part, text in texts(reel, run_ids):
        said = text.casefold()
        at = said.find(folded)
        while at >= 0:
            found.append((run_id, part, at))
            at = said.find(folded, at + len(folded))
    return found


def timed(name: str, find: Callable[[str], Sequence[object]], phrases: Sequence[str]) -> None:
    """Print the CPU time of a search."""
    seconds, counts = [], []
    for phrase in phrases:
        began = time.process_time()
        counts.append(len(find(phrase)))
        seconds.append((time.process_time() - began) * 1_000)
    by_length = {
        length: round(statistics.median(chosen), 1)
        for length in sorted({len(phrase) for phrase in phrases})
        if (
            chosen := [
                s for s, phrase in zip(seconds, phrases, strict=True) if len(phrase) == length
            ]
        )
    }
    print(
        f"{name}: median {statistics.median(seconds):.1f} ms, largest {max(seconds):.1f} ms,"
        f" matches {statistics.median(counts)}; median by characters {by_length}",
        flush=True,
    )


def main(runs: int = 1_500, count: int = 200) -> None:
    """Fill a log and search it."""
    with tempfile.TemporaryDirectory() as folder, runreel.open(Path(folder) / "log.db") as reel:
        corpus.fill(reel, Path(folder), runs)
        reel.release(purge=True)
        run_ids = [run.run_id for run in reel.runs()]
        known = [text for *_, text in texts(reel, run_ids)]
        with reel.db.reading() as connection:
            (size,) = connection.one("SELECT sum(pgsize) FROM dbstat WHERE name LIKE '%run_text%'")
        print(f"{runs} runs, {sum(map(len, known)):,} characters, log {reel.db.size():,} bytes,")
        print(f"of these run_text {size:,}", flush=True)
        phrases = list(corpus.phrases(Random(3), known, count))  # noqa: S311 - repeatable
        timed("scan of the log in Python", lambda text: scan(reel, run_ids, text), phrases[:8])
        timed("without the index", lambda text: list(reel.search(text)), phrases[: count // 4])
        began = time.process_time()
        print(reel.build_search_index(), f"in {time.process_time() - began:.2f} s")
        timed("with the index", lambda text: list(reel.search(text)), phrases)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
