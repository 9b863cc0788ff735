"""Parquet: every value that of the JSON, sums those of usage, for readers of other makers."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from unittest import mock

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import runreel
from runreel import RunResult, RunStatus, Usage
from runreel.codec import json_objects
from runreel.export import parquet_table
from tests.cli import stories
from tests.export.tables import events_of, of_json, read, runs_of
from tests.logs import recording_at

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel
    from tests.cli.calls import Caller

DAYS = ("2025-12-30", "2025-12-31", "2026-01-01")
SECRET = "Moon"  # noqa: S105 - it opens nothing


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def tell_at(reel: Reel, run_id: str, at: str, usage: Usage, text: str = "Well") -> None:
    recording = recording_at(reel, run_id, moment(at), labels={"team": "[1] é"})
    recording.append(stories.partial(text))
    recording.result(RunResult(RunStatus.COMPLETED, usage=usage))
    recording.close()


def tell_days(reel: Reel) -> None:
    """Two runs on each of three days, at its first and last microsecond."""
    for n, day in enumerate(DAYS):
        tell_at(reel, f"first-{n}", f"{day}T00:00:00", Usage(n, 2 * n + 1, n + 1))
        tell_at(reel, f"last-{n}", f"{day}T23:59:59.999999", Usage(0, 0, 0), f"The {SECRET}")


@pytest.fixture
def log(reel: Reel) -> Reel:
    """Runs of every kind, of several days; texts are redacted, and two runs are pruned."""
    tell_at(reel, "gone", "2023-05-05", Usage(100, 200, 100))
    assert [run.action for run in reel.prune("2024-01-01")] == ["pruned"]
    tell_at(reel, "kept", "2024-05-05", Usage(5, 7, 2))
    assert [run.action for run in reel.prune("2025-01-01", keep_usage=True)] == ["pruned"]
    tell_days(reel)
    stories.tell_all(reel)
    stories.tell_harm(reel)
    assert list(reel.redact(["last-1", "last-2"], SECRET, reason="r", actor="a"))
    return reel


def columns(path: Path) -> list[str]:
    return list(pq.read_schema(path).names)


def test_every_value_is_that_of_the_json(log: Reel, tmp_path: Path) -> None:
    report = log.export(tmp_path / "x.parquet")
    runs = read(tmp_path / "x.parquet" / "runs.parquet")
    events = read(tmp_path / "x.parquet" / "events.parquet")
    assert [row for row in runs if row["recording"] != "pruned"] == runs_of(log)
    assert events == [row for run in log.runs() for row in events_of(log, run.run_id)]
    pruned = [row for row in runs if row["recording"] == "pruned"]
    assert [(row["run_id"], row["usage_total_tokens"]) for row in pruned] == [("kept", 7)]
    assert (report.runs, report.rows) == (len(runs), len(events))
    halves = str(runs).count("\\ud800") + str(events).count("\\ud800")
    assert halves
    assert "halves of surrogate pairs" in report.notices[0]
    assert "Moon" not in str([row for row in events if row["run_id"] in ("last-1", "last-2")])


def test_columns_are_typed_and_need_no_quotes(log: Reel, tmp_path: Path) -> None:
    log.export(tmp_path / "x.parquet")
    found = {
        name: pq.read_schema(tmp_path / "x.parquet" / f"{name}.parquet")
        for name in ("runs", "events")
    }
    run = of_json(dict(json_objects.run(log.run("run-done"))))
    event = of_json(dict(json_objects.event(next(log.events("run-done")))))
    assert (found["runs"].names, found["events"].names) == ([*run], [*event])
    utc = pa.timestamp("us", tz="UTC")
    others = {
        **{name: utc for schema in found.values() for name in schema.names if name[-3:] == "_at"},
        **{name: pa.int64() for name in run if name.endswith("_tokens")},
        **dict.fromkeys(
            (
                *("seq", "source_index", "kept", "elapsed_us", "events", "last_seq"),
                *("calls", "calls_with_usage"),
            ),
            pa.int64(),
        ),
        **dict.fromkeys(("first_text_ms", "duration_ms"), pa.float64()),
        "is_finished": pa.bool_(),
    }
    for name, schema in found.items():
        for field in schema:
            assert field.type == others.get(field.name, pa.string()), (name, field)
    reserved = {
        word
        for (word,) in duckdb.sql(
            "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
        ).fetchall()
    }
    for name, schema in found.items():
        assert not {*schema.names} & {*reserved, "at", "day", "date", "timestamp", "user", "order"}
        assert all(column.replace("_", "").isalnum() for column in schema.names)
        file = tmp_path / "x.parquet" / f"{name}.parquet"
        unquoted = ", ".join(schema.names)
        rows = duckdb.sql(f"SELECT {unquoted} FROM '{file}'").fetchall()
        assert len(rows) == pq.read_metadata(file).num_rows
        frame = pl.SQLContext(t=pl.scan_parquet(file)).execute(f"SELECT {unquoted} FROM t")
        assert frame.collect().height == len(rows)


def test_sums_are_those_of_usage(log: Reel, tmp_path: Path) -> None:
    log.export(tmp_path / "x.parquet")
    totals = log.usage().totals
    wanted = (
        totals.runs,
        totals.known,
        totals.input_text_tokens,
        totals.completion_tokens,
        totals.total_tokens,
    )
    sums = (
        "count(*), count(usage_total_tokens), sum(usage_input_text_tokens),"
        " sum(usage_completion_tokens), sum(usage_total_tokens)"
    )
    file = tmp_path / "x.parquet" / "runs.parquet"
    assert duckdb.sql(f"SELECT {sums} FROM '{file}'").fetchall() == [wanted]
    context = pl.SQLContext(runs=pl.scan_parquet(file))
    assert context.execute(f"SELECT {sums} FROM runs").collect().row(0) == wanted
    assert totals.unknown == totals.runs - totals.known > 0


def test_days_are_partitions(log: Reel, tmp_path: Path) -> None:
    log.export(tmp_path / "one.parquet")
    log.export(tmp_path / "days.parquet", partition="day")
    folder = tmp_path / "days.parquet"
    by_day = {item.key: item for item in log.usage(by=["day"], tz="UTC").items}
    for table in ("runs", "events"):
        whole = read(tmp_path / "one.parquet" / f"{table}.parquet")
        parts = sorted((folder / table).iterdir(), reverse=True)
        assert [row for part in parts for row in read(part / "part-0.parquet")] == whole
    assert {part.name for part in (folder / "runs").iterdir()} == {
        f"day={day}" for (day,) in by_day
    }
    counted = duckdb.sql(
        f"SELECT strftime(day, '%Y-%m-%d'), count(*), sum(usage_total_tokens)"
        f" FROM '{folder}/runs/*/*.parquet' GROUP BY day"
    ).fetchall()
    assert {(day,): (runs, total) for day, runs, total in counted} == {
        key: (item.totals.runs, item.totals.total_tokens) for key, item in by_day.items()
    }
    events = pl.scan_parquet(folder / "events", hive_partitioning=True)
    days = events.group_by("day").agg(pl.col("run_id").n_unique()).collect()
    # The day of the pruned run has no events.
    assert {str(day): runs for day, runs in days.rows()} == {
        day: item.totals.runs for (day,), item in by_day.items() if day != "2024-05-05"
    }


@pytest.mark.parametrize("partition", [None, "day"])
def test_an_empty_log_has_empty_tables(reel: Reel, tmp_path: Path, partition: str | None) -> None:
    report = reel.export(tmp_path / "x.parquet", partition=partition)
    assert (report.runs, report.rows) == (0, 0)
    for table in ("runs", "events"):
        files = f"{tmp_path}/x.parquet/{table}" + ("/*/*.parquet" if partition else ".parquet")
        assert duckdb.sql(f"SELECT count(*), count(run_id) FROM '{files}'").fetchall() == [(0, 0)]
        assert pl.scan_parquet(files).select("run_id").collect().height == 0


def test_runs_and_filters_select(log: Reel, tmp_path: Path) -> None:
    def ids(**options: Any) -> list[str]:
        log.export(tmp_path / "x.parquet", force=True, **options)
        found = read(tmp_path / "x.parquet" / "runs.parquet")
        events = {row["run_id"] for row in read(tmp_path / "x.parquet" / "events.parquet")}
        assert events == {row["run_id"] for row in found if row["recording"] != "pruned"}
        return [row["run_id"] for row in found]

    assert ids(run_ids=["first-1", "last-0", "run-done", "last-1"]) == [
        "run-done",
        "last-1",
        "first-1",
        "last-0",
    ]
    assert ids(since=moment(DAYS[1]), until=moment(DAYS[2])) == ["last-1", "first-1"]
    assert ids(run_ids=["kept"]) == ["kept"]
    report = log.export(tmp_path / "y.parquet", ["gone", "first-1"])
    assert (report.runs, report.notices) == (
        1,
        ("1 run was pruned without its usage, and has no row",),
    )


def test_texts_do_not_grow_with_their_square(reel: Reel, tmp_path: Path) -> None:
    with reel.recording("run-1") as recording:
        text = ""
        for n in range(400):
            text += f"Слово {n * n % 97} "
            recording.append(stories.partial(text))
    reel.export(tmp_path / "x.parquet")
    file = tmp_path / "x.parquet" / "events.parquet"
    group = pq.read_metadata(file).row_group(0)
    column = group.column(columns(file).index("text"))
    assert column.total_uncompressed_size < 4 * len(text.encode())
    assert read(file) == events_of(reel, "run-1")


def test_long_logs_are_written_in_parts(log: Reel, tmp_path: Path) -> None:
    log.export(tmp_path / "x.parquet")
    limits = {"_ROWS": 3, "_GROUP_ROWS": 7}
    with mock.patch.multiple(parquet_table, **limits):
        log.export(tmp_path / "parts.parquet")
    with mock.patch.multiple(parquet_table, _CHARACTERS=10, _GROUP_BYTES=100):
        log.export(tmp_path / "small.parquet")
    for table in ("runs", "events"):
        whole = read(tmp_path / "x.parquet" / f"{table}.parquet")
        file = tmp_path / "parts.parquet" / f"{table}.parquet"
        assert read(file) == whole
        assert read(tmp_path / "small.parquet" / f"{table}.parquet") == whole
        found = pq.read_metadata(file)
        sizes = [found.row_group(n).num_rows for n in range(found.num_row_groups)]
        assert sizes[:-1] == [9] * (len(sizes) - 1)


def test_only_its_own_folder_is_replaced(log: Reel, tmp_path: Path) -> None:
    folder = tmp_path / "x.parquet"
    log.export(folder, ["run-done"])
    with pytest.raises(runreel.UsageError, match="already exists"):
        log.export(folder)
    log.export(folder, ["run-failed"], partition="day", force=True)
    assert sorted(entry.name for entry in folder.iterdir()) == ["events", "runs"]
    log.export(folder, ["run-failed"], force=True)
    assert [row["run_id"] for row in read(folder / "runs.parquet")] == ["run-failed"]
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(runreel.UsageError, match=r"has files of others: mine\.txt"):
        log.export(folder, force=True)
    assert (folder / "mine.txt").read_text() == "mine"
    (tmp_path / "file.parquet").write_text("mine")
    with pytest.raises(runreel.UsageError, match="is a file"):
        log.export(tmp_path / "file.parquet", force=True)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not list(tmp_path.glob(".runreel*"))


def test_bad_options_leave_nothing(log: Reel, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    with pytest.raises(runreel.UsageError, match="unknown partition 'week'"):
        log.export(path, partition="week")
    with pytest.raises(runreel.UsageError, match="no option table"):
        log.export(path, table="runs")
    with (
        mock.patch.dict(sys.modules, {"pyarrow": None}),
        pytest.raises(runreel.MissingExtra, match="pyarrow") as missing,
    ):
        log.export(path)
    assert missing.value.hint == "pip install 'runreel[parquet]'"
    assert not path.exists()
    assert not list(tmp_path.glob(".runreel*"))


def test_a_damaged_row_leaves_nothing(reel: Reel, tmp_path: Path) -> None:
    stories.tell_all(reel)
    with reel.db.writing() as connection:
        if connection.driver.backend == "sqlite":
            connection.execute("DROP TRIGGER events_guard_update")
        else:
            connection.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        connection.execute("UPDATE events SET payload = '{' WHERE run_id = 'run-failed'")
    with pytest.raises(runreel.LogError, match="run-failed"):
        reel.export(tmp_path / "x.parquet")
    assert not list(tmp_path.glob("*.parquet")) + list(tmp_path.glob(".runreel*"))


def test_the_command_line(told_sqlite: Caller, tmp_path: Path) -> None:
    said = told_sqlite.good("export", "--partition", "day", "--out", "x.parquet", "--json").json
    assert (said["format"], said["runs"]) == ("parquet", 4)
    runs = told_sqlite.good("runs", "-n", "0", "--json").json["items"]
    found = pl.read_parquet("x.parquet/runs", hive_partitioning=True)
    assert found["run_id"].to_list() == [run["run_id"] for run in runs]
    assert [json.loads(text) for text in found["labels"]] == [run["labels"] for run in runs]
    for words in (("--table", "runs"), ("--mask", "secrets"), ("--partition", "week")):
        called = told_sqlite("export", *words, "--out", "y.parquet")
        assert called.code == 2, words
    told_sqlite.good("export", "--out", "x.reel.jsonl")
    of_file = told_sqlite.bare("--db", "x.reel.jsonl", "export", "--out", "of-file.parquet")
    assert of_file.code == 0
    told_sqlite.good("export", "--out", "of-log.parquet")
    for table in ("runs", "events"):
        assert read(tmp_path.cwd() / f"of-file.parquet/{table}.parquet") == read(
            tmp_path.cwd() / f"of-log.parquet/{table}.parquet"
        )
