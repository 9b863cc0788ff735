"""What a great log costs: the same works in a log of 100,000 events and in one of many more.

With ``--kept FOLDER`` the logs on SQLite are kept there, and used again: to fill one takes long.
"""

from __future__ import annotations

import contextlib
import itertools
from functools import cached_property, partial
from typing import TYPE_CHECKING, Unpack

import runreel
from runreel.model.events import STREAM_EVENT
from tests.benchmarks import growing, measure, peers, workload
from tests.benchmarks.bench import SQLITE
from tests.benchmarks.page import Goal, Row, Section, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.api.reel import Reel
    from runreel.model.run_filter import Filters
    from runreel.recording.recorder import Recorder
    from tests.benchmarks.bench import Bench

    Works = dict[str, Callable[[], object]]

SMALL = 100_000
_LISTED, _APPENDED = 50, 40
# Runs, words and threads that works ask for in turn.
_VALUES = 97
# A word that most runs say.
_COMMON = "сервер"
_GOAL = Goal(at_most=1.3)


def run(bench: Bench) -> Section:
    """Appends, lists, reports and searches, in a small log and in a great one."""
    events = bench.sizes.events
    small = min(SMALL, events // 10)
    section = Section(f"A log of {events:,} events")
    with _log(bench, small) as less, _log(bench, events) as more:
        section.rows += _rows(bench, {"small": (less, small), "great": (more, events)})
    section.note(
        f"The same works in a log of {small:,} events, in turn; the ratio is the time in the great"
        " log over that in the small one. Runs have 45 rows and 2,000 characters of text, and both"
        " logs span 180 days, so a report by day has as many lines in both. Median of 20 tries,"
        " each with another run, word or value."
    )
    section.note(
        f"**Lists** are the newest {_LISTED} runs. **Searches** have the index of trigrams, and"
        " look for a word that one run says, or none; all of the log is searched. **A recorded"
        f" run** has 43 events, {workload.DELTAS} of them partial messages. **Appends** are partial"
        " messages of one open run. Durability is `normal`."
    )
    section.note(
        "**The first page of many matches** is the newest 50 places of a word that most runs say."
        " A search that finds very many runs in the index looks at the newest texts instead: at"
        " 10,000,000 events it takes 25 ms; with the list of all runs that the index has, 417 ms."
    )
    section.note(
        "A search for what one run says reads, in the index, the list of all texts that have a"
        " trigram of it, and those lists are 100 times as long. It asks for the rarest trigrams"
        " only, as many as save more texts than they cost: CPU of 2.1 ms at 10,000,000 events"
        " instead of 5.5, with 0.9 at 100,000. Two trigrams leave up to 500 texts to look at, all"
        " of them cost twice as much as the rarest three. One part of the index instead of 19"
        " saved 0.1 ms, and one in four parts, as workers make it, takes 0.3 ms more. A trial"
        " index of the ends of words, of 20,000 texts only, found the text in 0.16 ms, but took"
        " three to five times as long to build."
    )
    section.note(
        "Each try asks for another thread, word or run, and all of them were asked for before, so"
        " that the pages of the file are in memory: the 20 runs of a thread lie apart, and a"
        " list that reads them from a disk for the first time took 2.8 ms instead of 0.3."
    )
    return section


@contextlib.contextmanager
def _log(bench: Bench, events: int) -> Iterator[Reel]:
    path = None if bench.kept is None else bench.kept / f"{events}.db"
    if path is not None and path.exists():
        with runreel.open(path, durability="normal") as reel:
            yield reel
        return
    bench.say(f"  fills a log with {events:,} events")
    if path is None:
        with bench.log(SQLITE, "normal") as reel:
            growing.fill(reel, events)
            yield reel
        return
    growing.make(path, events)
    with runreel.open(path, durability="normal") as reel:
        yield reel


def _rows(bench: Bench, logs: dict[str, tuple[Reel, int]]) -> Iterator[Row]:
    works = {name: _works(*log) for name, log in logs.items()}
    appenders = {name: _Appender(reel) for name, (reel, _) in logs.items()}
    for name, append in appenders.items():
        works[name][f"{_APPENDED} appends"] = append
    for what in works["small"]:
        both = {name: works[name][what] for name in works}
        for work in both.values():
            # What is read once is in memory afterwards.
            for _ in range(_VALUES):
                work()
        found = measure.alternating(bench.sizes.rounds, both)
        yield Row(
            f"{what}, {SQLITE}",
            duration(measure.seconds(found["great"])),
            f"at {logs['small'][1]:,} events",
            duration(measure.seconds(found["small"])),
            1 / measure.ratio(found["great"], found["small"]),
            _GOAL,
        )
    for append in appenders.values():
        append.close()


class _Appender:
    """A run that is opened with its first event, and to which events are appended."""

    def __init__(self, reel: Reel) -> None:
        self._reel = reel
        self._values = itertools.cycle(workload.partials(0, 10 * workload.DELTAS))

    @cached_property
    def _recorder(self) -> Recorder:
        return workload.recorder(self._reel, workload.fresh_id())

    def __call__(self) -> None:
        for _ in range(_APPENDED):
            self._recorder.append(STREAM_EVENT, next(self._values))

    def close(self) -> None:
        """End the run as a service does."""
        for kind, value in workload.run_data(0).events[-2:]:
            self._recorder.append(kind, value)
        self._recorder.close()


def _works(reel: Reel, events: int) -> Works:
    # Not those that were recorded by this benchmark.
    runs = events // (growing.NOTES + workload.DELTAS)
    numbers = itertools.cycle(range(7, runs, max(1, runs // _VALUES)))
    data, ours = [workload.run_data(0)], peers.Ours(reel)

    def listed(limit: int = _LISTED, **filters: Unpack[Filters]) -> None:
        if len(reel.runs(limit=limit, **filters)) > limit:
            raise SystemExit("a page has too many runs")

    def searched(script: int, end: str = "") -> None:
        number = next(numbers)
        found = list(reel.search(growing.word(number, script) + end))
        if len(found) != (not end):
            raise SystemExit(f"a search of a log of {runs:,} runs finds {len(found)} matches")

    def searched_first() -> None:
        found = len(list(itertools.islice(reel.search(_COMMON), _LISTED)))
        if found != _LISTED:
            raise SystemExit(f"a search of a log of {runs:,} runs finds {found} places")

    works: Works = {
        "list, no filter": listed,
        "list of a label": partial(listed, labels={"env": "prod"}),
        "list of a model": partial(listed, model="model-3"),
        "list of a thread": lambda: listed(thread=f"thread-{next(numbers) // 20}"),
        "list of interrupted, 2 runs": partial(listed, recording="interrupted", limit=2),
        "usage by day": partial(reel.usage, ("day",)),
        "usage by model": partial(reel.usage, ("model",)),
        "usage by day and model": partial(reel.usage, ("day", "model")),
        "search, one match, Latin": partial(searched, 0),
        "search, one match, Cyrillic": partial(searched, 1),
        "search, none": partial(searched, 0, "xyx"),
        "search, the first page of many matches": searched_first,
        # Last, as the index of texts does not have these runs.
        "a recorded run": lambda: peers.record(ours, peers.fresh(data)),
    }
    # It has the texts of runs that were recorded here before.
    reel.build_search_index()
    return works
