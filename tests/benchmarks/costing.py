"""What a report of costs takes: the first one with a price book, and those that follow."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.benchmarks import filling, measure, raw
from tests.benchmarks.bench import DATABASES
from tests.benchmarks.measure import Sample, whole
from tests.benchmarks.page import Row, Section, quicker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench

_DAYS = 90
_SINCE = filling.NOW - timedelta(days=_DAYS)
_ZONE = "Europe/Moscow"
_STORED = ("cost_sums", "cost_hours", "run_costs", "cost_books")
_REPORTS: dict[str, tuple[tuple[str, ...], bool]] = {
    "by day": (("day",), False),
    "by model": (("model",), False),
    "by day and model": (("day", "model"), False),
    "by model, all time": (("model",), True),
}


def run(bench: Bench) -> Section:
    """Reports of the last 90 days with and without their costs."""
    section = Section(f"Costs of {bench.sizes.runs:,} runs")
    book = bench.folder / "prices.jsonl"
    book.write_text("".join(_prices()), encoding="utf-8")
    for database in DATABASES:
        section.rows += _rows(bench, database, bench.long_list(database), book)
    section.note(
        f"**`usage --cost`** of the last {_DAYS} of {filling.DAYS} days, in the time zone {_ZONE},"
        f" with a book of prices for each of {filling.MODELS} models; the baseline is the same"
        " report without costs. Costs are exact, and stored by the first report with a book:"
        " that one, measured once, prices every run of the log."
    )
    return section


def _rows(bench: Bench, database: str, reel: Reel, book: Path) -> Iterator[Row]:
    by, _ = _REPORTS["by model"]
    first = partial(_first, reel, book, by)
    plain = partial(whole, partial(reel.usage, by, tz=_ZONE, since=_SINCE))
    found = measure.interleaved(1, {"first": first, "plain": plain})
    yield quicker(f"the first report, {database}", found["first"], "without costs", found["plain"])
    for what, (groups, is_whole) in _REPORTS.items():
        since = None if is_whole else _SINCE
        report = partial(reel.usage, groups, tz=_ZONE, since=since)
        costs = partial(report, cost=True, prices=book)
        if costs().totals.runs != report().totals.runs:
            raise SystemExit(f"the report {what} has other runs with costs")
        found = measure.alternating(bench.sizes.rounds, {"ours": costs, "plain": report}, tries=5)
        yield quicker(f"{what}, {database}", found["ours"], "without costs", found["plain"])


def _first(reel: Reel, book: Path, by: tuple[str, ...]) -> Sample:
    with raw.connected(raw.url_of(reel), "normal") as connection:
        for table in _STORED:
            connection.execute(f"DELETE FROM {table}")
    return whole(partial(reel.usage, by, tz=_ZONE, since=_SINCE, cost=True, prices=book))


def _prices() -> Iterator[str]:
    for number in range(filling.MODELS):
        entry: dict[str, Any] = {
            "provider": "made-up",
            "model": f"model-{number}",
            "tier": None,
            "unit": 1_000_000,
            "currency": "USD",
            "valid_from": "2025-01-01",
            "valid_until": None,
            "input": f"0.{number + 1}5",
            "output": str(number + 2),
        }
        yield f"{json.dumps(entry)}\n"
