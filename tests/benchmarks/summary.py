"""What a user wants to know first, taken from the tables of the page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TITLE = "In short"
_UNITS = {"µs": 1e-6, "ms": 1e-3, "s": 1.0}
_DURATION = re.compile(r"([\d,.]+) (µs|ms|s)\b")
_RATE = re.compile(r"([\d,]+)/s")
_LIVE = "a response, asyncio, "
_EVENTS = re.compile(r"a stream of ([\d,]+) events")
_GREAT = re.compile(r"A log of ([\d,]+) events")


class _Line(NamedTuple):
    """A row of a table: what was measured, our figure, what it is compared with, its figure."""

    work: str
    ours: str
    baseline: str
    theirs: str


class Tables:
    """The sections of a page, read again."""

    def __init__(self, parts: Mapping[str, str]) -> None:
        self._parts = parts

    def rows(self, title: str) -> list[_Line]:
        """The rows of the section of this title."""
        lines = self._parts.get(title, "").splitlines()
        cells = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]
        return [_Line(*row[:4]) for row in cells if len(row) >= 4 and row[0] not in ("work", "---")]

    def row(self, title: str, work: str) -> _Line | None:
        """The first row of this work."""
        return next((row for row in self.rows(title) if row.work == work), None)

    def largest(self, start: str) -> tuple[str, str] | None:
        """The title that begins so and has the highest number of runs, and that number."""
        found = re.compile(rf"{re.escape(start)} of ([\d,]+) runs")
        counts = {title: match[1] for title in self._parts if (match := found.fullmatch(title))}
        return max(counts.items(), key=lambda item: _number(item[1]), default=None)

    def text(self, title: str) -> str:
        """All of a section."""
        return self._parts.get(title, "")


def summary(parts: Mapping[str, str]) -> str:
    """The text of the first section, from the sections by their titles; empty without any."""
    tables = Tables(parts)
    rows = [
        *_overheads(tables),
        *_rates(tables),
        *_paced(tables),
        *_sizes(tables),
        *_times(tables),
        *_great(tables, parts),
    ]
    if not rows:
        return ""
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return (
        "These are figures of the tables below, each with the conditions of its section.\n\n"
        f"| what | SQLite | Postgres |\n| --- | --- | --- |\n{table}"
    )


def _overheads(tables: Tables) -> Iterator[tuple[str, str, str]]:
    """What recording adds to a stream that the vendor's client reads."""
    said = _EVENTS.search(tables.text("Live streams"))
    events = _number(said[1]) if said else 0
    for durability in ("normal", "full"):
        times, spent = [], []
        for place in (f"{database} `{durability}`" for database in ("SQLite", "Postgres")):
            whole = tables.row("Live streams", f"{_LIVE}{place}")
            cpu = tables.row("Live streams", f"CPU of {_LIVE}{place}")
            if whole is None or cpu is None or not events:
                return
            added = _rate(whole.theirs) / _rate(whole.ours) - 1
            each = (_seconds(cpu.ours) - _seconds(cpu.theirs)) / events
            times.append(f"{added:+.0%}")
            more = _seconds(cpu.ours) / _seconds(cpu.theirs) - 1
            spent.append(f"{more:+.0%}, {each * 1e6:.0f} µs")
        yield f"time of a stream at full speed when recorded, `{durability}`", times[0], times[1]
        yield f"CPU of it, and per event, `{durability}`", spent[0], spent[1]
    paced = [
        tables.row("Live streams", f"at pace, asyncio, {database} `normal`")
        for database in ("SQLite", "Postgres")
    ]
    if all(paced):
        later = [f"{(_seconds(r.ours) - _seconds(r.theirs)) * 1e3:.1f} ms" for r in paced if r]
        yield "one stream at pace: an event comes later by, `normal`", later[0], later[1]


def _rates(tables: Tables) -> Iterator[tuple[str, str, str]]:
    for durability in ("normal", "full"):
        for what, title, work in (
            ("events per second, one stream", "Recording", "one stream"),
            ("events per second, 64 tasks", "Many streams at once", "64 tasks"),
        ):
            cells = []
            for database in ("SQLite", "Postgres"):
                row = tables.row(title, f"{work}, {database} `{durability}`")
                cells.append("" if row is None else row.ours.partition("/s")[0])
            if any(cells):
                yield f"{what}, `{durability}`", cells[0], cells[1]


def _paced(tables: Tables) -> Iterator[tuple[str, str, str]]:
    """How late events of many streams are, as median and 99th percentile, and the stall."""
    found = re.compile(r"(\d+ tasks), (\w+) `(\w+)`")
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in tables.rows("Latency at pace"):
        if (match := found.fullmatch(row.work)) and row.baseline == "not recorded":
            cells.setdefault((match[1], match[3]), {})[match[2]] = row.ours
    for (tasks, durability), of in cells.items():
        what = f"{tasks} at pace: an event is late by, `{durability}`"
        yield what, of.get("SQLite", ""), of.get("Postgres", "")


def _sizes(tables: Tables) -> Iterator[tuple[str, str, str]]:
    cells = []
    for database in ("SQLite", "Postgres"):
        row = tables.row("Storage and reads", f"bytes of a run, {database}")
        cells.append("" if row is None else row.ours)
    if any(cells):
        yield "a run of 43 events on disk", cells[0], cells[1]


def _times(tables: Tables) -> Iterator[tuple[str, str, str]]:
    """How long questions take, in the largest log that was measured."""
    for what, start, work in (
        ("a page of the list", "Pages", "no filter"),
        ("a report of usage by day", "Usage", "by day"),
        ("a report of usage by model", "Usage", "by model"),
        ("a search with one match, with the index", "Search", "one match, Latin"),
        ("a search with one match, without", "Search", "one match, no index"),
        ("a report of costs by day", "Costs", "by day"),
        ("the first report of costs with a price book", "Costs", "the first report"),
    ):
        found = tables.largest(start)
        if found is None:
            continue
        title, runs = found
        cells = []
        for database in ("SQLite", "Postgres"):
            row = tables.row(title, f"{work}, {database}")
            cells.append("" if row is None else row.ours)
        if any(cells):
            yield f"{what}, {runs} runs", cells[0], cells[1]


def _great(tables: Tables, titles: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """How long questions take in the great log."""
    for title in titles:
        found = _GREAT.fullmatch(title)
        for what, work in (
            ("a page of the list", "list, no filter"),
            ("a report of usage by day", "usage by day"),
            ("a search with one match, with the index", "search, one match, Latin"),
        ):
            row = tables.row(title, f"{work}, SQLite") if found else None
            if found and row:
                yield f"{what}, {found[1]} events", row.ours, ""


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _rate(text: str) -> float:
    found = _RATE.search(text)
    return float(_number(found[1])) if found else float("nan")


def _seconds(text: str) -> float:
    found = _DURATION.search(text)
    return float(found[1].replace(",", "")) * _UNITS[found[2]] if found else float("nan")
