from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.cli.commands import replay
from runreel.cli.render import replay_renderers
from tests.cli.calls import program
from tests.cli.stories import ANSWER, CALLS, partial

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel
    from tests.cli.calls import Caller


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, in a world where sleeping takes no other time."""
    now = [1000.0]
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        if seconds:
            pauses.append(round(seconds, 6))
            now[0] += seconds

    monkeypatch.setattr(
        replay_renderers,
        "time",
        type("Time", (), {"sleep": staticmethod(sleep), "monotonic": staticmethod(lambda: now[0])}),
    )
    return pauses


def lines(tmp_path: Path, *seconds: float | None) -> str:
    """An import of a run whose source says when its events were."""
    file = tmp_path / "run.jsonl"
    told = []
    for index, second in enumerate(seconds):
        value: dict[str, object] = {"type": "PARTIAL_MESSAGE", "text": "abcdefgh"[: index + 1]}
        value |= {"run_id": "imported", "source_index": index}
        if second is not None:
            value["at"] = f"2025-01-01T00:00:{second:09.6f}Z"
        told.append(value)
    file.write_text("".join(json.dumps(line) + "\n" for line in told), encoding="utf-8")
    return str(file)


def record(call: Caller, *texts: str) -> None:
    with runreel.open(call.url) as reel, reel.recording("r") as recording:
        for text in texts:
            recording.append(partial(text))


def test_delta_prints_what_was_added(told: Caller) -> None:
    called = told.good("replay", "run-done", "--instant")
    assert called.out == f'[tool calls: weather(place="Moon", days=2)]\n{ANSWER}\n'
    assert called.err == ""


def test_delta_tells_an_error_on_a_line_of_its_own(told: Caller) -> None:
    called = told.good("replay", "run-failed", "--instant")
    assert called.out == "I was about\n[error: no more quota]\n"


def test_delta_begins_anew_where_the_text_does(call_sqlite: Caller) -> None:
    record(call_sqlite, "One", "One two", "Another", "Another one\n", "Third")
    out = call_sqlite.good("replay", "r", "--instant").out
    assert out == "One two\nAnother one\nThird\n"


def test_delta_prints_nothing_twice(call_sqlite: Caller) -> None:
    record(call_sqlite, "One", "One", "", "One")
    assert call_sqlite.good("replay", "r", "--instant").out == "One\nOne\n"


def test_cumulative_prints_the_whole_text_each_time(call_sqlite: Caller) -> None:
    record(call_sqlite, "One", "One two")
    out = call_sqlite.good("replay", "r", "--instant", "--render", "cumulative").out.splitlines()
    assert out[0].startswith("--- 1 PARTIAL_MESSAGE ")
    assert out[1] == "One"
    assert out[2].startswith("--- 2 PARTIAL_MESSAGE ")
    assert out[3] == "One two"


def test_jsonl_prints_the_events_of_the_stream(told: Caller) -> None:
    replayed = told.good("replay", "run-done", "--instant", "--render", "jsonl").lines
    events = told.good("events", "run-done", "-o", "jsonl").lines
    assert replayed == [event for event in events if event["kind"] == "stream_event"]


def test_a_part_is_half_open(call_sqlite: Caller) -> None:
    record(call_sqlite, *("abcdef"[: size + 1] for size in range(6)))

    def seqs(*options: str) -> list[int]:
        told = call_sqlite.good("replay", "r", "--instant", "--render", "jsonl", *options)
        return [event["seq"] for event in told.lines]

    assert seqs() == [1, 2, 3, 4, 5, 6]
    assert seqs("--from", "3") == [3, 4, 5, 6]
    assert seqs("--to", "3") == [1, 2]
    assert seqs("--from", "2", "--to", "4") == [2, 3]
    empty = call_sqlite.good("replay", "r", "--from", "99")
    assert (empty.out, empty.err) == ("", "No stream events.\n")


def test_a_source_s_own_times_pace_an_import_and_that_is_said(
    call_sqlite: Caller, tmp_path: Path, slept: list[float]
) -> None:
    call_sqlite.good("import", lines(tmp_path, 1.0, 1.5, 4.5))
    called = call_sqlite.good("replay", "imported")
    assert slept == [0.5, 3.0]
    assert "Timing of the source" in called.err
    assert called.out == "abc\n"


def test_without_any_times_the_events_come_evenly_and_that_is_said(
    call_sqlite: Caller, tmp_path: Path, slept: list[float]
) -> None:
    call_sqlite.good("import", lines(tmp_path, None, None, None))
    called = call_sqlite.good("replay", "imported")
    assert slept == [0.1, 0.1]
    assert "even intervals" in called.err


def test_speed_and_gaps(call_sqlite: Caller, tmp_path: Path, slept: list[float]) -> None:
    call_sqlite.good("import", lines(tmp_path, 1.0, 1.5, 4.5))
    call_sqlite.good("replay", "imported", "--speed", "2")
    assert slept == [0.25, 1.5]
    slept.clear()
    call_sqlite.good("replay", "imported", "--max-gap", "1")
    assert slept == [0.5, 1.0]
    slept.clear()
    call_sqlite.good("replay", "imported", "--max-gap", "1", "--speed", "0.5")
    assert slept == [1.0, 2.0]
    slept.clear()
    instant = call_sqlite.good("replay", "imported", "--instant")
    assert slept == []
    assert instant.err == ""


def test_a_recording_keeps_its_own_time(call_sqlite: Caller, slept: list[float]) -> None:
    with runreel.open(call_sqlite.url) as reel, reel.recording("r") as recording:
        recording.append(partial("a"))
        time.sleep(0.05)
        recording.append(partial("ab"))
    called = call_sqlite.good("replay", "r")
    assert called.err == ""
    assert 0.05 <= slept[0] < 5


def test_a_slow_reader_does_not_make_the_replay_slower(
    small_reel: Reel, monkeypatch: pytest.MonkeyPatch, slept: list[float]
) -> None:
    with small_reel.recording("r") as recording:
        for text in ("a", "ab", "abc"):
            recording.append(partial(text))
            time.sleep(0.02)

    class Slow(replay_renderers.DeltaRenderer):
        def show(self, event: runreel.StoredEvent) -> None:
            replay_renderers.time.sleep(0.5)
            super().show(event)

    replay_renderers.play(small_reel.timeline("r"), Slow())
    assert [pause for pause in slept if pause != 0.5] == []


def test_a_loop_goes_on_until_it_is_stopped(
    call_sqlite: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(call_sqlite, "One")
    plays = [0]

    def play(*arguments: object, **named: object) -> None:
        plays[0] += 1
        if plays[0] == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(replay_renderers, "play", play)
    called = call_sqlite("replay", "r", "--loop")
    assert (called.code, plays) == (130, [3])
    assert "Interrupted" in called.err


def test_lines_come_as_they_are_due(call_sqlite: Caller, tmp_path: Path) -> None:
    import subprocess

    from tests.cli.calls import PROGRAM

    call_sqlite.good("import", lines(tmp_path, 1.0, 31.0))
    command = [*PROGRAM, "--db", call_sqlite.url, "replay", "imported", "--render", "jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        guard = threading.Timer(20, child.kill)
        guard.start()
        first = child.stdout.readline()
        guard.cancel()
        child.kill()
    assert json.loads(first)["text"] == "a"


def test_what_is_offered_is_what_there_is() -> None:
    assert tuple(replay_renderers.RENDERERS) == replay.RENDERERS
    assert len(CALLS) == 1


def test_a_run_without_a_stream_says_so(call_sqlite: Caller) -> None:
    with runreel.open(call_sqlite.url) as reel, reel.recording("r") as recording:
        recording.result(runreel.RunResult(runreel.RunStatus.COMPLETED))
    called = call_sqlite.good("replay", "r")
    assert (called.out, called.err) == ("", "No stream events.\n")


def test_replay_in_ascii_does_not_fail(told_sqlite: Caller) -> None:
    done = program(
        "--db",
        told_sqlite.url,
        "replay",
        "run-done",
        "--instant",
        env={"PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0
    assert b"\\u4e16" in done.stdout
