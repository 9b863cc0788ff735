"""Options that select runs and rows, states, and the zone of times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

import runreel
from runreel.model import events
from runreel.model.selection import STATES
from runreel.model.status import RunStatus, StreamEvent
from runreel.system import process_identity
from tests import logs
from tests.cli.calls import on_terminal, program
from tests.cli.stories import partial
from tests.cli.test_shapes import RUN_KEYS
from tests.work.test_filters import dead

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.calls import Caller

    Chosen = dict[str, set[str]]


def chosen(call: Caller, *options: str) -> set[str]:
    """The runs that a list with these options has, which are those that a report counts."""
    found = {line["run_id"] for line in call.good("runs", *options, "-n", "0", "-o", "jsonl").lines}
    assert call.good("usage", *options, "--json").json["totals"]["runs"] == len(found)
    return found


@pytest.fixture
def cut(told: Caller, monkeypatch: pytest.MonkeyPatch) -> Caller:
    """``told`` with a run whose process is gone, one whose recording was cut, one of elsewhere."""
    with runreel.open(told.url) as reel:
        with monkeypatch.context() as patched:
            gone = dead()
            patched.setattr(process_identity, "this", lambda: gone)
            reel.recording("gone", model="a-rather-long-name-of-a-model").append(partial("x"))
            patched.setattr(
                process_identity, "this", lambda: process_identity.Process("elsewhere", 1, 1)
            )
            reel.recording("elsewhere").append(partial("x"))
        recording = reel.recording("cut")
        recording.append(partial("x"))
        recording.interrupt("the connection broke")
    return told


def test_a_filter_given_twice_means_any_of_its_values(told: Caller) -> None:
    assert chosen(told, "--model", "model-a", "--model", "model-b") == {"run-done", "run-failed"}
    assert chosen(told, "--status", "failed", "--status", "completed") == {
        "run-done",
        "run-failed",
        "run-plain",
    }
    assert chosen(told, "--label", "team=search", "--label", "team=chat") == {
        "run-done",
        "run-failed",
    }
    assert chosen(told, "--label", "team=search", "--label", "x=y") == set()
    assert chosen(told, "--recording", "open", "--recording", "closed") == chosen(told)
    assert chosen(told, "--thread", "thread-1", "--thread", "t") == {"run-done"}
    assert chosen(told, "--assistant", "assistant-1", "--assistant", "a") == {"run-done"}
    assert chosen(told, "--source", "plain", "--source", "other") == chosen(told)
    assert chosen(told, "--model", "model-a", "--model", "model-b", "--status", "failed") == {
        "run-failed"
    }
    assert chosen(told, "--since", "1h", "--since", "2999-01-01") == chosen(told)
    assert chosen(told, "--until", "1h", "--until", "now") == chosen(told)
    assert chosen(told, "--on", "2020", "--on", "today", "--on", "yesterday") == chosen(told)
    assert chosen(told, "--min-tokens", "9999", "--min-tokens", "1000") == {"run-done"}
    assert chosen(told, "--error-contains", "zzz", "--error-contains", "QUOTA") == {"run-failed"}


def test_events_may_be_of_several_types_and_kinds_in_either_case(told: Caller) -> None:
    def rows(*options: str) -> list[tuple[str, str | None]]:
        lines = told.good("events", "run-done", *options, "-o", "jsonl").lines
        return [(row["kind"], row["type"]) for row in lines]

    everything = rows()
    for name in events.EVENT_TYPES:
        expected = [row for row in everything if name in row]
        assert rows("--type", name) == rows("--type", name.upper()) == expected
        assert rows("--type", name.lower()) == expected
    assert rows("--type", "done", "--type", "NOTE") == [
        row for row in everything if row[1] == "DONE" or row[0] == "note"
    ]
    refused = told("events", "run-done", "--type", "over")
    assert refused.code == 2
    assert "invalid type 'over'; choose from UNKNOWN" in refused.err


def test_every_type_that_rows_have_is_one_that_they_are_selected_by() -> None:
    notes = {value for name, value in vars(events).items() if name in _NAMES_OF_NOTES}
    assert set(events.NOTES) == notes
    assert {*events.KINDS, *StreamEvent.__members__, *RunStatus.__members__, *notes} == set(
        events.EVENT_TYPES
    )


# Each word in capitals of the module that is a text and neither a kind nor a state.
_NAMES_OF_NOTES = {
    name
    for name, value in vars(events).items()
    if name.isupper() and isinstance(value, str) and value not in (*events.KINDS, events.OPEN)
}


def test_a_limit_of_events_says_where_to_go_on(told: Caller) -> None:
    whole = told.good("events", "run-done", "--json").json["items"]
    first = told.good("events", "run-done", "-n", "3", "--json").json
    assert (first["items"], first["next"]) == (whole[:3], "3")
    rest = told.good("events", "run-done", "--from", first["next"], "--limit", "0", "--json").json
    assert (rest["items"], rest["next"]) == (whole[3:], None)
    assert told.good("events", "run-done", "-n", str(len(whole)), "--json").json["next"] is None
    assert told.good("events", "run-done", "-n", "3").err == "Next page: --from 3\n"
    typed = told.good("events", "run-done", "--type", "run", "-n", "1", "--json").json
    assert typed["items"] == [row for row in whole if row["kind"] == "run"][:1]
    assert typed["next"] == str([row["seq"] for row in whole if row["kind"] == "run"][1])


def test_lists_say_what_has_become_of_a_run(cut: Caller) -> None:
    runs = {run["run_id"]: run for run in cut.good("runs", "-n", "0", "-o", "jsonl").lines}
    assert {run_id: run["state"] for run_id, run in runs.items()} == {
        "cut": "interrupted",
        "elsewhere": "in_progress",
        "gone": "stale",
        "open-run": "in_progress",
        "run-done": "completed",
        "run-failed": "failed",
        "run-plain": "completed",
    }
    assert (runs["gone"]["status"], runs["gone"]["recording"]) == ("IN_PROGRESS", "open")
    assert list(runs["gone"]) == list(RUN_KEYS)
    for run_id, run in runs.items():
        assert cut.good("show", run_id, "--json").json == run
        head = cut.good("show", run_id).out.splitlines()[1]
        assert head.split()[:2] == ["Status", run["state"]]
    with runreel.open(cut.url) as reel:
        assert {run.run_id: run.state for run in reel.runs()} == {
            run_id: run["state"] for run_id, run in runs.items()
        }
        list(reel.recover())
        assert reel.run("gone").state == "interrupted"


def test_the_state_stays_where_a_terminal_is_narrow(cut: Caller) -> None:
    for columns in (60, 80):
        ((code, shown),) = on_terminal(("--db", cut.url, "runs"), columns=columns)
        assert code == 0
        lines = {line.split()[0]: line for line in shown.splitlines() if line.strip()}
        assert "stale" in lines["gone"]
        assert "interrupted" in lines["cut"]


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_a_status_that_runs_are_selected_by(cut: Caller, state: str) -> None:
    runs = cut.good("runs", "-n", "0", "-o", "jsonl").lines
    expected = {run["run_id"] for run in runs if run["state"] == state}
    assert chosen(cut, "--status", state) == expected
    pages: list[str] = []
    after: tuple[str, ...] = ()
    while True:
        page = cut.good("runs", "--status", state, "-n", "1", *after, "--json").json
        pages += [run["run_id"] for run in page["items"]]
        if page["next"] is None:
            break
        after = ("--after", page["next"])
    assert sorted(pages) == sorted(expected)


def test_names_of_the_sdk_select_by_status_whatever_the_recording(cut: Caller) -> None:
    assert chosen(cut, "--status", "IN_PROGRESS") == {"cut", "elsewhere", "gone", "open-run"}
    assert chosen(cut, "--status", "in_progress") == {"elsewhere", "open-run"}
    assert chosen(cut, "--status", "FAILED") == chosen(cut, "--status", "failed") == {"run-failed"}
    assert chosen(cut, "--status", "run_status_unspecified") == set()
    assert chosen(cut, "--problems") == {"cut", "gone", "run-failed"}
    assert chosen(cut, "--problems", "--status", "stale") == {"gone"}
    assert chosen(cut, "--problems", "--status", "completed") == set()


def test_a_run_is_listed_with_as_many_events_as_it_is_shown_with(told: Caller) -> None:
    with runreel.open(told.url) as reel:
        live = reel.recording("live")
        for n in range(1, 6):
            live.append(partial("x" * n))
            (listed,) = (run for run in reel.runs() if run.run_id == "live")
            assert listed == reel.run("live")
            assert (listed.events, listed.last_seq) == (n, n)
        # Another recorder ends the run, and the first one goes on.
        reel.recording("live").close()
        with reel.recording("live") as other:
            other.append(partial("xxxxxxx"))
        live.append(partial("xxxxxxxx"))
        live.append(partial("xxxxxxxxx"))
        (listed,) = (run for run in reel.runs() if run.run_id == "live")
        assert listed == reel.run("live")
        assert listed.events == 8


def test_a_row_that_a_run_does_not_have_is_refused(told: Caller) -> None:
    last = told.good("show", "run-done", "--json").json["last_seq"]
    assert told.good("show", "run-done", "--at", str(last), "--json").json["last_seq"] == last
    for at in (last + 1, 999, 10**30):
        refused = told("show", "run-done", "--at", str(at))
        assert (refused.code, refused.out) == (2, "")
        assert f"no row {at}" in refused.err or f"seq {at} is too large" in refused.err
    assert told.good("show", "run-done", "--at", "@9999999999", "--json").json["last_seq"] == last


# -- Times -----------------------------------------------------------------------------------------

# Where the last day of February is another one, all runs are of that.
STARTED = datetime(2028, 2, 29, 11, 30, tzinfo=UTC)


@pytest.fixture
def dated(call_sqlite: Caller, clock_at: Callable[[datetime], None]) -> Caller:
    """A log whose runs are as old as a quarter of an hour."""
    with runreel.open(call_sqlite.url) as reel:
        for n in range(3):
            started = STARTED - timedelta(minutes=n)
            with logs.recording_at(reel, f"run-{n}", started) as recording:
                recording.append(partial("x"))
    clock_at(STARTED + timedelta(minutes=15))
    return call_sqlite


@pytest.mark.parametrize(
    "text",
    ["yesterday", "today", "last-week", "last-month", "this-month", "2020", "2020-11", "2h",
     "2020-W48", "3 days ago", "1 day ago", "1577836800", "@1577836800", "2020-01-01T10:00"],
)  # fmt: skip
def test_times_are_read_everywhere_alike(dated: Caller, text: str) -> None:
    everything = chosen(dated)
    assert chosen(dated, "--since", text) == everything
    assert chosen(dated, "--until", text) == set()
    with runreel.open(dated.url) as reel:
        assert {run.run_id for run in reel.runs(since=text)} == everything
        assert not reel.runs(until=text)
    assert dated.good("prune", "--older-than", text, "--json").json["runs"] == 0


def test_a_period_is_its_start_or_both_its_ends(dated: Caller) -> None:
    everything = chosen(dated)
    now = STARTED.astimezone()
    for period in ("today", f"{now:%Y-%m-%d}", f"{now:%Y-%m}", f"{now:%G-W%V}", f"{now:%Y}"):
        assert chosen(dated, "--on", period) == everything
        assert chosen(dated, "--since", period) == everything
        assert chosen(dated, "--until", period) == set()
    for period in ("yesterday", "last-month", "2020", "2020-02-29"):
        assert chosen(dated, "--on", period) == set()
    assert chosen(dated, "--until", "now") == everything
    assert chosen(dated, "--since", "now") == set()
    for text in ("2h", "now", "2020-01-01T10:00", "1577836800"):
        refused = dated("runs", "--on", text)
        assert refused.code == 2
        assert "is not a period" in refused.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("runs", "--since", "soon"), "invalid time 'soon': use 2026-11-30"),
        (("usage", "--until", "32h ago!"), "invalid time '32h ago!'"),
        (("show", "run-done", "--at", "soon"), "invalid time 'soon'"),
        (("prune", "--older-than", "soon"), "invalid time 'soon'"),
        (("runs", "--tz", "Mars/Phobos"), "invalid time zone 'Mars/Phobos'"),
        (("usage", "--tz", ""), "invalid time zone ''"),
        (("runs", "--status", "over"), "invalid status 'over'; choose from unknown, pending"),
        (("runs", "--slower-than", "soon"), "invalid duration 'soon': use 500ms"),
        (("runs", "--min-tokens", "-1"), "-1 is not in the range"),
        (("runs", "--label", "team"), "'team' is not of the form K=V"),
    ],
)
def test_what_is_no_value_is_refused_in_words(
    told_sqlite: Caller, arguments: tuple[str, ...], said: str
) -> None:
    refused = told_sqlite(*arguments)
    assert (refused.code, refused.out) == (2, "")
    assert said in refused.err


COMMANDS = [
    ("runs",),
    ("show", "run-done"),
    ("events", "run-done"),
    ("usage",),
    ("prune", "--older-than", "2999-01-01"),
    ("recover", "--list"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_times_are_printed_in_the_zone_asked_for_which_is_named(
    told_sqlite: Caller, command: tuple[str, ...]
) -> None:
    run = "open-run" if command[0] == "recover" else "run-done"
    started = datetime.fromisoformat(told_sqlite.good("show", run, "--json").json["started_at"])
    for zone in ("Asia/Tokyo", "America/St_Johns", "+05:45"):
        shown = told_sqlite.good(*command, "--tz", zone).out
        assert zone in shown
        place = ZoneInfo(zone) if "/" in zone else ZoneInfo("Asia/Kathmandu")
        day_or_minute = "%Y-%m-%d" if command[0] == "usage" else "%Y-%m-%d %H:%M"
        assert f"{started.astimezone(place):{day_or_minute}}" in shown
    assert "UTC" in told_sqlite.good(*command).out
    lines = told_sqlite.good(*command, "--tz", "Asia/Tokyo", "-o", "jsonl").out
    if command[0] == "usage":
        # Its days are those of the zone: in Tokyo tomorrow begins at 15:00.
        assert f"{started.astimezone(ZoneInfo('Asia/Tokyo')):%Y-%m-%d}" in lines
    else:
        assert lines == told_sqlite.good(*command, "-o", "jsonl").out


def test_the_machine_s_zone_is_printed_by_a_name_that_is_taken(told_sqlite: Caller) -> None:
    for zone in ("Europe/Moscow", "America/New_York", "MSK-3"):
        done = program("--db", told_sqlite.url, "runs", env={"TZ": zone})
        name = done.stdout.decode().partition("STARTED (")[2].partition(")")[0]
        assert name == {"MSK-3": "+03:00"}.get(zone, zone)
        named = program("--db", told_sqlite.url, "runs", "--tz", name, env={"TZ": "UTC"})
        assert named.stdout == done.stdout
        report = program("--db", told_sqlite.url, "usage", "--json", env={"TZ": zone})
        assert f'"tz": "{name}"'.encode() in report.stdout


def test_times_without_an_offset_are_in_the_zone_asked_for_in_any_order(
    told_sqlite: Caller,
) -> None:
    started = datetime.fromisoformat(
        told_sqlite.good("show", "run-done", "--json").json["started_at"]
    )
    naive = started.astimezone(ZoneInfo("Etc/GMT-14")).replace(tzinfo=None)
    for options in (
        ("--tz", "Etc/GMT-14", "--since", naive.isoformat()),
        ("--since", naive.isoformat(), "--tz", "Etc/GMT-14"),
    ):
        assert chosen(told_sqlite, *options) == {"run-done"}
    at = (naive + timedelta(minutes=1)).isoformat()
    shown = told_sqlite.good("show", "run-done", "--at", at, "--tz", "Etc/GMT-14", "--json").json
    assert shown == told_sqlite.good("show", "run-done", "--json").json
    early = (naive - timedelta(minutes=1)).isoformat()
    assert told_sqlite("show", "run-done", "--tz", "Etc/GMT-14", "--at", early).code == 2
