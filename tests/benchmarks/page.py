"""What was measured, as rows of a page that people read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.benchmarks import measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.benchmarks.measure import Sample


@dataclass(frozen=True)
class Goal:
    """A bound of a ratio."""

    at_least: float | None = None
    at_most: float | None = None

    def met(self, ratio: float) -> bool:
        """Whether the ratio is within the bound."""
        low = self.at_least is None or ratio >= self.at_least
        return low and (self.at_most is None or ratio <= self.at_most)

    def __str__(self) -> str:
        return f"≥ {self.at_least:.2g}" if self.at_least is not None else f"≤ {self.at_most:.2g}"


@dataclass(frozen=True)
class Row:
    """One work: our figure, what stands baseline it with its own, and the ratio of the two.

    Without a ratio ``theirs`` says why there is none.
    """

    work: str
    ours: str
    baseline: str = ""
    theirs: str = ""
    ratio: float | None = None
    goal: Goal | None = None

    def __str__(self) -> str:
        goal = "" if self.goal is None else str(self.goal)
        if self.goal is not None and self.ratio is not None:
            goal += ": met" if self.goal.met(self.ratio) else ": **missed**"
        cells = (self.work, self.ours, self.baseline, self.theirs, _number(self.ratio), goal)
        return f"| {' | '.join(cells)} |"


def _number(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:,.0f}"


@dataclass
class Section:
    """A table of the page, and what is to be said of it."""

    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Say something below the table."""
        self.notes.append(text)

    def __str__(self) -> str:
        rows = "\n".join(map(str, self.rows))
        notes = "".join(f"- {note}\n" for note in self.notes)
        return f"## {self.title}\n\n{_HEAD}\n{rows}\n\n{notes}"


_HEAD = (
    "| work | runreel | baseline | its figure | ratio | goal |\n"
    "| --- | --- | --- | --- | --- | --- |"
)


def speed(samples: Sequence[Sample]) -> str:
    """Things per second, and the latency of one if it was timed."""
    text = f"{measure.rate(samples):,.0f}/s"
    if samples[0].waits:
        text += f", {latency(samples)}"
    return text


def latency(samples: Sequence[Sample]) -> str:
    """The median latency and that of the slowest in a hundred."""
    return f"{duration(measure.wait(samples, 0.5))} / {duration(measure.wait(samples, 0.99))}"


def duration(seconds: float) -> str:
    """Seconds in a unit that fits."""
    if seconds >= 10:
        return f"{seconds:.1f} s"
    if seconds < 0.001:
        return f"{seconds * 1e6:,.0f} µs"
    return f"{seconds * 1e3:,.{1 if seconds < 0.1 else 0}f} ms"


def kilobytes(size: float) -> str:
    """Bytes as kilobytes of 1,024."""
    return f"{size / 1024:,.1f} KB"


def megabytes(size: float) -> str:
    """Bytes as megabytes of 1,024 kilobytes."""
    return f"{size / 1024**2:,.1f} MB"


def faster(
    work: str,
    ours: Sequence[Sample],
    baseline: str,
    theirs: Sequence[Sample],
    goal: Goal | None = None,
) -> Row:
    """A row that says how many times as fast we are."""
    return Row(work, speed(ours), baseline, speed(theirs), measure.ratio(ours, theirs), goal)


def quicker(
    work: str,
    ours: Sequence[Sample],
    baseline: str,
    theirs: Sequence[Sample],
    goal: Goal | None = None,
) -> Row:
    """The same, with durations instead of rates."""
    times = (duration(measure.seconds(samples)) for samples in (ours, theirs))
    return Row(work, next(times), baseline, next(times), measure.ratio(ours, theirs), goal)
