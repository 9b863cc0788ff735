"""What else keeps events or answers of models, each through the nearest thing its API permits."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import metadata
from typing import TYPE_CHECKING, Any, Protocol

from tests.benchmarks import raw, workload
from tests.benchmarks.measure import Sample, each, whole
from tests.benchmarks.page import Goal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.workload import RunData


_FASTER = {"full": Goal(at_least=1.5), "normal": Goal(at_least=1.5)}
# Of peers that keep each event in one statement, and update nothing besides.
AS_FAST = {"full": Goal(at_least=1.0), "normal": Goal(at_least=1.0)}


class Store(Protocol):
    """Where runs are kept. Events come one by one between ``begin`` and ``end``."""

    def begin(self, run: RunData) -> None:
        """A run begins."""
        ...

    def append(self, kind: str, value: Any) -> None:
        """Keep an event of the run."""
        ...

    def end(self) -> None:
        """The run is over."""
        ...

    def read(self, run_id: str) -> int:
        """Read all events of a run, as JSON values; how many there are."""
        ...

    def latest(self, count: int) -> int:
        """List the runs that began last; how many there are."""
        ...

    def size(self) -> int:
        """The bytes that it takes."""
        ...


class Bulk(Store, Protocol):
    """What can keep a run at once."""

    def add(self, run_id: str, events: list[tuple[str, Any]]) -> None:
        """Keep a whole run, in one commit."""
        ...


@dataclass(frozen=True)
class Peer:
    """A library, and how it is used here.

    The first of ``durabilities`` is its default. ``commits`` is whether each event is durable once
    it is appended; ``keeps`` whether it keeps each event, else it is given the end of runs alone;
    ``bulk`` whether it is ``Bulk`` too.
    """

    name: str
    package: str | None
    database: str
    how: str
    opened: Callable[[str, str], AbstractContextManager[Store]]
    durabilities: tuple[str, ...] = ("full",)
    commits: bool = True
    keeps: bool = True
    bulk: bool = False
    goals: Mapping[str, Goal] = field(default_factory=lambda: _FASTER)

    @property
    def title(self) -> str:
        """Its name and version."""
        return (
            self.name if self.package is None else f"{self.name} {metadata.version(self.package)}"
        )

    def missing(self, bench: Bench) -> str | None:
        """Why it cannot be measured here, None if it can: it is tried once with a run."""
        tried = f"{self.name} on {self.database}"
        if tried not in bench.tried:
            bench.tried[tried] = self._try(bench)
        return bench.tried[tried]

    def _try(self, bench: Bench) -> str | None:
        (run,) = [workload.run_data(0)] if self.keeps else ends([workload.run_data(0)])
        try:
            if self.package is not None:
                metadata.version(self.package)
            with bench.place(self.database) as place, self.opened(place, "full") as store:
                record(store, [run])
                kept = store.read(run.run_id)
        except metadata.PackageNotFoundError:
            return "not installed"
        except Exception as error:  # noqa: BLE001 - the other peers can still be measured
            return f"does not work here: {type(error).__name__}"
        return None if kept >= len(run.events) else f"lost {len(run.events) - kept} events of a run"


class Ours:
    """A log of our own as a ``Store``."""

    def __init__(self, reel: Reel) -> None:
        self._reel = reel
        self._recorder: Any = None

    def begin(self, run: RunData) -> None:
        self._recorder = workload.recorder(self._reel, run.run_id)

    def append(self, kind: str, value: Any) -> None:
        self._recorder.offer(kind, value)

    def end(self) -> None:
        self._recorder.close()

    def read(self, run_id: str) -> int:
        return len([event.raw for event in self._reel.events(run_id)])

    def latest(self, count: int) -> int:
        return len(self._reel.runs(limit=count))

    def size(self) -> int:
        return raw.size(raw.url_of(self._reel))


def fresh(runs: Iterable[RunData]) -> list[RunData]:
    """The same runs under new names."""
    return [run._replace(run_id=workload.fresh_id()) for run in runs]


def ends(runs: Iterable[RunData]) -> list[RunData]:
    """The end of each run alone: its text, and what it cost."""
    return [run._replace(events=run.events[-1:]) for run in runs]


def record(store: Store, runs: Sequence[RunData], *, commits: bool = True) -> Sample:
    """Record runs one after the other; each event is timed where it is committed by itself."""
    waits: list[float] = []

    def work() -> None:
        for run in runs:
            store.begin(run)
            waits.extend(each(lambda event: store.append(*event), run.events).waits)
            store.end()

    sample = whole(work, sum(len(run.events) for run in runs))
    return sample._replace(waits=waits) if commits else sample


def every() -> list[Peer]:
    """All of them; those that are not installed too."""
    from tests.benchmarks.peers import (
        by_hand,
        eventsourcing,
        langgraph,
        llm,
        mlflow,
        sqlite_utils,
    )

    return [
        *by_hand.PEERS,
        *eventsourcing.PEERS,
        sqlite_utils.PEER,
        langgraph.PEER,
        mlflow.PEER,
        llm.PEER,
    ]
