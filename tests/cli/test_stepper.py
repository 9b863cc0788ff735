"""Stepping through a run: the same state as reading it from its first row, from few rows."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel import RunNotFound, RunStreamEvent, StreamEvent, UsageError
from runreel.projection.projector import DamagedRow
from runreel.query import run_history
from runreel.replay import run_index, run_pages
from runreel.replay.run_index import Mark, RunIndex
from runreel.replay.run_pages import RunPages
from runreel.replay.stepper import FASTEST, SLOWEST, Stepper
from runreel.store.events import event_log
from tests.cli.stories import CALLS, partial

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

LONG = run_pages.ROWS * 3


def index(*times: int, marks: tuple[Mark, ...] = ()) -> RunIndex:
    return RunIndex("r", "recorded", list(times), list(times), marks)


def tell_long(reel: Reel) -> str:
    """A run of several pages whose text grows, restarts, and is called for a tool."""
    text = ""
    with reel.recording("long") as recording:
        for number in range(LONG):
            if number % 100 == 70:
                recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=CALLS))
                recording.tool_results([f"result {number}"])
            if number % 90 == 80:
                text = ""
            text += f"слово {number} "
            recording.append(partial(text))
        recording.append(RunStreamEvent(StreamEvent.ERROR, error="no more"))
    return "long"


def test_any_row_has_the_state_that_the_log_has_there(reel: Reel) -> None:
    run_id = tell_long(reel)
    found = run_index.read(reel.db, run_id)
    count = len(found.times)
    events = list(reel.events(run_id))
    assert count == len(events) > LONG
    pages = RunPages(reel.db, run_id, count)
    chance = random.Random(1)  # noqa: S311 - repeatable
    seqs = [count - 1, 0, 255, 256, 257, *chance.sample(range(count), 12)]
    seen = {}
    for seq in [*seqs, *reversed(seqs)]:
        moment = pages.at(seq)
        assert seen.setdefault(seq, moment) == moment
        shown = run_history.show(reel.db, run_id, seq, exact=True)
        message = shown.result._message
        assert moment.text == ("" if message is None else message.text)
        assert moment.facts.status is shown.result.status
        assert moment.facts.error == shown.result.error
        assert moment.facts.tool_calls == shown.result.tool_calls
        event = events[seq]
        assert moment.event[:7] == event[:7]
        assert (moment.event.added, moment.event.error) == (event.added, event.error)


def test_a_step_reads_a_page_of_rows_and_those_since_a_key_frame(
    small_reel: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = tell_long(small_reel)
    count = len(run_index.read(small_reel.db, run_id).times)
    read = [0]
    before = event_log.read

    def counted(*arguments: Any, **named: Any) -> Iterator[Any]:
        for row in before(*arguments, **named):
            read[0] += 1
            yield row

    monkeypatch.setattr(run_pages.event_log, "read", counted)
    pages = RunPages(small_reel.db, run_id, count)
    pages.at(count - 1)
    assert 0 < read[0] <= 2 * run_pages.ROWS
    loaded = read[0]
    for seq in range(count - 1, count - 20, -1):
        pages.at(seq)
    assert read[0] <= loaded + 2 * run_pages.ROWS
    # As often as it goes through all rows, few pages are in memory.
    for seq in (*range(0, count, 50), *range(count - 1, 0, -50)):
        pages.at(seq)
    assert len(pages._pages) <= run_pages._KEPT


def test_marks_are_the_rows_that_stand_out(small_reel: Reel) -> None:
    with small_reel.recording("r") as recording:
        recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=CALLS))
        recording.tool_results(["x"])
        recording.append(partial(""))
        recording.append(partial("Hello"))
        recording.append(partial("Hello you"))
        recording.append(RunStreamEvent(StreamEvent.ERROR, error="no more"))
    found = run_index.read(small_reel.db, "r")
    types = [event.type for event in small_reel.events("r")]
    marks = {(types[mark.seq], mark.what) for mark in found.marks}
    assert marks >= {("TOOL_CALLS", "tool call"), ("ERROR", "error")}
    (first,) = [mark.seq for mark in found.marks if mark.what == run_index.FIRST_TEXT]
    assert first == types.index("PARTIAL_MESSAGE") + 1
    (gap,) = [mark for mark in found.marks if mark.what == run_index.LONGEST_GAP]
    from runreel.query import run_steps

    steps = run_steps.steps(small_reel.db, "r")
    assert steps.longest_gap is not None
    assert (gap.seq, gap.gap_ms) == (steps.longest_gap.from_seq, steps.longest_gap.ms)


def test_rows_after_a_damaged_one_are_not_shown_and_it_says_why(small_reel: Reel) -> None:
    with small_reel.recording("r") as recording:
        for text in ("One", "One two", "One two three"):
            recording.append(partial(text))

    def damage(seq: int) -> None:
        with small_reel.db.writing() as connection:
            for (name,) in connection.all("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
                connection.execute(f"DROP TRIGGER {name}")
            connection.execute("UPDATE events SET payload = '{' WHERE seq = ?", (seq,))

    damage(2)
    found = run_index.read(small_reel.db, "r")
    assert len(found.times) == 2
    assert found.problem is not None
    assert "row 2" in found.problem
    assert RunPages(small_reel.db, "r", 2).at(1).text == "One"
    damage(0)
    with pytest.raises(DamagedRow, match="row 0"):
        run_index.read(small_reel.db, "r")


def test_a_run_that_is_pruned_meanwhile_is_reported(small_reel: Reel) -> None:
    run_id = tell_long(small_reel)
    pages = RunPages(small_reel.db, run_id, len(run_index.read(small_reel.db, run_id).times))
    assert pages.at(0).text == ""
    assert [run.run_id for run in small_reel.prune("now")] == [run_id]
    with pytest.raises(RunNotFound, match="pruned"):
        pages.at(LONG - 1)


def test_no_rows_no_stepper() -> None:
    with pytest.raises(UsageError, match="no rows"):
        Stepper(index(0, 1), start=2)
    with pytest.raises(UsageError, match="no rows"):
        Stepper(index(0, 1), start=1, stop=1)


GAPS = st.lists(st.integers(0, 5_000_000), min_size=1, max_size=30)


@given(GAPS, st.lists(st.floats(0.001, 3), min_size=1, max_size=30), st.sampled_from([0.5, 1, 4]))
def test_it_plays_at_the_pace_of_the_rows(
    gaps: list[int], pauses: list[float], speed: float
) -> None:
    times = [sum(gaps[:count]) for count in range(len(gaps) + 1)]
    stepper = Stepper(index(*times), speed=speed)
    now = 100.0
    stepper.play(now)
    for pause in pauses:
        now += pause
        stepper.advance(now)
        passed = (now - 100) * speed * 1e6
        assert times[stepper.position] <= passed + 1
        if stepper.playing:
            assert times[stepper.position + 1] >= passed - 1
        else:
            assert stepper.position == len(gaps)


@given(GAPS, st.floats(0, 2) | st.none())
def test_each_wait_ends_at_the_next_row(gaps: list[int], max_gap: float | None) -> None:
    times = [sum(gaps[:count]) for count in range(len(gaps) + 1)]
    stepper = Stepper(index(*times), max_gap=max_gap, speed=2)
    now, seen = 5.0, [0]
    stepper.play(now)
    while (wait := stepper.wait(now)) is not None:
        now += wait
        before = stepper.position
        assert stepper.advance(now)
        seen.append(stepper.position)
        # Rows that come at the same moment are passed at once, and no others.
        skipped = gaps[before + 1 : stepper.position]
        assert sum(min(gap, (max_gap if max_gap is not None else 5) * 1e6) for gap in skipped) <= 2
    assert seen[-1] == len(gaps)
    limit = max_gap if max_gap is not None else 5
    assert now - 5 == pytest.approx(sum(min(gap / 1e6, limit) for gap in gaps) / 2, abs=1e-4)


def test_another_speed_does_not_jump() -> None:
    stepper = Stepper(index(0, 1_000_000, 2_000_000, 3_000_000))
    stepper.play(0)
    stepper.faster(2, 0.9)
    assert not stepper.advance(0.9)
    assert stepper.wait(0.9) == pytest.approx(0.05)
    assert stepper.advance(0.951)
    stepper.faster(1e9, 1)
    assert stepper.speed == FASTEST
    stepper.faster(1e-9, 1)
    assert stepper.speed == SLOWEST


def test_at_the_end_it_pauses_and_plays_again_from_the_first_row() -> None:
    stepper = Stepper(index(0, 10, 20, 30), start=1, stop=3)
    stepper.play(0)
    assert stepper.advance(60)
    assert (stepper.position, stepper.playing) == (2, False)
    stepper.play(70)
    assert (stepper.position, stepper.playing) == (1, True)
    one = Stepper(index(0))
    one.play(0)
    assert (one.playing, one.wait(0), one.advance(9)) == (False, None, False)


@pytest.mark.parametrize(
    ("place", "row"),
    [
        ("0", 0),
        (" 2 ", 2),
        ("99", 4),
        ("9" * 5_000, 4),
        ("+0", 1),
        ("+2.5", 3),
        ("+.5", 2),
        ("+1:00", 3),
        ("+00:59.9", 3),
        ("+1:00:00", 4),
        ("+" + "9" * 400, 4),
    ],
)
def test_it_goes_to_a_row_or_a_time(place: str, row: int) -> None:
    stepper = Stepper(index(0, 0, 500_000, 2_500_000, 3_600_000_000))
    stepper.go_to(place)
    assert stepper.position == row


@pytest.mark.parametrize(
    "place", ["", "x", "-1", "+", "1:30", "+1:", "+1:x", "²", "+1:2:3:4", "1e3"]
)
def test_it_goes_nowhere_else(place: str) -> None:
    stepper = Stepper(index(0, 1, 2))
    stepper.play(0)
    with pytest.raises(UsageError, match="neither a row"):
        stepper.go_to(place)
    assert stepper.position == 0


def test_marks_and_hits_are_visited_in_order() -> None:
    marks = (Mark(1, "first text"), Mark(3, "tool call"), Mark(3, "longest gap", 2.0))
    stepper = Stepper(index(*range(6), marks=marks), start=1)
    assert not stepper.next_mark(-1)
    assert stepper.next_mark(1)
    assert [mark.what for mark in stepper.marks()] == ["tool call", "longest gap"]
    assert not stepper.next_mark(1)
    assert stepper.next_mark(-1)
    assert stepper.position == 1

    assert not stepper.next_hit(1)
    assert not stepper.find([0, 99])
    assert stepper.find([5, 2, 2, 0, 4])
    seen = [stepper.position]
    for direction in (1, 1, 1, -1):
        assert stepper.next_hit(direction)
        seen.append(stepper.position)
    assert seen == [2, 4, 5, 2, 5]
