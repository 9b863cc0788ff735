"""``verify`` compared with the bare driver, which reads the same rows and hashes their columns.

The driver checks nothing: neither the file nor the schema, no projections, and nothing of what
payloads mean.
"""

from __future__ import annotations

import hmac
import struct
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from runreel.audit.verify import verify
from runreel.integrity import digest_chain
from tests.benchmarks import filling, measure, raw
from tests.benchmarks.bench import DATABASES, DRIVERS
from tests.benchmarks.measure import whole
from tests.benchmarks.page import Goal, Section, faster

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.measure import Sample
    from tests.benchmarks.page import Row

_GOAL = Goal(at_least=0.5)
_numbers = struct.Struct(">qqqqqq").pack


def run(bench: Bench) -> Section:
    """Whole logs: of streams as they are, and of very short runs."""
    section = Section("Verify")
    for database in DATABASES:
        section.rows += _verify(bench, database)
    section.note(
        f"**Verify** of a whole log, events per second: {bench.sizes.rebuilt:,} runs with 40"
        " partial messages, and as many runs of three rows. The baseline reads all columns in"
        " order and hashes them; it compares nothing and reads no projections."
    )
    section.note(
        "Of the 12 µs of a core per row, 2.5 are for the hash chain, which takes no longer than"
        " in the driver, 1.7 for reading the row, 1.2 for the check of the file by SQLite, and the"
        " rest for the projections: most of it for the five or six rows of a run that hold more"
        " than text. One loop over the rows of a run saved a sixth of the chain, of which half is"
        " the three SHA-256; other calls for HMAC and SHA-256 were slower. Parsing the texts of"
        " many rows by one call saved 0.5 % of the whole, and is not done; checking fifty runs at"
        " a time, chains first and then projections, saved 3 %."
    )
    section.note(
        "Of a run of three rows, the check of the file by SQLite alone takes as long as the whole"
        " work of the baseline, a tenth of our time. Reading and hashing its rows takes a fifth,"
        " applying them a third, and the projection the rest, spread over many functions of which"
        " none takes more than a twentieth. Not looking at empty details of usage, labels and"
        " texts, and comparing a row of `runs` as a whole, saved 9 %; one loop over rows and runs"
        " instead of nested generators, with rows as tuples, 7 %. Called over and"
        " over for the same run, its functions take 57 µs, but 110 for one run after the other, so"
        " fewer calls alone do not reach the goal. Reading the projections of up to 400 runs at"
        " once instead of 50 saved 2 % on SQLite, and on Postgres most of 200 statements; turning"
        " off the garbage collector saved nothing."
    )
    return section


def _verify(bench: Bench, database: str) -> Iterator[Row]:
    runs = bench.sizes.rebuilt
    for what in ("streams", "short runs"):
        with bench.log(database, "normal") as reel:
            if what == "streams":
                events = filling.streams(reel, runs * 45)
            else:
                events = filling.lists(reel, runs)
            works = {
                "ours": partial(whole, partial(_ours, reel), events),
                "raw": partial(_bare, raw.url_of(reel), events),
            }
            found = measure.interleaved(bench.sizes.rounds, works)
        title = f"{DRIVERS[database]}, hashed"
        goal = _GOAL if what == "streams" else None
        yield faster(f"verify, {what}, {database}", found["ours"], title, found["raw"], goal)


def _ours(reel: Reel) -> None:
    with reel.db.reading() as connection:
        for wrong in verify(connection):
            raise SystemExit(f"the log is not intact: {wrong}")


def _bare(url: str, events: int) -> Sample:
    def work() -> None:
        with raw.reading(url) as rows:
            _hash(rows)

    return whole(work, events)


def _hash(rows: Iterable[Any]) -> None:
    digest = b""
    for run_id, seq, kind, type_, index, at, elapsed, keep, added, payload, salt, _, _ in rows:
        committed = hmac.digest(salt, payload.encode(), "sha256")
        texts = (run_id + kind + (type_ or "")).encode()
        numbers = _numbers(seq, index or 0, at, elapsed, keep or 0, added or 0)
        digest = sha256(
            b"".join((digest_chain.EVENT_TAG, digest, texts, numbers, committed))
        ).digest()
