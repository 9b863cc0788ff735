"""Pages of a long list of runs, by every filter, compared with the driver's own indexed queries."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.timestamps import to_micros
from runreel.projection.run_mapper import SUMMARY
from tests.benchmarks import filling, measure, raw
from tests.benchmarks.bench import DATABASES, DRIVERS
from tests.benchmarks.page import Goal, Section, quicker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.page import Row

_PAGE = 50
_WITHIN_THREE = Goal(at_least=1 / 3)
_MIDDLE = filling.NOW - timedelta(days=filling.DAYS / 2)
_COLUMNS = ", ".join(f"r.{column}" for column in SUMMARY)


class _Query(NamedTuple):
    """A filter of ours, and what the driver asks instead; of labels first, if of any."""

    what: str
    ours: dict[str, Any]
    where: str = ""
    values: tuple[Any, ...] = ()

    @property
    def sql(self) -> str:
        """What the driver is asked."""
        labelled = "labels" in self.ours
        tables = "raw_labels AS l CROSS JOIN raw_runs AS r" if labelled else "raw_runs AS r"
        place = "l" if labelled else "r"
        where = f" WHERE {self.where}" if self.where else ""
        return (
            f"SELECT {_COLUMNS} FROM {tables}{where}"
            f" ORDER BY {place}.started_at DESC, {place}.run_id DESC LIMIT {_PAGE}"
        )


_LABEL = "l.key = ? AND l.value = ? AND r.run_id = l.run_id"
_STATUS, _TEAM, _ENV = "r.status = ?", ("team", "team-9"), ("env", "prod")

_QUERIES = (
    _Query("no filter", {}),
    _Query("status, common", {"status": "COMPLETED"}, _STATUS, ("COMPLETED",)),
    _Query("status, rare", {"status": "TOOL_CALLS"}, _STATUS, ("TOOL_CALLS",)),
    _Query("source, rare", {"source": "openai-chat"}, "r.source = ?", ("openai-chat",)),
    _Query("assistant", {"assistant": "asst-7"}, "r.assistant_id = ?", ("asst-7",)),
    _Query("thread, rare", {"thread": "thread-7"}, "r.thread_id = ?", ("thread-7",)),
    _Query("model", {"model": "model-3"}, "r.model = ?", ("model-3",)),
    _Query("recording, rare", {"recording": "interrupted"}, "r.recording = ?", ("interrupted",)),
    _Query("until", {"until": _MIDDLE}, "r.started_at < ?", (to_micros(_MIDDLE),)),
    _Query("since", {"since": _MIDDLE}, "r.started_at >= ?", (to_micros(_MIDDLE),)),
    _Query("errors", {"has_error": True}, "r.error IS NOT NULL"),
    _Query("no usage, rare", {"no_usage": True}, "r.total_tokens IS NULL"),
    _Query("label", {"labels": dict([_TEAM])}, _LABEL, _TEAM),
    _Query(
        "assistant and status",
        {"assistant": "asst-7", "status": "FAILED"},
        f"r.assistant_id = ? AND {_STATUS}",
        ("asst-7", "FAILED"),
    ),
    _Query(
        "label and status",
        {"labels": dict([_TEAM]), "status": "FAILED"},
        f"{_LABEL} AND {_STATUS}",
        (*_TEAM, "FAILED"),
    ),
    _Query(
        "label, common, and thread, rare",
        {"labels": dict([_ENV]), "thread": "thread-7"},
        f"{_LABEL} AND r.thread_id = ?",
        (*_ENV, "thread-7"),
    ),
    _Query(
        "status and errors, both common, never together",
        {"status": "COMPLETED", "has_error": True},
        f"{_STATUS} AND r.error IS NOT NULL",
        ("COMPLETED",),
    ),
)

# The indexes of the driver's own table: one for each filter, in the order of a page.
_INDEXES = (
    "(started_at, run_id)",
    *(
        f"({column}, started_at, run_id)"
        for column in ("source", "status", "assistant_id", "thread_id", "model", "recording")
    ),
    *(
        f"(started_at, run_id) WHERE {condition}"
        for condition in ("error IS NOT NULL", "total_tokens IS NULL")
    ),
)


def run(bench: Bench) -> Section:
    """A page by each filter."""
    section = Section(f"Pages of {bench.sizes.runs:,} runs")
    for database in DATABASES:
        section.rows += _pages(bench, database, bench.long_list(database))
    section.note(
        f"**A page** is the newest {_PAGE} runs that match the filter. Rare is one run in a"
        " thousand or less. The baseline queries two tables of its own, of runs and of their"
        " labels, for the same columns, with an index for each filter in the order of the page."
        " The values are parameters, and the rows are not converted to objects."
    )
    section.note(
        "**Two filters**: neither side has an index for each pair of filters. runreel reads the"
        " runs that match the rarer one, which costs a count; the driver reads those of the"
        " label, or uses the plan of the database."
    )
    section.note(
        "Each figure is the median of 20 pages, alternating between runreel and the driver, in"
        " the median round."
    )
    return section


def _pages(bench: Bench, database: str, reel: Reel) -> Iterator[Row]:
    url = raw.url_of(reel)
    with raw.connected(url) as connection:
        _prepare(connection, url)
        for query in _QUERIES:
            theirs = partial(_read, connection, _spelled(query.sql, url), query.values)
            ours = partial(reel.runs, limit=_PAGE, **query.ours)
            if [run.run_id for run in ours()] != [row[0] for row in theirs()]:
                raise SystemExit(f"the driver finds other runs by {query.what}")
            found = measure.alternating(bench.sizes.rounds, {"ours": ours, "raw": theirs})
            work = f"{query.what}, {database}"
            yield quicker(work, found["ours"], DRIVERS[database], found["raw"], _WITHIN_THREE)
        connection.execute("DROP TABLE raw_runs")
        connection.execute("DROP TABLE raw_labels")


def _spelled(sql: str, url: str) -> str:
    return sql.replace("?", "%s") if raw.is_postgres(url) else sql


def _read(connection: Any, sql: str, values: tuple[Any, ...]) -> list[Any]:
    rows: list[Any] = connection.execute(sql, values).fetchall()
    return rows


def _prepare(connection: Any, url: str) -> None:
    connection.execute(f"CREATE TABLE raw_runs AS SELECT {', '.join(SUMMARY)} FROM runs")
    for number, columns in enumerate(_INDEXES):
        connection.execute(f"CREATE INDEX raw_runs_{number} ON raw_runs {columns}")
    connection.execute("CREATE UNIQUE INDEX raw_runs_key ON raw_runs (run_id)")
    connection.execute("CREATE TABLE raw_labels AS SELECT * FROM run_labels")
    connection.execute(
        "CREATE UNIQUE INDEX raw_labels_key ON raw_labels (key, value, started_at, run_id)"
    )
    if raw.is_postgres(url):
        connection.execute("VACUUM ANALYZE raw_runs, raw_labels")
