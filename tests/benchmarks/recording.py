"""One stream after the other, each event committed before the next: ours, the driver, peers."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

from runreel.model.events import STREAM_EVENT
from runreel.store.events import event_log
from tests.benchmarks import measure, peers, raw, workload
from tests.benchmarks.bench import DATABASES, DRIVERS, DURABILITIES, POSTGRES, SQLITE
from tests.benchmarks.measure import Sample, each
from tests.benchmarks.page import Goal, Row, Section, faster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.peers import Peer
    from tests.benchmarks.workload import RunData

_STREAM_GOALS = {
    (SQLITE, "normal"): Goal(at_least=0.5),
    (SQLITE, "full"): Goal(at_least=0.85),
    (POSTGRES, "normal"): Goal(at_least=0.8),
    (POSTGRES, "full"): Goal(at_least=0.8),
}
_TRIPS = 100


def run(bench: Bench) -> Section:
    """One stream compared with the bare driver, and whole runs compared with peers."""
    section = Section("Recording")
    for database in DATABASES:
        for durability in DURABILITIES:
            section.rows.append(_one_stream(bench, database, durability))
    section.rows.append(_round_trips(bench))
    _explain(section)
    for peer in peers.every():
        section.rows += _peer_rows(bench, peer)
        section.note(f"**{peer.name}** {peer.how}")
    return section


def _explain(section: Section) -> None:
    section.note(
        "**One stream**: partial messages of one run, committed one by one. The driver commits"
        " the finished rows with the same durability. Latencies are the median and the 99th"
        " percentile."
    )
    section.note(
        "The remaining overhead on SQLite is about 16 µs of Python per event, 4 of them for the"
        " digests; the triggers and checks of the log take 4 more. Salts drawn many at a time save"
        " 1 µs; another form of the trigger, or none, saves less than 1. On Postgres there are also"
        " four CHECK constraints, which the server prepares again with each statement (16 µs; one"
        " constraint instead of four saves nothing), and the lookup of the previous row (7 µs)."
    )
    section.note(
        "**Whole runs**: 43 events each (created, 40 partial messages, done, usage), run after"
        " run, passed as JSON values. runreel adds a note at the start and one at the end of"
        " each."
    )
    section.note(
        "At `full` a peer that commits each event waits for the disk as often as runreel. At"
        " `normal` a peer only stores the event; runreel also updates the projections, which"
        " change with five events of a run and then cost as much as six or seven other events."
    )
    section.note(
        "An event that changes the projections takes about 300 µs of a core, 45 of them for the"
        " event itself. Writing the row of an open recording without reading it, and its result"
        " only once, saved a tenth of a run. The usage rollups take 3 % of a run and its texts 1 %:"
        " applying them later in batches would save no more. A partial message writes 2.3 pages on"
        " average, since SQLite evens out neighbouring pages where a row does not fit. Without any"
        " index of the list, with the closing note in the commit of the last event, with pages of 8"
        " or 16 KB, checkpoints more or less often or in a thread of their own, and without garbage"
        " collection, a run took as long."
    )
    section.note(
        "Peers run at their own default, and also with `normal` where their API allows it."
        " Peers that commit a whole run at once have no latency per event."
    )


def _one_stream(bench: Bench, database: str, durability: str) -> Row:
    values = workload.partials(0, bench.sizes.stream)
    with bench.log(database, durability) as reel, bench.place(database) as place:
        rows = _rows(reel, values)
        found = measure.interleaved(
            bench.sizes.rounds,
            {"ours": partial(_ours, reel, values), "raw": partial(_raw, place, durability, rows)},
        )
    work = f"one stream, {database} `{durability}`"
    goal = _STREAM_GOALS[database, durability]
    return faster(work, found["ours"], DRIVERS[database], found["raw"], goal)


def _ours(reel: Reel, values: list[Any]) -> Sample:
    recording = workload.recorder(reel, workload.fresh_id())
    recording.offer(STREAM_EVENT, values[0])
    sample = each(lambda value: recording.offer(STREAM_EVENT, value), values[1:])
    recording.close()
    return sample


def _rows(reel: Reel, values: list[Any]) -> list[Any]:
    """The rows that these values become, without the first and the notes."""
    recording = workload.recorder(reel, workload.fresh_id())
    for value in values:
        recording.offer(STREAM_EVENT, value)
    with reel.db.reading() as connection:
        return list(event_log.read(connection, recording.run_id, start=2))


def _raw(url: str, durability: str, rows: list[Any]) -> Sample:
    insert = raw.insert(url)
    with raw.log(url, durability) as connection:
        return each(lambda row: connection.execute(insert, row), rows)


def _round_trips(bench: Bench) -> Row:
    """How often Postgres says that it is ready for the next, for each partial message."""
    values = workload.partials(0, _TRIPS + 2)
    with bench.log(POSTGRES) as reel, tempfile.TemporaryFile("w+b") as trace:
        recording = workload.recorder(reel, workload.fresh_id())
        for value in values[:2]:
            recording.offer(STREAM_EVENT, value)
        with reel.db.writing() as connection:
            driver: Any = connection.raw
        wire = driver.pgconn
        wire.trace(trace.fileno())
        for value in values[2:]:
            recording.offer(STREAM_EVENT, value)
        wire.untrace()
        trace.seek(0)
        trips = trace.read().count(b"ReadyForQuery") / _TRIPS
    return Row(
        "round trips for a partial message, Postgres",
        f"{trips:g}",
        ratio=trips,
        goal=Goal(at_most=1),
    )


def _peer_rows(bench: Bench, peer: Peer) -> Iterator[Row]:
    data = [workload.run_data(number) for number in range(bench.sizes.peer_runs)]
    for durability in peer.durabilities:
        what = "whole runs" if peer.keeps else "final events only"
        work = f"{what}, {peer.database} `{durability}`"
        if (missing := peer.missing(bench)) is not None:
            yield Row(work, "", peer.name, missing)
            continue
        with ExitStack() as stack:
            ours = peers.Ours(stack.enter_context(bench.log(peer.database, durability)))
            place = stack.enter_context(bench.place(peer.database))
            theirs = stack.enter_context(peer.opened(place, durability))
            works = {
                "ours": partial(_record, ours, data, peer),
                "theirs": partial(_record, theirs, data, peer),
            }
            found = measure.interleaved(bench.sizes.rounds, works)
        yield faster(work, found["ours"], peer.title, found["theirs"], peer.goals.get(durability))


def _record(store: peers.Store, data: list[RunData], peer: Peer) -> Sample:
    runs = peers.fresh(data if peer.keeps else peers.ends(data))
    return peers.record(store, runs, commits=peer.commits)
