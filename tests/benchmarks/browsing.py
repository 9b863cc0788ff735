"""Pages of ``runreel ui`` as a browser asks for them, compared with the bare query of each."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from runreel.projection.run_mapper import SUMMARY
from runreel.store.events.event_log import COLUMNS
from tests.benchmarks import growing, measure, peers, raw, workload
from tests.benchmarks.bench import DATABASES, DRIVERS, SQLITE
from tests.benchmarks.page import Section, quicker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.page import Row

    # The path of each page, and what the driver does for it.
    Pages = dict[str, tuple[Callable[[], str], Callable[[], object]]]

_LISTED = 50
_DAY = 86_400_000_000
_PAYLOAD = COLUMNS.index("payload")
_SEARCHED, _SEARCH = "search, one match", "`reel.search`"


def run(bench: Bench) -> Section:
    """A request for each page."""
    section = Section(f"Web pages of {bench.sizes.runs:,} runs")
    for database in DATABASES:
        reel = bench.long_list(database)
        (run,) = peers.fresh([workload.run_data(0)])
        peers.record(peers.Ours(reel), [run])
        with raw.connected(raw.url_of(reel)) as connection:
            pages = _pages(connection, run.run_id, "%s" if reel.db.url.postgres else "?")
            section.rows += _rows(bench, database, reel, pages)
    texts = bench.texts()
    texts.build_search_index()
    section.rows += _rows(bench, SQLITE, texts, _searches(texts, bench.sizes.searched))
    section.note(
        "**A page** is a request over HTTP to `runreel ui` on this machine, up to the last byte of"
        " its HTML or JSON, one at a time on a connection that stays open. The baseline is the"
        f" query of the same data through the driver, in one process: the newest {_LISTED} runs,"
        " the rows of a run of 43 events with their payloads decoded, tokens by day and by model;"
        f" for the search, in {bench.sizes.searched:,} runs with texts, it is `reel.search`. It"
        " makes no page."
    )
    section.note(
        "Of the 2.2 ms of CPU of a page of the list, reading the runs takes 0.4, their words 0.25,"
        " the template 0.55 for its 480 values, each of which is made visible and escaped, the"
        " filters of the URL 0.1, and HTTP with a thread for the request 0.5. Links of plain ids"
        " without quoting saved 0.03; no garbage collection would save nothing."
    )
    return section


def _rows(bench: Bench, database: str, reel: Reel, pages: Pages) -> Iterator[Row]:
    with _browser(reel) as ask:
        for what, (path, bare) in pages.items():
            works: dict[str, Callable[[], object]] = {
                "ours": partial(_asked, ask, path),
                "raw": bare,
            }
            for work in works.values():
                work()
            found = measure.alternating(bench.sizes.rounds, works, tries=10)
            baseline = _SEARCH if what == _SEARCHED else DRIVERS[database]
            yield quicker(f"{what}, {database}", found["ours"], baseline, found["raw"])


def _pages(connection: Any, run_id: str, mark: str) -> Pages:
    rows = f"SELECT {', '.join(COLUMNS)} FROM events WHERE run_id = {mark} ORDER BY seq"
    listed = f"SELECT {', '.join(SUMMARY)} FROM runs ORDER BY started_at DESC LIMIT {_LISTED}"
    asked = partial(_fetched, connection)

    def decoded() -> list[Any]:
        return [json.loads(row[_PAYLOAD]) for row in asked(rows, run_id)]

    def summed() -> None:
        for group in (f"started_at / {_DAY}", "model"):
            asked(f"SELECT {group}, count(*), sum(total_tokens) FROM runs GROUP BY 1")

    return {
        "list": (lambda: "/", partial(asked, listed)),
        "a run": (lambda: f"/run/{run_id}", decoded),
        "data of a run": (lambda: f"/api/run/{run_id}/rows", decoded),
        "usage": (lambda: "/usage", summed),
    }


def _searches(reel: Reel, runs: int) -> Pages:
    numbers = itertools.cycle(range(3, runs, max(1, runs // 89)))
    return {
        _SEARCHED: (
            lambda: f"/?q={growing.word(next(numbers))}",
            lambda: list(reel.search(growing.word(next(numbers)))),
        )
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
        httpx.Client(timeout=60) as client,
    ):
        assert process.stdout is not None
        try:
            url = httpx.URL(process.stdout.readline().strip())
            cookie = client.get(url).headers["set-cookie"].partition(";")[0]
            # A client that does more takes as long as some of the pages.
            connection = http.client.HTTPConnection(url.host, url.port, timeout=60)

            def ask(path: str) -> str:
                connection.request("GET", quote(path, safe="/?=&%"), headers={"Cookie": cookie})
                answer = connection.getresponse()
                text = answer.read().decode()
                if answer.status != HTTPStatus.OK:
                    raise SystemExit(f"{path}: {answer.status} {answer.reason}")
                return text

            yield ask
            connection.close()
        finally:
            process.kill()
