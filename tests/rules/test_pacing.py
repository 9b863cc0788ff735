from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.projection.event_times import EVEN_GAP, EventTiming, delays, event_times
from tests.strategies import MANY, SOME

SECOND = 1_000_000
NOON = 1_767_268_800 * SECOND


def live(*elapsed: int, session: int = 0, at: int = NOON) -> list[EventTiming]:
    """Events of one recording session, µs since it began, which was ``at``."""
    return [EventTiming(time, session, at + time, None) for time in elapsed]


def imported(*source: int | None) -> list[EventTiming]:
    """Imported events with the source's own times, µs since noon."""
    return [
        EventTiming(None, 0, NOON + n, None if time is None else NOON + time)
        for n, time in enumerate(source)
    ]


def test_nothing_has_no_moments():
    assert event_times([]) == ([], "recorded")
    assert list(delays([])) == []


def test_recorded_events_keep_their_monotonic_times_from_the_first_on():
    assert event_times(live(500, 800, 800, 2_000)) == ([0, 300, 300, 1_500], "recorded")


def test_a_step_of_the_wall_clock_does_not_move_events_of_one_session():
    first, second = live(100), live(400, at=NOON - 3600 * SECOND)
    assert event_times(first + second) == ([0, 300], "recorded")


def test_between_sessions_the_wall_clock_counts():
    first, second = live(100, 400), live(50, 90, session=1, at=NOON + 10 * SECOND)
    # 400 after noon to 50 after noon and ten seconds.
    assert event_times(first + second) == ([0, 300, 300 + 9_999_650, 300 + 9_999_690], "recorded")


def test_a_wall_clock_set_back_between_sessions_makes_no_gap():
    first, second = live(100, 400), live(50, 90, session=1, at=NOON - 10 * SECOND)
    assert event_times(first + second) == ([0, 300, 300, 340], "recorded")


def test_a_monotonic_clock_that_falls_stands_still_instead():
    assert event_times(live(100, 400, 250, 500)) == ([0, 300, 300, 400], "recorded")


def test_imported_events_take_the_times_of_the_source():
    assert event_times(imported(1_000, 3_000, 3_500)) == ([0, 2_000, 2_500], "source")


def test_events_without_a_time_of_the_source_are_spread_between_those_with_one():
    beats = imported(None, 1_000, None, None, 4_000, None)
    assert event_times(beats) == ([0, 0, 1_000, 2_000, 3_000, 3_000], "source")


def test_times_of_the_source_that_fall_stand_still_instead():
    assert event_times(imported(1_000, 5_000, 2_000, 6_000)) == ([0, 4_000, 4_000, 5_000], "source")
    assert event_times(imported(5_000, 1_000)) == ([0, 0], "source")


@pytest.mark.parametrize(
    "beats", [imported(None, None, None), imported(None, 7, None), imported(7, 7, 7)]
)
def test_where_the_source_tells_no_two_times_the_gaps_are_even(beats):
    assert event_times(beats) == ([0, 100_000, 200_000], "even")
    assert EVEN_GAP == 100_000


def test_one_event_of_unknown_time_makes_a_whole_recording_imported():
    assert event_times([*live(0, 5), *imported(None)]) == ([0, 100_000, 200_000], "even")


BEATS = st.builds(
    EventTiming,
    elapsed=st.none() | st.integers(0, 10**6),
    session=st.integers(0, 2),
    at=st.integers(NOON - 10**6, NOON + 10**6),
    source=st.none() | st.integers(NOON, NOON + 1000),
)


@MANY
@given(st.lists(BEATS, max_size=8))
def test_each_event_has_a_moment_that_never_falls_and_the_first_is_zero(beats):
    times, clock = event_times(beats)
    assert len(times) == len(beats)
    assert times == sorted(times)
    assert times[:1] == [0] * bool(beats)
    assert clock in ("recorded", "source", "even")


def test_pauses_are_the_gaps_in_seconds():
    assert list(delays([0, 250_000, 250_000, 2_250_000])) == [0.0, 0.25, 0.0, 2.0]


def test_speed_divides_the_pauses():
    assert list(delays([0, SECOND, 3 * SECOND], speed=4.0)) == [0.0, 0.25, 0.5]
    assert list(delays([0, SECOND], speed=0.5)) == [0.0, 2.0]


def test_a_gap_is_cut_before_it_is_divided():
    times = [0, SECOND, 61 * SECOND]
    assert list(delays(times, max_gap=5.0)) == [0.0, 1.0, 5.0]
    assert list(delays(times, max_gap=5.0, speed=10.0)) == [0.0, 0.1, 0.5]
    assert list(delays(times, max_gap=0.0)) == [0.0, 0.0, 0.0]


def test_a_replay_that_begins_in_the_middle_begins_at_once():
    assert list(delays([7 * SECOND, 8 * SECOND])) == [0.0, 1.0]


@SOME
@given(st.lists(st.integers(0, 10**9), max_size=8), st.floats(0.1, 100), st.floats(0, 10))
def test_no_pause_is_negative_or_longer_than_the_cut(times, speed, max_gap):
    for pause in delays(times, speed=speed, max_gap=max_gap):
        assert 0 <= pause <= max_gap / speed
