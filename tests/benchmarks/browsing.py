"""Pages of ``runreel ui`` as a browser asks for them, compared with the bare query of each."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from runreel.projection.run_mapper import SUMMARY
from runreel.store.events.event_log import COLUMNS
from tests.benchmarks import growing, measure, peers, raw, workload
from tests.benchmarks.bench import DATABASES, DRIVERS
from tests.benchmarks.page import Section, quicker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.page import Row

_LISTED = 50
_DAY = 86_400_000_000


def run(bench: Bench) -> Section:
    """A request for each page."""
    section = Section(f"Web pages of {bench.sizes.searched:,} runs")
    for database in DATABASES:
        section.rows += _pages(bench, database, bench.texts(database))
    section.note(
        "**A page** is a request over HTTP to `runreel ui` on this machine, up to the last byte of"
        " its HTML or JSON, one at a time on a connection that stays open. The baseline is the"
        f" query of the same data through the driver, in one process: the newest {_LISTED} runs,"
        " the rows of a run with their payloads decoded, tokens by day and by model, and the runs"
        " whose texts have a word. It makes no page."
    )
    return section


def _pages(bench: Bench, database: str, reel: Reel) -> Iterator[Row]:
    (run,) = peers.fresh([workload.run_data(0)])
    peers.record(peers.Ours(reel), [run])
    with _browser(reel) as ask, raw.connected(raw.url_of(reel)) as connection:
        for what, (path, bare) in _works(
            reel, connection, run.run_id, bench.sizes.searched
        ).items():
            works = {"ours": lambda path=path: ask(path()), "raw": bare}
            for work in works.values():
                work()
            found = measure.alternating(bench.sizes.rounds, works, tries=10)
            yield quicker(f"{what}, {database}", found["ours"], DRIVERS[database], found["raw"])


def _works(
    reel: Reel, connection: Any, run_id: str, runs: int
) -> dict[str, tuple[Callable[[], str], Callable[[], object]]]:
    mark = "%s" if reel.db.url.postgres else "?"
    numbers = itertools.cycle(range(3, runs, max(1, runs // 89)))
    asked = partial(_fetched, connection)
    rows = f"SELECT {', '.join(COLUMNS)} FROM events WHERE run_id = {mark} ORDER BY seq"
    listed = f"SELECT {', '.join(SUMMARY)} FROM runs ORDER BY started_at DESC LIMIT {_LISTED}"
    text = f"SELECT run_id FROM raw_texts WHERE text LIKE {mark}"
    is_indexed = not reel.db.url.postgres
    if is_indexed:
        text = (
            "SELECT run_id FROM raw_text_index JOIN raw_texts"
            " ON raw_texts.id = raw_text_index.rowid WHERE raw_text_index MATCH ?"
        )

    def decoded() -> list[Any]:
        return [json.loads(row[-4]) for row in asked(rows, run_id)]

    def summed() -> None:
        for group in (f"started_at / {_DAY}", "model"):
            asked(f"SELECT {group}, count(*), sum(total_tokens) FROM runs GROUP BY 1")

    def said() -> None:
        word = growing.word(next(numbers))
        asked(text, f'"{word}"' if is_indexed else f"%{word}%")

    return {
        "list": (lambda: "/", lambda: asked(listed)),
        "a run": (lambda: f"/run/{run_id}", decoded),
        "data of a run": (lambda: f"/api/run/{run_id}/rows", decoded),
        "usage": (lambda: "/usage", summed),
        "search, one match": (lambda: f"/?q={growing.word(next(numbers))}", said),
    }


def _asked(ask: Callable[[str], str], path: Callable[[], str]) -> None:
    ask(path())


def _fetched(connection: Any, sql: str, *values: object) -> list[Any]:
    rows: list[Any] = connection.execute(sql, values).fetchall()
    return rows


@contextmanager
def _browser(reel: Reel) -> Iterator[Callable[[str], str]]:
    """What asks a server in another process for a page."""
    command = [sys.executable, "-m", "runreel", "ui", "--no-open"]
    settings = os.environ | {"RUNREEL_DB": raw.url_of(reel), "DO_NOT_TRACK": "true"}
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=settings) as process,
        httpx.Client(follow_redirects=True, timeout=60) as client,
    ):
        assert process.stdout is not None
        try:
            url = httpx.URL(process.stdout.readline().strip())
            client.get(url).raise_for_status()

            def ask(path: str) -> str:
                return client.get(url.join(path)).raise_for_status().text

            yield ask
        finally:
            process.kill()
