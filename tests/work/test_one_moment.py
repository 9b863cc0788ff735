"""A report is of one moment, wherever midnight is while it is made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from runreel.cli.main import main
from runreel.model.results import RunResult, Usage
from runreel.model.status import RunStatus
from runreel.system import wall_clock
from tests import logs
from tests.prices.lines import data, line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.api.reel import Reel

MICROSECOND = timedelta(microseconds=1)
# The last moment of a year, month and day.
LATE = datetime(2027, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """The readings of the clock, of which each is a month after the one before."""
    found: list[datetime] = []

    def now() -> datetime:
        found.append(LATE + len(found) * timedelta(days=31))
        return found[-1]

    monkeypatch.setattr(wall_clock, "now", now)
    return found


@pytest.fixture
def log(reel: Reel) -> Iterator[Reel]:
    """A log with three runs in the last month of the year, and two in the first of the next."""
    for n, days in enumerate((-30, -1, 0, 1, 2)):
        with logs.recording_at(reel, f"run-{n}", LATE + timedelta(days=days), model="tin-1") as one:
            one.result(RunResult(RunStatus.COMPLETED, usage=Usage(1_000, 1_000, 0)))
    yield reel


@pytest.fixture
def book(tmp_path: Path) -> str:
    """Prices that are doubled with the new year."""
    path = tmp_path / "book.jsonl"
    old = line(unit=1_000, input="1", valid_from=None)
    path.write_bytes(data(old, line(unit=1_000, input="2", valid_from="2028-01-01")))
    return str(path)


def test_a_budget_is_of_one_month(log: Reel, book: str, readings: list[datetime]) -> None:
    found = log.budget(10, "USD", tz="UTC", prices=book)
    assert (found.since, found.until) == (datetime(2027, 12, 1, tzinfo=UTC), LATE + MICROSECOND)
    (item,) = found.items
    assert (item.runs, str(item.cost), str(item.forecast)) == (3, "3", "3.00")
    assert len(readings) == 1


def test_prices_of_today_are_those_of_one_day(
    log: Reel, book: str, readings: list[datetime]
) -> None:
    report = log.usage("model", tz="UTC", cost=True, prices=book, as_of="now", until="now")
    assert [(str(item.totals.cost), item.totals.runs) for item in report.items] == [("2", 2)]
    assert len(readings) == 1
    assert str(log.cost("run-0", prices=book, as_of="now").cost) == "2", "the next reading"


@pytest.mark.parametrize("cost", [False, True])
def test_a_report_is_filled_to_the_moment_of_its_totals(
    log: Reel, book: str, readings: list[datetime], *, cost: bool
) -> None:
    report = log.usage(
        "day", tz="UTC", fill=True, since="this-month", until="now", cost=cost, prices=book
    )
    assert [item.key for item in report.items][:: len(report.items) - 1] == [
        ("2027-12-01",),
        ("2027-12-31",),
    ]
    assert report.totals.runs == 2
    assert len(readings) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("usage", "--fill", "--since", "this-month", "--until", "now"),
        ("usage", "--as-of", "now", "--on", "today", "--since", "yesterday", "--fill"),
        ("budget", "--max", "9", "--currency", "USD", "--as-of", "now"),
        ("budget", "--max", "9", "--currency", "USD", "--on", "today"),
        ("prices", "check"),
    ],
)
def test_a_command_reads_the_clock_once(
    arguments: tuple[str, ...], log: Reel, book: str, readings: list[datetime], db_url: str
) -> None:
    assert main(("--db", db_url, *arguments, "--prices", book, "--json")) == 0
    assert len(readings) == 1
