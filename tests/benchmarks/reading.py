"""Pages of a long list of runs, by every filter, beside the driver's own indexed queries."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.store.read_models import SUMMARY
from runreel.words.times import to_micros
from tests.benchmarks import filling, measure, raw
from tests.benchmarks.bench import DATABASES, DRIVERS
from tests.benchmarks.measure import brief
from tests.benchmarks.page import Goal, Section, quicker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.reel import Reel
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.page import Row

_PAGE = 50
_WITHIN_THREE = Goal(at_least=1 / 3)
_MIDDLE = filling.NOW - timedelta(days=filling.DAYS / 2)
_COLUMNS = ", ".join(SUMMARY)


class _Query(NamedTuple):
    """A filter of ours, and what the driver asks instead, by an index that begins with this."""

    what: str
    ours: dict[str, Any]
    where: str
    key: str = ""


_QUERIES = (
    _Query("no filter", {}, "1 = 1"),
    _Query("status, common", {"status": "COMPLETED"}, "status = 'COMPLETED'", "status"),
    _Query("status, rare", {"status": "TOOL_CALLS"}, "status = 'TOOL_CALLS'", "status"),
    _Query("source, rare", {"source": "openai-chat"}, "source = 'openai-chat'", "source"),
    _Query("assistant", {"assistant": "asst-7"}, "assistant_id = 'asst-7'", "assistant_id"),
    _Query("thread, rare", {"thread": "thread-7"}, "thread_id = 'thread-7'", "thread_id"),
    _Query("model", {"model": "model-3"}, "model = 'model-3'", "model"),
    _Query(
        "recording, rare", {"recording": "interrupted"}, "recording = 'interrupted'", "recording"
    ),
    _Query("until", {"until": _MIDDLE}, f"started_at < {to_micros(_MIDDLE)}"),
    _Query("since", {"since": _MIDDLE}, f"started_at >= {to_micros(_MIDDLE)}"),
    _Query("errors", {"has_error": True}, "failed = 1", "failed"),
    _Query("no usage, rare", {"no_usage": True}, "unknown = 1", "unknown"),
    _Query("label", {"labels": {"team": "team-9"}}, "team = 'team-9'", "team"),
    _Query(
        "assistant and status",
        {"assistant": "asst-7", "status": "FAILED"},
        "assistant_id = 'asst-7' AND status = 'FAILED'",
        "assistant_id, status",
    ),
    _Query(
        "label and status",
        {"labels": {"team": "team-9"}, "status": "FAILED"},
        "team = 'team-9' AND status = 'FAILED'",
        "team, status",
    ),
)

# A table of the driver's own: what is filtered by is a column.
_TABLE = f"""
CREATE TABLE raw_runs AS SELECT {_COLUMNS},
    CASE WHEN error IS NULL AND error_code IS NULL THEN 0 ELSE 1 END AS failed,
    CASE WHEN total_tokens IS NULL THEN 1 ELSE 0 END AS unknown,
    (SELECT value FROM run_labels AS l WHERE l.run_id = runs.run_id AND key = 'team') AS team
FROM runs
"""


def run(bench: Bench) -> Section:
    """A page by each filter."""
    section = Section(f"Pages of {bench.sizes.runs:,} runs")
    for database in DATABASES:
        section.rows += _pages(bench, database, bench.long_list(database))
    section.note(
        f"**A page** is the newest {_PAGE} runs that the filter lets through. Rare is one run in a"
        " thousand or less. Beside it the driver reads the same columns from a table of its own,"
        " where what is filtered by is a column, with an index for each filter in the order of the"
        " page; it makes nothing of the rows."
    )
    section.note("Each figure is the median of 20 pages one after the other, of the median round.")
    return section


def _pages(bench: Bench, database: str, reel: Reel) -> Iterator[Row]:
    url = raw.url_of(reel)
    with raw.connected(url) as connection:
        _prepare(connection, url)
        for query in _QUERIES:
            sql = (
                f"SELECT {_COLUMNS} FROM raw_runs WHERE {query.where}"
                f" ORDER BY started_at DESC, run_id DESC LIMIT {_PAGE}"
            )
            theirs = connection.execute(sql).fetchall()
            ours = reel.runs(limit=_PAGE, **query.ours)
            if [run.run_id for run in ours] != [row[0] for row in theirs]:
                raise SystemExit(f"the driver finds other runs by {query.what}")
            found = measure.interleaved(
                bench.sizes.rounds,
                {
                    "ours": partial(brief, partial(reel.runs, limit=_PAGE, **query.ours)),
                    "raw": partial(brief, partial(_read, connection, sql)),
                },
            )
            work = f"{query.what}, {database}"
            yield quicker(work, found["ours"], DRIVERS[database], found["raw"], _WITHIN_THREE)
        connection.execute("DROP TABLE raw_runs")


def _read(connection: Any, sql: str) -> None:
    connection.execute(sql).fetchall()


def _prepare(connection: Any, url: str) -> None:
    connection.execute(_TABLE)
    for number, leading in enumerate({query.key for query in _QUERIES}):
        columns = ", ".join(filter(None, (leading, "started_at", "run_id")))
        connection.execute(f"CREATE INDEX raw_runs_{number} ON raw_runs ({columns})")
    if raw.is_postgres(url):
        connection.execute("VACUUM ANALYZE raw_runs")
