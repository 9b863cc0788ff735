"""What commands say of a run with a damaged row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import runreel
from tests import logs

if TYPE_CHECKING:
    from tests.cli.calls import Called, Caller

# Text that is no JSON, JSON of another kind, and JSON that nothing can read.
PAYLOADS = ["{", "7", "[]", "[" * 20_000]
# Each reads the whole run, with its text.
COMMANDS = [
    ("show", "run-done", "--content"),
    ("show", "run-done", "--content", "--json"),
    ("events", "run-done"),
    ("timeline", "run-done"),
    ("diff", "run-done", "run-failed"),
    ("diff", "run-failed", "run-done", "--json"),
    ("replay", "run-done", "--instant"),
    ("tail", "run-done", "-n", "3"),
    ("export", "run-done", "--out", "out.md"),
    ("export", "run-done", "--out", "out.html"),
    ("export", "run-done", "--out", "out.cast"),
    ("export", "run-done", "--out", "out.otlp.json"),
    ("export", "run-done", "--out", "out.reel.jsonl"),
]


def damage(told: Caller, seq: int, payload: str = "{") -> None:
    with runreel.open(told.url) as reel, logs.unguarded(reel):
        change = "UPDATE events SET payload = ? WHERE run_id = 'run-done' AND seq = ?"
        logs.execute(reel, change, (payload, seq))


def names(called: Called, seq: int) -> bool:
    """Whether it is the error of a database, and names the run and the row."""
    return called.code == 3 and f"row {seq} of run run-done is damaged: " in called.err


@pytest.mark.parametrize("payload", PAYLOADS, ids=["cut", "number", "array", "deep"])
def test_every_command_that_reads_the_row_names_it(told: Caller, payload: str) -> None:
    damage(told, 5, payload)
    for arguments in (*COMMANDS, ("show", "run-done"), ("show", "run-done", "--at", "7")):
        assert names(told(*arguments), 5), arguments


@pytest.mark.parametrize("seq", [1, 2, 3, 4, 6, 7, 8])
def test_whichever_row_it_is(told_sqlite: Caller, seq: int) -> None:
    damage(told_sqlite, seq)
    for arguments in COMMANDS:
        assert names(told_sqlite(*arguments), seq), arguments


def test_what_does_not_need_the_row_is_shown(told: Caller) -> None:
    before = told.good("show", "run-done", "--at", "4", "--content", "--json").json
    damage(told, 5)
    assert told.good("show", "run-done", "--at", "4", "--content", "--json").json == before
    assert "run-done" in told.good("runs").out
    assert told.good("usage", "--json").json["totals"]["runs"] == 4
    assert "Done." in told.good("show", "run-plain", "--content").out
    (problem,) = [line for line in told("verify").out.splitlines() if "run-done" in line]
    assert "5" in problem


def test_the_row_after_a_missing_one_is_named(told: Caller) -> None:
    with runreel.open(told.url) as reel, logs.unguarded(reel):
        logs.execute(reel, "DELETE FROM events WHERE run_id = 'run-done' AND seq = 5")
    for arguments in (*COMMANDS, ("show", "run-done"), ("show", "run-done", "--at", "7")):
        assert names(told(*arguments), 6), arguments
    for arguments in (("show", "run-done"), ("events", "run-done"), ("tail", "run-done")):
        assert "row 5 is missing before it" in told(*arguments).err, arguments
    shown = [line["seq"] for line in told("events", "run-done", "-o", "jsonl").lines]
    assert shown == [0, 1, 2, 3, 4]
    assert "row 5 is missing before it" in told("events", "run-done", "--from", "5").err
