from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

if TYPE_CHECKING:
    from tests.cli.calls import Caller


def test_show_at_a_row_and_at_a_time(told: Caller) -> None:
    rows = told.good("events", "run-done", "--json").json["items"]
    partial = next(row for row in rows if row["text"] == "Привет")
    at_row = told.good("show", "run-done", "--at", str(partial["seq"]), "--content", "--json").json
    assert (at_row["status"], at_row["text"], at_row["usage"]) == ("IN_PROGRESS", "Привет", None)
    assert at_row["last_seq"] == partial["seq"]
    assert (
        told.good("show", "run-done", "--at", partial["at"], "--json").json["last_seq"]
        >= partial["seq"]
    )
    now = told.good("show", "run-done", "--at", "0s", "--json").json
    assert now == told.good("show", "run-done", "--json").json
    early = told("show", "run-done", "--at", "2020-01-01")
    assert early.code == 2
    assert "no events then" in early.err


def test_events_can_be_chosen(told: Caller) -> None:
    def seqs(*options: str) -> list[int]:
        return [
            row["seq"] for row in told.good("events", "run-done", *options, "-o", "jsonl").lines
        ]

    everything = seqs()
    assert seqs("--from", "2", "--to", "4") == [2, 3]
    assert seqs("--from", "2") == everything[2:]
    assert seqs("--to", "2") == [0, 1]
    assert seqs("--from", "4", "--to", "4") == []
    chosen = told.good("events", "run-done", "--type", "partial_message", "-o", "jsonl").lines
    assert {row["type"] for row in chosen} == {"PARTIAL_MESSAGE"}
    assert seqs("--type", "opened") == [0]
    assert seqs("--type", "COMPLETED") == [everything[-2]]


def test_every_grouping_is_offered(told: Caller) -> None:
    for group in (
        "day",
        "week",
        "month",
        "assistant",
        "thread",
        "model",
        "source",
        "status",
        "label:x",
    ):
        report = told.good("usage", "--by", group, "--json").json
        assert report["totals"]["runs"] == 4
        assert sum(item["runs"] for item in report["items"]) == 4
        assert next(iter(report["items"][0])) == group


def test_runs_can_be_chosen_in_every_way(told: Caller) -> None:
    def chosen(*options: str) -> list[str]:
        return sorted(line["run_id"] for line in told.good("runs", *options, "-o", "jsonl").lines)

    everything = ["open-run", "run-done", "run-failed", "run-plain"]
    assert chosen() == everything
    assert chosen("--status", "completed") == ["run-done", "run-plain"]
    assert chosen("--status", "FAILED") == ["run-failed"]
    assert chosen("--source", "plain") == everything
    assert chosen("--source", "other") == []
    assert chosen("--assistant", "assistant-1") == ["run-done"]
    assert chosen("--thread", "thread-1") == ["run-done"]
    assert chosen("--model", "model-b") == ["run-failed"]
    assert chosen("--label", "team=search") == ["run-done"]
    assert chosen("--label", "team=search", "--label", "x=y") == []
    assert chosen("--recording", "open") == ["open-run"]
    assert chosen("--has-error") == ["run-failed"]
    assert chosen("--no-usage") == ["open-run", "run-failed", "run-plain"]
    assert chosen("--since", "1h") == everything
    assert chosen("--until", "1h") == []
    assert chosen("--since", "2999-01-01") == []
    for filters in (("--status", "failed"), ("--label", "team=search"), ("--since", "1h")):
        report = told.good("usage", *filters, "--json").json
        assert report["totals"]["runs"] == len(chosen(*filters))


def test_since_is_inclusive_and_until_is_not(told: Caller) -> None:
    started = told.good("show", "run-done", "--json").json["started_at"]
    since = told.good("runs", "--since", started, "-o", "jsonl").lines
    until = told.good("runs", "--until", started, "-o", "jsonl").lines
    assert "run-done" in [run["run_id"] for run in since]
    assert "run-done" not in [run["run_id"] for run in until]
    assert len(since) + len(until) == 4


def test_times_without_an_offset_are_of_the_zone_asked_for(told: Caller) -> None:
    started = told.good("show", "run-done", "--json").json["started_at"]
    there = "Etc/GMT-14"
    naive = datetime.fromisoformat(started).astimezone(ZoneInfo(there)).replace(tzinfo=None)
    for asked in (("--tz", there, "--since"), ("--since", None, "--tz", there)):
        given = [naive.isoformat() if option is None else option for option in asked]
        given = [*given, naive.isoformat()] if given[-1] == "--since" else given
        assert told.good("usage", *given, "--json").json["totals"]["runs"] == 1


def test_pages_follow_each_other(told: Caller) -> None:
    seen: list[str] = []
    cursor: list[str] = []
    for _ in range(4):
        page = told.good("runs", "-n", "1", *cursor, "--json").json
        seen += [run["run_id"] for run in page["items"]]
        cursor = ["--after", page["next"]]
    assert page["next"] is None
    assert seen == [run["run_id"] for run in told.good("runs", "-n", "0", "--json").json["items"]]
    assert told.good("runs", "-n", "4", "--json").json["next"] is None


@pytest.mark.parametrize("format_", ["table", "jsonl", "csv"])
def test_the_next_page_is_told_on_stderr(format_: str, told: Caller) -> None:
    cursor = told.good("runs", "-n", "3", "--json").json["next"]
    called = told.good("runs", "-n", "3", "-o", format_)
    assert called.err == f"Next page: --after {cursor}\n"
    assert cursor not in called.out


def test_a_run_is_named_by_its_id_its_beginning_or_latest(told: Caller) -> None:
    for name in ("run-done", "run-d", "latest"):
        assert told.good("show", name, "--json").json["run_id"] == "run-done"
    assert told.good("show", "o", "--json").json["run_id"] == "open-run"
