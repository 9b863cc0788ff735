"""Timing: works run in turn, round by round; results are those of the median round."""

from __future__ import annotations

import gc
import statistics
import time
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

T = TypeVar("T")


class Sample(NamedTuple):
    """What one round took: ``done`` things in ``seconds``; ``waits`` (s) for each, if timed."""

    seconds: float
    done: int
    waits: Sequence[float] = ()

    @property
    def rate(self) -> float:
        """Things per second."""
        return self.done / self.seconds


def each(step: Callable[[T], object], items: Iterable[T]) -> Sample:
    """Do ``step`` with each item, one after the other."""
    waits: list[float] = []
    clock, keep = time.perf_counter, waits.append
    begin = clock()
    for item in items:
        start = clock()
        step(item)
        keep(clock() - start)
    return Sample(clock() - begin, len(waits), waits)


def whole(step: Callable[[], object], count: int = 1) -> Sample:
    """Do ``step`` once, which does ``count`` things."""
    start = time.perf_counter()
    step()
    return Sample(time.perf_counter() - start, count)


def brief(step: Callable[[], object], tries: int = 20) -> Sample:
    """Run the short ``step`` ``tries`` times; returns the median."""
    return Sample(statistics.median(each(lambda _: step(), range(tries)).waits), 1)


def interleaved(rounds: int, works: Mapping[str, Callable[[], Sample]]) -> dict[str, list[Sample]]:
    """Each work once a round, in turn; who is first changes from round to round."""
    found: dict[str, list[Sample]] = {name: [] for name in works}
    names = list(works)
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            gc.collect()
            found[name].append(works[name]())
    return found


def alternating(
    rounds: int, works: Mapping[str, Callable[[], object]], tries: int = 20
) -> dict[str, list[Sample]]:
    """Run short works in turn, ``tries`` times a round; returns the medians.

    A server that is asked again at once answers sooner than one that was left alone for a moment,
    so neither work is done twice in a row.
    """
    found: dict[str, list[Sample]] = {name: [] for name in works}
    for _ in range(rounds):
        gc.collect()
        timed = [{name: whole(work) for name, work in works.items()} for _ in range(tries)]
        for name, samples in found.items():
            samples.append(Sample(statistics.median(once[name].seconds for once in timed), 1))
    return found


def ratio(ours: Sequence[Sample], theirs: Sequence[Sample]) -> float:
    """How many times as fast we are, in the median round."""
    return statistics.median(a.rate / b.rate for a, b in zip(ours, theirs, strict=True))


def rate(samples: Sequence[Sample]) -> float:
    """Things per second in the median round."""
    return statistics.median(sample.rate for sample in samples)


def seconds(samples: Sequence[Sample]) -> float:
    """What the median round took."""
    return statistics.median(sample.seconds for sample in samples)


def wait(samples: Sequence[Sample], share: float) -> float:
    """The time (s) within which this share of all things was done."""
    waits = sorted(wait for sample in samples for wait in sample.waits)
    return waits[min(int(len(waits) * share), len(waits) - 1)]


def waiting(ours: Sequence[Sample], theirs: Sequence[Sample]) -> float:
    """How many times as long our median wait is, in the median round."""
    return statistics.median(
        statistics.median(a.waits) / statistics.median(b.waits)
        for a, b in zip(ours, theirs, strict=True)
    )
