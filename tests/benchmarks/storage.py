"""What runs take on disk, each with 40 partial messages, and how fast they are read back."""

from __future__ import annotations

import json
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from runreel.store.events.event_log import COLUMNS
from tests.benchmarks import measure, peers, raw, workload
from tests.benchmarks.bench import DATABASES, DRIVERS
from tests.benchmarks.measure import brief
from tests.benchmarks.page import Goal, Row, Section, kilobytes, quicker

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.bench import Bench
    from tests.benchmarks.measure import Sample
    from tests.benchmarks.peers import Peer, Store
    from tests.benchmarks.workload import RunData

_EIGHTH = Goal(at_least=8)
_LIST = 50


def run(bench: Bench) -> Section:
    """Bytes of a run, reads of one run and of the latest, compared with the driver and peers."""
    section = Section("Storage and reads")
    for database in DATABASES:
        section.rows += _Stores(bench, database).rows()
    section.note(
        "**A run** has 43 events, 40 of them partial messages, and 2,000 characters of text,"
        f" two thirds of them Cyrillic; there are {bench.sizes.kept_runs:,} runs, recorded event"
        " by event as above. Bytes are those of the whole database, including indexes and"
        " lists, minus those of an empty one; the ratio is the baseline's size over runreel's."
    )
    section.note(
        "In a row of runreel, 48 bytes are salt and digest, and about 70 are its run, kind,"
        " type and times: more than half of an event that adds 50 characters. Postgres adds a"
        " header and stores the key again in its index, and compresses the long rows of peers"
        " by itself."
    )
    section.note(
        "**Read one run**: all its events as JSON values, in order. The driver reads"
        " runreel's rows and reconstructs the text; peers read what they have stored. Of the 11 µs"
        " of a core per event, 4 are those of the driver; the rest makes the value, and the event"
        " in the terms of the SDK. Making events of text without the general case, and reading the"
        " ends of the run and its rows by two statements on one connection instead of three on"
        " two, saved a fifth."
    )
    section.note(
        f"**The latest {_LIST}**: a list of the runs that started last, as far as a peer"
        " supports it: see its module in `tests/benchmarks/peers/`."
    )
    return section


class _Stores:
    """Ours and every peer's of one database, with the same runs in them."""

    def __init__(self, bench: Bench, database: str) -> None:
        self._bench, self._database = bench, database
        self._runs = [workload.run_data(number) for number in range(bench.sizes.kept_runs)]
        self._found: list[tuple[Peer, Store, float]] = []
        self._absent: list[tuple[Peer, str]] = []

    def rows(self) -> list[Row]:
        """Three tables in one."""
        bench = self._bench
        with ExitStack() as stack:
            reel = stack.enter_context(bench.log(self._database, "normal"))
            ours = peers.Ours(reel)
            size = _size(ours, self._runs)
            for peer in peers.every():
                if peer.database == self._database:
                    self._open(peer, stack)
            connection = stack.enter_context(raw.connected(raw.url_of(reel)))
            name = self._runs[len(self._runs) // 2].run_id
            rows = self._bytes(size)
            bare = partial(_bare, connection, raw.url_of(reel), name)
            rows += self._read("read one run", ours, lambda one: one.read(name), bare)
            rows += self._read(f"the latest {_LIST}", ours, lambda one: one.latest(_LIST), None)
        return rows

    def _open(self, peer: Peer, stack: ExitStack) -> None:
        if (missing := peer.missing(self._bench)) is not None:
            self._absent.append((peer, missing))
            return
        place = stack.enter_context(self._bench.place(self._database))
        store = stack.enter_context(peer.opened(place, peer.durabilities[-1]))
        runs = self._runs if peer.keeps else peers.ends(self._runs)
        self._found.append((peer, store, _size(store, runs)))

    def _bytes(self, ours: float) -> list[Row]:
        work = f"bytes of a run, {self._database}"
        rows = [
            Row(
                work,
                kilobytes(ours),
                _title(peer),
                kilobytes(theirs),
                theirs / ours,
                _EIGHTH if peer.keeps else None,
            )
            for peer, _, theirs in self._found
        ]
        return rows + [Row(work, kilobytes(ours), peer.name, why) for peer, why in self._absent]

    def _read(
        self,
        what: str,
        ours: Store,
        step: Callable[[Store], object],
        bare: Callable[[], object] | None,
    ) -> list[Row]:
        works: dict[str, Callable[[], Sample]] = {"ours": partial(brief, partial(step, ours))}
        titles = {}
        if bare is not None:
            works["bare"] = partial(brief, bare)
            titles["bare"] = f"{DRIVERS[self._database]}, the same rows"
        for number, (peer, store, _) in enumerate(self._found):
            works[str(number)] = partial(brief, partial(step, store))
            titles[str(number)] = _title(peer)
        found = measure.interleaved(self._bench.sizes.rounds, works)
        work = f"{what}, {self._database}"
        return [quicker(work, found["ours"], title, found[key]) for key, title in titles.items()]


def _title(peer: Peer) -> str:
    return peer.title if peer.keeps else f"{peer.title}, final events only"


def _size(store: Store, runs: list[RunData]) -> float:
    """What each run adds, in bytes."""
    empty = store.size()
    peers.record(store, runs)
    return (store.size() - empty) / len(runs)


def _bare(connection: Any, url: str, run_id: str) -> list[Any]:
    """Our rows of a run through the bare driver, their text put together."""
    mark = "%s" if raw.is_postgres(url) else "?"
    sql = f"SELECT {', '.join(COLUMNS)} FROM events WHERE run_id = {mark} ORDER BY seq"
    text, events = "", []
    for *row, payload, _, _, _ in connection.execute(sql, (run_id,)):
        value = json.loads(payload)
        if (keep := row[7]) is not None:
            text = text[:keep] + (value if isinstance(value, str) else value["+"])
        events.append((value, text))
    return events
