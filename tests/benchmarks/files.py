"""Recording files: written, verified, read and imported, compared with the bare driver."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import runreel
from runreel.importing.recording_verification import verify_file
from tests.benchmarks import filling, measure, raw
from tests.benchmarks.bench import DATABASES, DRIVERS, SQLITE
from tests.benchmarks.measure import Sample, whole
from tests.benchmarks.page import Row, Section, faster, kilobytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench


def run(bench: Bench) -> Section:
    """A log of streams, and one of many short runs."""
    section = Section("Recording files")
    for what, runs in (("streams", bench.sizes.rebuilt), ("short runs", bench.sizes.rebuilt)):
        with bench.log(SQLITE, "normal") as reel:
            if what == "streams":
                filling.streams(reel, runs * 45)
            else:
                filling.lists(reel, runs)
            section.rows += _files(bench, reel, what)
    section.note(
        "**Recording files** of a whole log, rows per second. The baseline of an export reads all"
        " columns in order and writes them as JSON; that of an import inserts the finished rows of"
        " events with `executemany`, 1,000 per commit: no projections, no triggers, nothing is"
        " verified. `read` verifies the file and fills a temporary log. At most 3 rounds."
    )
    section.note(
        "A file is read twice. The lines of a block are parsed, compared with their one valid"
        " form and followed as a hash chain together, which takes 6 µs of a core per row instead"
        " of 10; the second time, the digest of a block shows that it was verified. Together that"
        " is a third less for an import of streams, and a sixth for short runs. Lines are written"
        " by one call for many rows, 0.6 µs each instead of 1.9; a line put together from encoded"
        " pieces was no faster."
    )
    return section


def _files(bench: Bench, reel: Reel, what: str) -> Iterator[Row]:
    plain, packed = (bench.folder / f"files.reel.jsonl{ending}" for ending in ("", ".gz"))
    with raw.connected(raw.url_of(reel)) as connection:
        rows = connection.execute(raw.SELECT).fetchall()
    count, rounds = len(rows), min(3, bench.sizes.rounds)
    works: dict[str, Callable[[], Sample]] = {
        "plain": partial(whole, partial(reel.export, plain, force=True), count),
        "packed": partial(whole, partial(reel.export, packed, force=True), count),
        "raw": partial(whole, partial(_write, reel, bench.folder / "files.jsonl"), count),
    }
    found = measure.interleaved(rounds, works)
    for name, key in (("export", "plain"), ("export, gzip", "packed")):
        baseline = f"{DRIVERS[SQLITE]}, JSON lines"
        yield faster(f"{name}, {what}", found[key], baseline, found["raw"])
    log = reel.size()
    for name, path in (("plain", plain), ("gzip", packed)):
        size = path.stat().st_size
        figures = (kilobytes(size / count), "in the log", kilobytes(log / count), size / log)
        yield Row(f"a row in a file, {name}, {what}", *figures)
    works = {
        "verify": partial(whole, partial(verify_file, plain), count),
        "read": partial(whole, partial(_read, plain), count),
    }
    for key, samples in measure.interleaved(rounds, works).items():
        yield Row(f"{key} a file, {what}", f"{measure.rate(samples):,.0f}/s")
    for database in DATABASES:
        works = {
            "ours": partial(_import, bench, database, plain, count),
            "raw": partial(_insert, bench, database, rows),
        }
        found = measure.interleaved(rounds, works)
        baseline = f"{DRIVERS[database]}, finished rows"
        yield faster(f"import a file, {what}, {database}", found["ours"], baseline, found["raw"])


def _write(reel: Reel, path: Path) -> None:
    with raw.connected(raw.url_of(reel)) as connection, path.open("w", encoding="utf-8") as file:
        for row in connection.execute(raw.SELECT):
            values = [value.hex() if isinstance(value, bytes) else value for value in row]
            file.write(json.dumps(values, ensure_ascii=False) + "\n")


def _read(path: Path) -> None:
    runreel.read(path).close()


def _import(bench: Bench, database: str, path: Path, count: int) -> Sample:
    with bench.log(database) as reel:
        sample = whole(partial(reel.import_file, path), count)
        with reel.db.reading() as connection:
            if connection.one("SELECT count(*) FROM events")[0] != count:
                raise SystemExit("the import left rows out")
    return sample


def _insert(bench: Bench, database: str, rows: list[tuple[object, ...]]) -> Sample:
    with bench.place(database) as url, raw.log(url) as connection:
        return whole(partial(raw.insert_many, connection, raw.insert(url), rows), len(rows))
