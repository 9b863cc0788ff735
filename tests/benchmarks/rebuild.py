"""Rebuilding projections, compared with the driver reading and decoding the same rows."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from runreel.store.events.event_log import COLUMNS
from runreel.store.schema.tables import metadata
from tests.benchmarks import filling, measure, raw
from tests.benchmarks.bench import DATABASES, DRIVERS
from tests.benchmarks.measure import whole
from tests.benchmarks.page import Goal, Section, faster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.measure import Sample
    from tests.benchmarks.page import Row

_GOAL = Goal(at_least=0.35)
_LOG = ("events", "runreel_meta")
_PAYLOAD = COLUMNS.index("payload")


def run(bench: Bench) -> Section:
    """All projections, from none."""
    section = Section("Rebuild")
    for database in DATABASES:
        with bench.log(database, "normal") as reel:
            events = filling.streams(reel, bench.sizes.rebuilt * 45, projected=False)
            section.rows += _rebuild(bench, database, reel, events)
    section.note(
        f"**Rebuild** of {events:,} events of runs with 40 partial messages, from empty"
        " projections; events per second. The baseline reads all columns of the same rows in"
        " order and decodes their payloads with `json.loads`."
    )
    return section


def _rebuild(bench: Bench, database: str, reel: Reel, events: int) -> Iterator[Row]:
    url = raw.url_of(reel)
    found = measure.interleaved(
        bench.sizes.rounds,
        {"ours": partial(_ours, reel, events), "raw": partial(_decoded, url, events)},
    )
    work = f"rebuild, {database}"
    yield faster(work, found["ours"], f"{DRIVERS[database]}, decoded", found["raw"], _GOAL)


def _ours(reel: Reel, events: int) -> Sample:
    empty(reel)
    return whole(reel.rebuild, events)


def empty(reel: Reel) -> None:
    """Delete all rows but those of the log itself."""
    with raw.connected(raw.url_of(reel), "normal") as connection:
        for table in metadata.tables:
            if table not in _LOG:
                connection.execute(f"DELETE FROM {table}")


def _decoded(url: str, events: int) -> Sample:
    def work() -> None:
        with raw.reading(url) as rows:
            for row in rows:
                json.loads(row[_PAYLOAD])

    return whole(work, events)
