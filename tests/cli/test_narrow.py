"""Tables on a narrow terminal: none is wider than it, ids keep both their ends."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
import pytest
from rich.cells import cell_len

import runreel
from runreel import RunResult, RunStatus, Usage
from tests.cli.calls import on_terminal
from tests.cli.stories import partial

if TYPE_CHECKING:
    from tests.cli.calls import Caller

ID = "resp_0683abcdef0123456789abcdef0123456789abcdef0123456789"
MANY = 123_456_789
PLAIN = {"NO_COLOR": "1"}


@pytest.fixture
def wide(call_sqlite: Caller) -> Caller:
    """``call_sqlite`` with long ids, models, labels, texts and numbers."""
    with runreel.open(call_sqlite.url) as reel:
        for end in "abc":
            labels = {"team": f"{'t' * 30}{end}"}
            recording = reel.recording(ID + end, model=f"{'m' * 30}{end}", labels=labels)
            recording.append(partial("a long text " * 30))
            usage = Usage(MANY, MANY, 2 * MANY)
            recording.result(RunResult(RunStatus.COMPLETED, usage=usage))
            recording.close()
    return call_sqlite


COMMANDS = (
    ("runs",),
    ("events", "latest"),
    ("events", "latest", "--raw"),
    ("usage",),
    ("usage", "--by", "day", "--by", "model"),
    ("usage", "--by", "label:team"),
    ("doctor",),
    ("prune", "--older-than", "2100-01-01"),
    ("redact", "--all-runs", "--match", "long", "--reason", "r"),
)


@pytest.mark.parametrize("columns", [60, 72, 80])
def test_no_table_is_wider_than_the_terminal(columns: int, wide: Caller) -> None:
    calls = [("--db", wide.url, *command) for command in COMMANDS]
    for command, (_, shown) in zip(
        COMMANDS, on_terminal(*calls, columns=columns, env=PLAIN), strict=True
    ):
        table = [
            line
            for line in map(click.unstyle, re.sub(r"\x1b\[[0-9]*[AK]", "", shown).splitlines())
            if not line.startswith(("Shortened", "Usage known", "Runs:", "Places:", "Searching"))
        ]
        assert len(table) > 2, command
        for line in table:
            assert cell_len(line) <= columns, (command, line)


def test_long_ids_keep_both_their_ends(wide: Caller) -> None:
    commands = (("runs",), ("usage", "--by", "model"), ("usage", "--by", "label:team"))
    calls = [("--db", wide.url, *command) for command in commands]
    for (_, shown), begin in zip(
        on_terminal(*calls, columns=60, env=PLAIN), ("resp", "mm", "tt"), strict=True
    ):
        cells = {line.split()[0] for line in shown.splitlines() if line.startswith(begin)}
        assert {cell[-1] for cell in cells} == set("abc")
        assert all("\N{HORIZONTAL ELLIPSIS}" in cell for cell in cells)


def test_usage_drops_the_columns_that_the_last_line_tells_first(wide: Caller) -> None:
    ((_, shown),) = on_terminal(("--db", wide.url, "usage"), columns=60, env=PLAIN)
    title = next(line for line in shown.splitlines() if "RUNS" in line)
    assert "KNOWN" not in title.split()
    assert "TOTAL" in title.split()
    assert "Usage known for 3 of 3 runs." in shown
