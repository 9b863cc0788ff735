"""A report over a cluster: the program of the how-to page, over other runs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import runreel
from tests.cli import stories
from tests.docs.checkout import CHECKOUT
from tests.docs.snippets import blocks
from tests.export.test_parquet import tell_days

if TYPE_CHECKING:
    from pathlib import Path


PAGE = CHECKOUT / "docs" / "how-to" / "report-dask.md"


@pytest.mark.slow
def test_two_workers_count_what_usage_counts(tmp_path: Path) -> None:
    page = blocks(PAGE.read_text("utf-8"))
    for block in page:
        if block.file:
            (tmp_path / block.file).write_text(block.text)
    with runreel.open(tmp_path / "log.db") as reel:
        assert not reel.import_file(tmp_path / "runs.jsonl").problems
        tell_days(reel)
        stories.tell_done(reel)
        reel.export(tmp_path / "log.parquet", partition="day")
        by_day = reel.usage(by=["day"], tz="UTC").items
    done = subprocess.run(
        [sys.executable, "by_day.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (shown,) = (block.text for block in page if block.language == "text")
    assert {*shown.splitlines()} <= {*done.stdout.splitlines()}
    assert len(by_day) == 6
    assert [line.split() for line in done.stdout.splitlines()[1:]] == [
        [*item.key, *map(str, (item.totals.runs, item.totals.known, item.totals.total_tokens))]
        for item in by_day
    ]
