"""Imports of recorded traffic, compared with the driver inserting finished rows, and with peers."""

from __future__ import annotations

import itertools
import json
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from runreel.importing.import_files import import_files
from runreel.model.columns import RUNS as RUN_COLUMNS
from runreel.store.schema import tables
from tests.benchmarks import measure, peers, raw, workload
from tests.benchmarks.bench import DATABASES, DRIVERS
from tests.benchmarks.measure import Sample, whole
from tests.benchmarks.page import Goal, Row, Section, faster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.peers import Bulk, Peer

_GOAL = Goal(at_least=0.4)


def run(bench: Bench) -> Section:
    """A file of runs, into an empty log each time."""
    section = Section("Import")
    path = bench.folder / "traffic.jsonl"
    runs = bench.sizes.imported
    lines = workload.write(path, map(workload.run_data, range(runs)))
    for database in DATABASES:
        section.rows += _import(bench, database, path, lines)
    section.note(
        f"**Import** of a file of {lines:,} lines of {runs:,} runs into an empty log, durability"
        " `full`; lines per second. The baseline inserts the finished rows of events and runs"
        " with `executemany`, 1,000 per commit: it reads no file, and its tables have no"
        " triggers. Peers that can store many events at once parse the same file and get a"
        " whole run with each call, one commit each."
    )
    section.note(
        "On SQLite the goal of 0.4 is 11 µs of a core per line; the bare driver takes 4.4. An"
        " import takes 31, of which the SQL alone is 13: a row takes 6.5 with its triggers and"
        " checks, whether 20 or 50 rows are stored by a statement (1, 125 or 1,000 take more),"
        " and the lists and usage of its run 3.5. The first reading takes 5, because a run with a"
        " bad line is not imported, and the second 13, of which the hash chain takes 5. Lines"
        " that only continue a text are read once and their rows are built together, which saved"
        " 5; commits of 4,000 rows instead of 1,000 saved 2; turning off the garbage collector"
        " saved nothing. On Postgres, COPY instead of INSERT saved 0.6 of 37 µs, and needs a lock"
        " and a look-up of its own."
    )
    section.note(
        "**With `-j 2`** one process reads the files first and stores the runs, 23 µs of a core"
        " per line on SQLite and 18 on Postgres, and the other prepares them, 17 after 0.13 s to"
        " start."
    )
    return section


def _import(bench: Bench, database: str, path: Path, lines: int) -> Iterator[Row]:
    works: dict[str, Callable[[], Sample]] = {
        "ours": partial(_ours, bench, database, path, lines),
        "two": partial(_ours, bench, database, path, lines, jobs=2),
    }
    titles = {"raw": f"{DRIVERS[database]}, finished rows"}
    with bench.log(database) as reel:
        import_files(reel.db, [str(path)])
        works["raw"] = partial(_raw, bench, database, *_finished(reel), lines)
    work = f"import, {database}"
    for peer in peers.every():
        if peer.database != database or not peer.bulk:
            continue
        if (missing := peer.missing(bench)) is not None:
            yield Row(work, "", peer.name, missing)
            continue
        works[peer.title] = partial(_theirs, bench, peer, path, lines)
        titles[peer.title] = peer.title
    found = measure.interleaved(bench.sizes.rounds, works)
    for key, title in titles.items():
        goal = _GOAL if key == "raw" else None
        yield faster(work, found["ours"], title, found[key], goal)
    for key, title in (("raw", titles["raw"]), ("ours", "`-j 1`")):
        yield faster(f"import `-j 2`, {database}", found["two"], title, found[key])


def _ours(bench: Bench, database: str, path: Path, lines: int, *, jobs: int = 1) -> Sample:
    with bench.log(database) as reel:
        sample = whole(partial(import_files, reel.db, [str(path)], jobs=jobs), lines)
        with reel.db.reading() as connection:
            if connection.one("SELECT count(*) FROM events")[0] < lines:
                raise SystemExit("the import left lines out")
    return sample


def _finished(reel: Reel) -> tuple[list[Any], list[Any]]:
    with raw.connected(raw.url_of(reel)) as connection:
        events = connection.execute(raw.SELECT).fetchall()
        runs = connection.execute(f"SELECT {', '.join(RUN_COLUMNS)} FROM runs").fetchall()
    return events, runs


def _raw(bench: Bench, database: str, events: list[Any], runs: list[Any], lines: int) -> Sample:
    with bench.place(database) as url, raw.log(url) as connection:
        columns = ", ".join(_column(column, url) for column in tables.runs.columns)
        connection.execute(f"CREATE TABLE raw_runs ({columns}, PRIMARY KEY (run_id))")

        def insert() -> None:
            raw.insert_many(connection, raw.insert(url), events)
            raw.insert_many(connection, raw.insert(url, "raw_runs", len(RUN_COLUMNS)), runs)

        return whole(insert, lines)


def _column(column: Any, url: str) -> str:
    blob = "bytea" if raw.is_postgres(url) else "blob"
    types = {"BigInteger": "bigint", "LargeBinary": blob}
    return f"{column.name} {types.get(type(column.type).__name__, 'text')}"


def _theirs(bench: Bench, peer: Peer, path: Path, lines: int) -> Sample:
    with bench.place(peer.database) as place, peer.opened(place, "full") as store:
        return whole(partial(_add_all, cast("Bulk", store), path), lines)


def _add_all(store: Bulk, path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        parsed = map(json.loads, file)
        for run_id, lines in itertools.groupby(parsed, key=lambda line: line["request"]["runId"]):
            store.add(run_id, [(line["type"], line["data"]) for line in lines])
