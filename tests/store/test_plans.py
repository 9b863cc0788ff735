"""Pages and reports of many runs are read along an index, as the databases' own planners say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from runreel.model import columns
from runreel.model.selection import RunFilter, choose
from runreel.model.status import RunStatus
from runreel.model.timestamps import to_micros
from runreel.store.database import Database
from runreel.store.projections import (
    run_key_queries,
    run_queries,
    usage_queries,
    usage_rollup_check,
)
from runreel.store.schema.tables import runs as runs_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.store.connection import Connection

RUNS = 20_000
START = datetime(2026, 1, 1, tzinfo=UTC)
MIDDLE = START + timedelta(minutes=5 * RUNS / 2)
AFTER = (to_micros(MIDDLE), "run-00010000")
STALE = tuple(f"run-{number:08d}" for number in range(3, RUNS, 2_000))


def row(number: int) -> dict[str, Any]:
    """A run that differs from others in all that a list is filtered by."""
    rare = number % 1_000
    told = dict.fromkeys(columns.RUNS)
    return told | {
        "run_id": f"run-{number:08d}",
        "source": "openai-chat" if rare == 1 else "plain",
        "status": "TOOL_CALLS"
        if rare in (2, 3, 4) and number % 2_000 != 4
        else "FAILED"
        if number % 20 == 0
        else "COMPLETED",
        "recording": ("open", "interrupted", "pruned")[rare - 3] if 3 <= rare < 6 else "closed",
        "assistant_id": f"asst-{number % 50}",
        "thread_id": f"thread-{number % 40}",
        "model": f"model-{number % 30}",
        "labels": json.dumps({"env": f"env-{number % 2}", "team": f"team-{number % 20}"}),
        "error": "it failed" if number % 20 == 0 else None,
        "started_at": to_micros(START + timedelta(minutes=5 * number)),
        "total_tokens": None if rare == 7 else 3,
        "input_text_tokens": None if rare == 7 else 1,
        "completion_tokens": None if rare == 7 else 2,
        "response_id": f"resp-{number}" if number % 2 else None,
        "events": 40,
        "result": b"r" * 200,
        "projected_seq": 42,
    }


@pytest.fixture(scope="module")
def many(shared_url: str) -> Iterator[Database]:
    """A log whose projections have many runs, and whose statistics are up to date."""
    database = Database(shared_url)
    rows = [row(number) for number in range(RUNS)]
    labels = [
        (name, value, one["started_at"], one["run_id"])
        for one in rows
        for name, value in json.loads(one["labels"]).items()
    ]
    keys = [
        ("response", one["response_id"], one["started_at"], one["run_id"], 42)
        for one in rows
        if one["response_id"]
    ]
    with database.writing() as connection:
        with connection.transaction():
            marks = ", ".join("?" * len(columns.RUNS))
            connection.executemany(
                f"INSERT INTO runs ({', '.join(columns.RUNS)}) VALUES ({marks})",
                [list(one.values()) for one in rows],
            )
            connection.executemany("INSERT INTO run_labels VALUES (?, ?, ?, ?)", labels)
            connection.executemany("INSERT INTO run_keys VALUES (?, ?, ?, ?, ?)", keys)
            usage_rollup_check.repair(connection)
        connection.execute("ANALYZE")
    yield database
    database.close()


class Asked:
    """Stands for a connection: takes the statement that answers with rows, and answers none."""

    def __init__(self, connection: Connection) -> None:
        self.driver, self.one = connection.driver, connection.one
        self.sql, self.parameters = "", ()

    def all(self, sql: str, parameters: Any) -> list[Any]:
        self.sql, self.parameters = sql, parameters
        return []


def steps(database: Database, ask: Callable[[Any], object]) -> list[str]:
    """The plan of what is asked of a connection: a line for each step."""
    with database.reading() as connection:
        asked = Asked(connection)
        ask(asked)
        if not database.url.postgres:
            plan = connection.all(f"EXPLAIN QUERY PLAN {asked.sql}", asked.parameters)
            return [step[-1] for step in plan]
        found = connection.one(f"EXPLAIN (FORMAT JSON) {asked.sql}", asked.parameters)
        return list(_steps(found[0][0]["Plan"]))


def _steps(node: dict[str, Any]) -> Iterator[str]:
    table = f"on {node['Relation Name']}" if "Relation Name" in node else None
    words = (node["Node Type"], table, node.get("Index Name"), node.get("Index Cond"))
    yield " ".join(filter(None, words))
    for inner in node.get("Plans", ()):
        yield from _steps(inner)


FILTERS = {
    "no filter": (RunFilter(), "runs_by_start"),
    "source": (RunFilter(source=("plain",)), "runs_by_"),
    "rare source": (RunFilter(source=("openai-chat",)), "runs_by_source"),
    "status": (RunFilter(status=choose([RunStatus.FAILED])), "runs_by_status"),
    "rare status": (RunFilter(status=choose([RunStatus.TOOL_CALLS])), "runs_by_status"),
    "assistant": (RunFilter(assistant=("asst-7",)), "runs_by_assistant"),
    "thread": (RunFilter(thread=("thread-7",)), "runs_by_thread"),
    "model": (RunFilter(model=("model-3",)), "runs_by_model"),
    "open": (RunFilter(recording=("open",)), "runs_by_recording"),
    "interrupted": (RunFilter(recording=("interrupted",)), "runs_by_recording"),
    "pruned": (RunFilter(recording=("pruned",)), "runs_by_recording"),
    "closed": (RunFilter(recording=("closed",)), "runs_by_start"),
    "error": (RunFilter(has_error=True), "runs_with_error"),
    "no usage": (RunFilter(no_usage=True), "runs_without_usage"),
    "since": (RunFilter(since=MIDDLE), "runs_by_start"),
    "until": (RunFilter(until=MIDDLE), "runs_by_start"),
    "label": (RunFilter(labels={"team": ("team-9",)}), "run_labels"),
    "common label": (RunFilter(labels={"env": ("env-1",)}), "run_labels"),
    "two labels": (RunFilter(labels={"team": ("team-9",), "env": ("env-1",)}), "run_labels"),
    "label since": (RunFilter(labels={"team": ("team-9",)}, since=MIDDLE), "run_labels"),
}
# Of several the rarest leads, wherever it stands.
SEVERAL = {
    "assistant and status": (
        RunFilter(assistant=("asst-7",), status=choose([RunStatus.COMPLETED])),
        "runs_by_assistant",
    ),
    "model and rare status": (
        RunFilter(model=("model-2",), status=choose([RunStatus.TOOL_CALLS])),
        "runs_by_status",
    ),
    "source and open": (RunFilter(source=("plain",), recording=("open",)), "runs_by_recording"),
    "status and no usage": (
        RunFilter(status=choose([RunStatus.COMPLETED]), no_usage=True),
        "runs_without_usage",
    ),
    "error and rare source": (RunFilter(has_error=True, source=("openai-chat",)), "runs_by_source"),
    "thread and common label": (
        RunFilter(thread=("thread-7",), labels={"env": ("env-1",)}),
        "runs_by_thread",
    ),
    "source and label": (RunFilter(source=("plain",), labels={"team": ("team-9",)}), "run_labels"),
}
# Of several values of one condition each is read along its index, and the newest of all taken.
ANY_OF = {
    "two models": (RunFilter(model=("model-3", "model-4")), "runs_by_model"),
    "two statuses": (RunFilter(status=choose(["failed", "completed"])), "runs_by_status"),
    "two threads": (RunFilter(thread=("thread-7", "thread-8")), "runs_by_thread"),
    "two sources": (RunFilter(source=("plain", "openai-chat")), "runs_by_"),
    "two recordings": (RunFilter(recording=("open", "interrupted")), "runs_by_recording"),
    "two teams": (RunFilter(labels={"team": ("team-9", "team-8")}), "run_labels"),
    "two teams and two models": (
        RunFilter(labels={"team": ("team-9", "team-8")}, model=("model-3", "model-8")),
        "run_labels",
    ),
    "two models since": (RunFilter(model=("model-3", "model-4"), since=MIDDLE), "runs_by_model"),
    "interrupted runs": (RunFilter(status=choose(["interrupted"])), "runs_by_recording"),
    "stale runs": (RunFilter(status=choose(["stale"]), stale=STALE), "runs_by_recording"),
    "problems": (RunFilter(status=choose([], problems=True), stale=STALE), "runs_by_status"),
}
# Where the newest of the index are the newest of these, a page needs no range of it.
FROM_ITS_END = ("no filter", "closed", "error", "no usage")


@pytest.mark.parametrize("after", [None, AFTER], ids=["first", "next"])
@pytest.mark.parametrize("name", FILTERS)
def test_a_page_is_read_along_an_index_in_its_order(
    many: Database, name: str, after: tuple[int, str] | None
) -> None:
    chosen, index = FILTERS[name]
    plan = steps(many, lambda asked: run_queries.page(asked, chosen, limit=51, after=after))
    told = "\n".join(plan)
    ranged = after is not None or name not in FROM_ITS_END
    common = name == "source" and many.url.postgres
    assert not any("Sort" in step or "TEMP B-TREE" in step for step in plan), told
    if many.url.postgres:
        # A table of a few rows is best read whole.
        scans = [step for step in plan if "Scan" in step and "runreel_meta" not in step]
        assert all(step.startswith(("Index Scan", "Index Only Scan")) for step in scans), told
        assert any(index in step and ("(" in step) == ranged for step in scans) or common, told
    else:
        index = "PRIMARY KEY" if index == "run_labels" else f"INDEX {index}"
        first, *others = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
        assert first.startswith("SEARCH" if ranged else "SCAN"), told
        assert index in first, told
        assert all(step.startswith("SEARCH") for step in others), told


@pytest.mark.parametrize("after", [None, AFTER], ids=["first", "next"])
@pytest.mark.parametrize("name", SEVERAL)
def test_of_several_filters_the_rarest_leads(
    many: Database, name: str, after: tuple[int, str] | None
) -> None:
    chosen, index = SEVERAL[name]
    plan = steps(many, lambda asked: run_queries.page(asked, chosen, limit=51, after=after))
    told = "\n".join(plan)
    if many.url.postgres:
        # Where few runs meet both, a server may look both up, and sort what it finds.
        assert not any("Seq Scan on run" in step for step in plan if "meta" not in step), told
        assert any(index in step for step in plan), told
    else:
        index = "PRIMARY KEY" if index == "run_labels" else f"INDEX {index}"
        first, *others = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
        assert index in first, told
        assert all(step.startswith("SEARCH") for step in others), told
        assert not any("TEMP B-TREE" in step for step in plan), told


@pytest.mark.parametrize("after", [None, AFTER], ids=["first", "next"])
@pytest.mark.parametrize("name", ANY_OF)
def test_several_values_are_each_read_along_an_index(
    many: Database, name: str, after: tuple[int, str] | None
) -> None:
    chosen, index = ANY_OF[name]
    plan = steps(many, lambda asked: run_queries.page(asked, chosen, limit=51, after=after))
    told = "\n".join(plan)
    if many.url.postgres:
        assert not any("Seq Scan on run" in step for step in plan if "meta" not in step), told
        assert index in told, told
    else:
        index = "l USING PRIMARY KEY" if index == "run_labels" else f"INDEX {index}"
        scans = [step for step in plan if step.startswith(("SCAN r", "SCAN l", "SCAN events"))]
        assert scans == [], told
        assert index in told, told
        # What is sorted is a page of each part.
        parts = sum(step.startswith("SCAN p") for step in plan)
        assert sum("TEMP B-TREE" in step for step in plan) <= parts, told


@pytest.mark.parametrize("name", ANY_OF)
def test_no_more_rows_are_looked_at_than_some_pages_have(many: Database, name: str) -> None:
    """The work for a page, as SQLite counts it, does not grow with the runs of a value."""
    if many.url.postgres:
        return
    chosen, _ = ANY_OF[name]
    with many.reading() as connection:
        asked = Asked(connection)
        run_queries.page(asked, chosen, limit=51, after=None)
        done = 0

        def count() -> int:
            nonlocal done
            done += 1
            return 0

        connection.raw.set_progress_handler(count, 1_000)
        rows = connection.all(asked.sql, asked.parameters)
        connection.raw.set_progress_handler(None, 0)
    assert rows
    assert done < 200, f"{done} thousand steps for {name}"


def test_runs_to_follow_are_found_along_indexes(many: Database) -> None:
    since, some = to_micros(START + timedelta(minutes=5 * (RUNS - 9))), ["run-00000003", "none"]
    plan = steps(many, lambda asked: run_queries.open_since(asked, since, some))
    told = "\n".join(plan)
    assert "runs_by_recording" in told
    assert "runs_by_start" in told
    assert not any(step.startswith(("SCAN r", "SCAN e", "Seq Scan on runs")) for step in plan), told


@pytest.mark.slow
def test_pages_after_each_other_are_all_runs_of_a_filter(many: Database) -> None:
    meant = [(one["run_id"], lets_through(one)) for one in map(row, reversed(range(RUNS)))]
    for name, (chosen, _) in (FILTERS | SEVERAL | ANY_OF).items():
        found: list[str] = []
        after = None
        with many.reading() as connection:
            while page := run_queries.page(connection, chosen, limit=997, after=after):
                found += [run.run_id for run in page]
                after = (to_micros(page[-1].started_at), page[-1].run_id)
            whole = run_queries.page(connection, chosen, limit=0, after=None)
        due = [run_id for run_id, through in meant if name in through]
        assert found == [run.run_id for run in whole] == due, name


def lets_through(one: dict[str, Any]) -> set[str]:
    """The names of the filters that a run passes."""
    labels = json.loads(one["labels"])
    unfinished = one["status"] not in ("COMPLETED", "FAILED")
    interrupted = unfinished and one["recording"] == "interrupted"
    stale = unfinished and one["recording"] == "open" and one["run_id"] in STALE
    moment = START + timedelta(microseconds=one["started_at"] - to_micros(START))
    passed = {
        "no filter": True,
        "source": one["source"] == "plain",
        "rare source": one["source"] == "openai-chat",
        "status": one["status"] == "FAILED",
        "rare status": one["status"] == "TOOL_CALLS",
        "assistant": one["assistant_id"] == "asst-7",
        "thread": one["thread_id"] == "thread-7",
        "model": one["model"] == "model-3",
        "open": one["recording"] == "open",
        "interrupted": one["recording"] == "interrupted",
        "pruned": one["recording"] == "pruned",
        "closed": one["recording"] == "closed",
        "error": one["error"] is not None,
        "no usage": one["total_tokens"] is None,
        "since": moment >= MIDDLE,
        "until": moment < MIDDLE,
        "label": labels["team"] == "team-9",
        "common label": labels["env"] == "env-1",
        "two labels": labels == {"team": "team-9", "env": "env-1"},
        "label since": labels["team"] == "team-9" and moment >= MIDDLE,
        "assistant and status": (one["assistant_id"], one["status"]) == ("asst-7", "COMPLETED"),
        "model and rare status": (one["model"], one["status"]) == ("model-2", "TOOL_CALLS"),
        "source and open": (one["source"], one["recording"]) == ("plain", "open"),
        "status and no usage": one["status"] == "COMPLETED" and one["total_tokens"] is None,
        "error and rare source": one["error"] is not None and one["source"] == "openai-chat",
        "thread and common label": one["thread_id"] == "thread-7" and labels["env"] == "env-1",
        "source and label": one["source"] == "plain" and labels["team"] == "team-9",
        "two models": one["model"] in ("model-3", "model-4"),
        "two statuses": one["status"] in ("FAILED", "COMPLETED"),
        "two threads": one["thread_id"] in ("thread-7", "thread-8"),
        "two sources": one["source"] in ("plain", "openai-chat"),
        "two recordings": one["recording"] in ("open", "interrupted"),
        "two teams": labels["team"] in ("team-9", "team-8"),
        "two teams and two models": labels["team"] in ("team-9", "team-8")
        and one["model"] in ("model-3", "model-8"),
        "two models since": one["model"] in ("model-3", "model-4") and moment >= MIDDLE,
        "interrupted runs": interrupted,
        "stale runs": stale,
        "problems": one["status"] == "FAILED" or interrupted or stale,
    }
    pruned = one["recording"] == "pruned"
    return {name for name, holds in passed.items() if holds and (name == "pruned" or not pruned)}


LAST_WEEK = RunFilter(since=START + timedelta(minutes=5 * RUNS - 10_000, seconds=7))
AHEAD = [(1_963_584, 10_800)]
REPORTS = {
    "by day": ([], LAST_WEEK, AHEAD),
    "by half an hour ahead": ([], LAST_WEEK, [(1_963_584, 12_600)]),
    "by model": (["model"], LAST_WEEK, None),
    "by day and model": (["model"], LAST_WEEK, AHEAD),
    "by day of a model": ([], replace(LAST_WEEK, model=("model-3",)), AHEAD),
    "by day of a thread": ([], RunFilter(thread=("thread-7",)), AHEAD),
    "in all": ([], RunFilter(), None),
}


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_reads_no_more_runs_than_it_has_to(many: Database, name: str) -> None:
    columns, chosen, ahead = REPORTS[name]
    plan = steps(many, lambda asked: usage_queries.usage(asked, columns, chosen, utc_offsets=ahead))
    told = "\n".join(plan)
    if many.url.postgres:
        assert not any(step.startswith("Seq Scan on runs") for step in plan), told
    else:
        assert not any(step.startswith(("SCAN r", "SCAN l")) for step in plan), told


def test_a_response_is_found_by_its_index(many: Database) -> None:
    plan = steps(many, lambda asked: run_key_queries.run_of_response(asked, "plain", "resp-77"))
    told = "\n".join(plan)
    if many.url.postgres:
        assert "Seq Scan" not in told, told
    else:
        assert "SCAN" not in told, told


@pytest.mark.parametrize("waiting", [False, True])
def test_requests_are_found_by_their_index(many: Database, waiting: bool) -> None:
    keys = ["a", "b", "c"]
    plan = steps(many, lambda asked: run_key_queries.requests_with(asked, keys, waiting=waiting))
    told = "\n".join(plan)
    assert "run_keys_pkey" in told if many.url.postgres else "SCAN k" not in told, told


def test_the_columns_of_a_row_are_those_of_the_table() -> None:
    assert tuple(column.name for column in runs_table.columns) == columns.RUNS


def test_the_columns_that_indexes_have_are_known() -> None:
    """Where one of these stays as it is, it is not written, and no index is touched."""
    told = {column.name for index in runs_table.indexes for column in index.columns}
    for index in runs_table.indexes:
        where = str(index.dialect_options["sqlite"]["where"])
        told |= {column for column in columns.RUNS if column in where.split()}
    assert told - {"run_id"} == set(columns.INDEXED)
