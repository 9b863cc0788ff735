"""Usage of many runs by day and by other groups, compared with grouping the table of runs."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.timestamps import to_micros
from tests.benchmarks import filling, measure, raw
from tests.benchmarks.bench import DATABASES, DRIVERS
from tests.benchmarks.measure import whole
from tests.benchmarks.page import Goal, Section, quicker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.page import Row

_REPORTED = 90
_SINCE = filling.NOW - timedelta(days=_REPORTED)
_ZONE = "Europe/Moscow"
_DAY = 86_400_000_000
_HOURS_AHEAD = 3
_FAST = Goal(at_least=5)


class _Report(NamedTuple):
    """Groups of ours, and what the driver groups by."""

    what: str
    by: tuple[str, ...]
    columns: str
    goal: Goal
    whole: bool = False


_REPORTS = (
    _Report("by day", ("day",), "day", Goal(at_least=50)),
    _Report("by assistant", ("assistant",), "assistant_id", _FAST),
    _Report("by model", ("model",), "model", _FAST),
    _Report("by status", ("status",), "status", _FAST),
    _Report("by day and model", ("day", "model"), "day, model", _FAST),
    _Report("by model, all time", ("model",), "model", _FAST, whole=True),
)


def run(bench: Bench) -> Section:
    """Reports of the last 90 days."""
    section = Section(f"Usage of {bench.sizes.runs:,} runs")
    for database in DATABASES:
        section.rows += _reports(bench, database, bench.long_list(database))
    section.note(
        f"**Usage** of the last {_REPORTED} of the {filling.DAYS} days over which the runs are"
        f" spread, in the time zone {_ZONE}: runs, runs with known usage, and three sums of"
        " tokens per group. The baseline groups the table of runs in one statement, with an"
        " index on their start. No peer has such a report."
    )
    return section


def _reports(bench: Bench, database: str, reel: Reel) -> Iterator[Row]:
    with raw.connected(raw.url_of(reel)) as connection:
        for report in _REPORTS:
            since = None if report.whole else _SINCE
            ours = partial(reel.usage, report.by, tz=_ZONE, since=since)
            theirs = partial(_grouped, connection, report, database)
            if ours().totals.total_tokens != sum(row[-1] or 0 for row in theirs()):
                raise SystemExit(f"the driver finds other usage {report.what}")
            found = measure.interleaved(
                bench.sizes.rounds, {"ours": partial(whole, ours), "raw": partial(whole, theirs)}
            )
            work = f"{report.what}, {database}"
            yield quicker(work, found["ours"], DRIVERS[database], found["raw"], report.goal)


def _grouped(connection: Any, report: _Report, database: str) -> list[Any]:
    day = f"(started_at + {_HOURS_AHEAD * 3_600_000_000}) / {_DAY}"
    columns = report.columns.replace("day", day)
    where = "" if report.whole else f" WHERE started_at >= {to_micros(_SINCE)}"
    sums = ", ".join(
        f"sum({tokens})" for tokens in ("input_text_tokens", "completion_tokens", "total_tokens")
    )
    groups = ", ".join(str(n + 1) for n in range(len(report.by)))
    sql = f"SELECT {columns}, count(*), count(total_tokens), {sums} FROM runs{where}"
    found: list[Any] = connection.execute(f"{sql} GROUP BY {groups}").fetchall()
    return found
