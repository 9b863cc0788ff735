"""CSV files hold what the commands print."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runreel
from tests.cli import stories

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from tests.cli.calls import Caller


def _rows(text: str) -> list[list[str]]:
    return [*csv.reader(io.StringIO(text, newline=""))]


def _without_costs(printed: str) -> list[list[str]]:
    """What ``runs`` prints but for the costs, which depend on a price book."""
    rows = _rows(printed)
    assert rows[0][-2:] == ["cost", "currency"]
    return [row[:-2] for row in rows]


def test_a_file_holds_what_commands_print(told: Caller) -> None:
    with runreel.open(told.url) as reel:
        stories.tell_harm(reel)
        runs = [run.run_id for run in reel.runs()]
    said = told.good("export", "--out", "runs.csv", "--json").json
    assert (said["format"], said["runs"], said["rows"]) == ("csv", len(runs), len(runs))
    assert _rows(_exact("runs.csv")) == _without_costs(
        told.good("runs", "-n", "0", "-o", "csv").out
    )
    said = told.good("export", "--table", "events", "--out", "events.csv", "--json").json
    printed = told.good("events", *runs, "-o", "csv").out
    # Those who call a command here take a half of a surrogate pair for "?".
    half = "\\ud800"
    assert _exact("events.csv").replace(half, "?") == printed.replace(half, "?")
    with Path("events.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    assert len(rows) == said["rows"]
    assert not any(
        cell[:1] in ("=", "+", "-", "@") for row in rows for cell in row.values() if cell
    )
    told.good("export", "--status", "failed", "--model", "model-b", "--out", "failed.csv")
    failed = told.good("runs", "--status", "failed", "--model", "model-b", "-o", "csv").out
    assert _rows(_exact("failed.csv")) == _without_costs(failed)


def _exact(file: str) -> str:
    """The text of a file with its line ends."""
    return Path(file).read_bytes().decode()


def test_of_pruned_runs_the_whole_log_has_what_usage_counts(reel: Reel, tmp_path: Path) -> None:
    stories.tell_all(reel)
    assert list(reel.prune("2999-01-01", keep_usage=True))
    reel.export(tmp_path / "x.csv")
    with (tmp_path / "x.csv").open(encoding="utf-8", newline="") as file:
        rows = [*csv.DictReader(file)]
    totals = reel.usage().totals
    assert len(rows) == totals.runs
    known = [row["usage.total_tokens"] for row in rows if row["usage.total_tokens"]]
    assert (len(known), sum(map(int, known))) == (totals.known, totals.total_tokens)
    assert {row["recording"] for row in rows} == {"open", "pruned"}


def test_bad_options_leave_nothing(reel: Reel, tmp_path: Path) -> None:
    with pytest.raises(runreel.UsageError, match="unknown table 'rows'"):
        reel.export(tmp_path / "x.csv", table="rows")
    with pytest.raises(runreel.UsageError, match="no option partition"):
        reel.export(tmp_path / "x.csv", partition="day")
    assert not list(tmp_path.glob("*.csv")) + list(tmp_path.glob(".runreel*"))
    report = reel.export(tmp_path / "x.csv")
    assert (report.runs, report.rows) == (0, 0)
    assert (tmp_path / "x.csv").read_text().startswith("run_id,source,status,")
