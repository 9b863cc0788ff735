"""What it costs to reach a row of a long run, compared with one of a short run."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

from runreel.model.events import STREAM_EVENT
from runreel.model.timestamps import from_micros
from tests.benchmarks import filling, measure, workload
from tests.benchmarks.bench import DATABASES
from tests.benchmarks.page import Goal, Row, Section, duration
from tests.logs import rows as rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench

_SHORT = 100
_LAST = 10
_GOAL = Goal(at_most=5)


def run(bench: Bench) -> Section:
    """Runs of three lengths, at rows near their ends."""
    section = Section("Long runs")
    lengths = (_SHORT, bench.sizes.passed // 10, bench.sizes.passed * 4 // 10)
    for database in DATABASES:
        bench.say(f"  runs of {', '.join(f'{one:,}' for one in lengths)} events on {database}")
        section.rows += _rows(bench, database, lengths)
    section.note(
        "A run of partial messages whose text begins again after every 40; rows near the end, a"
        " different one each time, as they differ in their distance to the key-frame before them."
        f" **State** is `reel.state(RUN, SEQ)`, or with a time; **events** are {_LAST} from one on;"
        " **reopening** is a new recorder up to the commit of its first event. Median of 20 tries,"
        " durability `normal`. The ratio is that over the short run."
    )
    return section


def _rows(bench: Bench, database: str, lengths: tuple[int, ...]) -> Iterator[Row]:
    works: dict[int, dict[str, Callable[[], object]]] = {}
    with ExitStack() as stack:
        for length in lengths:
            reel = stack.enter_context(bench.log(database, "normal"))
            works[length] = _works(reel, filling.long_run(reel, length))
        short, *longer = lengths
        for name in works[short]:
            of_each = {str(length): works[length][name] for length in lengths}
            found = measure.alternating(bench.sizes.rounds, of_each)
            theirs = found[str(short)]
            for length in longer:
                ours = found[str(length)]
                yield Row(
                    f"{name} of a run of {length:,} events, {database}",
                    duration(measure.seconds(ours)),
                    f"a run of {short}",
                    duration(measure.seconds(theirs)),
                    1 / measure.ratio(ours, theirs),
                    _GOAL,
                )


def _works(reel: Reel, run_id: str) -> dict[str, Callable[[], object]]:
    rows = rows_of(reel, run_id)
    last = rows[-1].seq
    seqs = itertools.cycle(range(max(last - 290, last // 2), last - _LAST, 7))
    times = [from_micros(row.at) for row in rows[-90::7]]
    moments = itertools.cycle(times)
    values = itertools.cycle(workload.partials(1, 200))

    def reopen() -> None:
        workload.recorder(reel, run_id).append(STREAM_EVENT, next(values))

    return {
        "state after a row": lambda: reel.state(run_id, next(seqs)),
        "state at a time": lambda: reel.state(run_id, next(moments)),
        "the newest state": partial(reel.state, run_id),
        "some events": lambda: list(itertools.islice(reel.events(run_id, start=next(seqs)), _LAST)),
        "reopening": reopen,
    }
