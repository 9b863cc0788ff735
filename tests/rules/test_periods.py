"""Times, periods and durations as people write them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.model import periods
from tests.strategies import MANY

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MOSCOW = ZoneInfo("Europe/Moscow")
# Clocks that are turned at midnight, by half an hour, and over a whole day.
ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/Havana",
    "Asia/Beirut",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Santiago",
    "Asia/Kathmandu",
]


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(hours=24)),
        ("2h ago", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("0h", timedelta()),
        ("now", timedelta()),
        ("1 day ago", timedelta(days=1)),
        ("3 days ago", timedelta(days=3)),
        ("3 Days", timedelta(days=3)),
        ("10 minutes ago", timedelta(minutes=10)),
        ("1 hr ago", timedelta(hours=1)),
    ],
)
@pytest.mark.parametrize("zone", [None, MOSCOW])
def test_a_length_of_time_means_so_long_before_now(text, ago, zone):
    assert periods.parse(text, now=NOW, zone=zone) == (NOW - ago, None)
    with pytest.raises(ValueError, match="is not a period"):
        periods.period(text, now=NOW, zone=zone)


@pytest.mark.parametrize(
    ("text", "first", "behind"),
    [
        ("today", date(2026, 11, 30), date(2026, 12, 1)),
        ("Yesterday", date(2026, 11, 29), date(2026, 11, 30)),
        ("this-week", date(2026, 11, 30), date(2026, 12, 7)),
        ("last-week", date(2026, 11, 23), date(2026, 11, 30)),
        ("last week", date(2026, 11, 23), date(2026, 11, 30)),
        ("this-month", date(2026, 11, 1), date(2026, 12, 1)),
        ("last-month", date(2026, 10, 1), date(2026, 11, 1)),
        ("this-year", date(2026, 1, 1), date(2027, 1, 1)),
        ("last-year", date(2025, 1, 1), date(2026, 1, 1)),
        ("2026", date(2026, 1, 1), date(2027, 1, 1)),
        ("2026-11", date(2026, 11, 1), date(2026, 12, 1)),
        ("2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("2024-02", date(2024, 2, 1), date(2024, 3, 1)),
        ("2026-W48", date(2026, 11, 23), date(2026, 11, 30)),
        ("2026-w53", date(2026, 12, 28), date(2027, 1, 4)),
        ("2026-W48-3", date(2026, 11, 25), date(2026, 11, 26)),
        ("2026-11-30", date(2026, 11, 30), date(2026, 12, 1)),
        ("20261130", date(2026, 11, 30), date(2026, 12, 1)),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Moscow", "America/New_York"])
def test_a_word_or_a_date_means_a_period_of_the_zone(text, first, behind, zone):
    place = ZoneInfo(zone)
    start, end = (
        datetime(day.year, day.month, day.day, tzinfo=place).astimezone(UTC)
        for day in (first, behind)
    )
    assert periods.parse(text, now=NOW, zone=place) == (start, end)
    assert periods.period(text, now=NOW, zone=place) == (start, end)
    assert periods.moment(text, now=NOW, zone=place) == start


def test_words_are_about_the_day_that_it_is_in_the_zone():
    late = utc(2026, 11, 30, 22, 30)
    assert periods.moment("today", now=late, zone=MOSCOW) == utc(2026, 11, 30, 21)
    assert periods.moment("today", now=late, zone=UTC) == utc(2026, 11, 30)
    assert periods.moment("this-month", now=late, zone=MOSCOW) == utc(2026, 11, 30, 21)


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    day=st.dates(date(2000, 1, 1), date(2030, 12, 31)),
    within=st.integers(0, 30 * 3_600),
)
@MANY
def test_a_day_has_every_moment_that_its_zone_says_is_on_it(zone, day, within):
    start, end = periods.period(day.isoformat(), now=NOW, zone=zone)
    for moment in (start, end, start + timedelta(seconds=within), start - timedelta(seconds=1)):
        assert (start <= moment < end) == (moment.astimezone(zone).date() == day)
    following, _ = periods.period(day + timedelta(days=1), now=NOW, zone=zone)
    assert end == following


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2026-03-29", "Europe/Berlin", 23),
        ("2026-10-25", "Europe/Berlin", 25),
        ("2026-03-29", "Asia/Beirut", 23),
        ("2026-04-05", "Australia/Lord_Howe", 24.5),
        ("2011-12-30", "Pacific/Apia", 0),
    ],
)
def test_days_are_as_long_as_clocks_make_them(day, zone, hours):
    start, end = periods.period(day, now=NOW, zone=ZoneInfo(zone))
    assert (end - start) == timedelta(hours=hours)


def test_weeks_and_months_end_where_the_next_begins():
    berlin = ZoneInfo("Europe/Berlin")
    start, end = periods.period("2026-03", now=NOW, zone=berlin)
    assert (start, end) == (utc(2026, 2, 28, 23), utc(2026, 3, 31, 22))
    start, end = periods.period("2026-W13", now=NOW, zone=berlin)
    assert (start, end) == (utc(2026, 3, 22, 23), utc(2026, 3, 29, 22))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1764489600", utc(2025, 11, 30, 8)),
        ("@1764489600", utc(2025, 11, 30, 8)),
        ("1764489600.25", utc(2025, 11, 30, 8, 0, 0, 250_000)),
        ("@0", utc(1970, 1, 1)),
        ("2025-01-02T03:04:05.6Z", utc(2025, 1, 2, 3, 4, 5, 600_000)),
        ("2025-01-02t03:04:05.6z", utc(2025, 1, 2, 3, 4, 5, 600_000)),
        ("2025-01-02 06:04:05.6+03:00", utc(2025, 1, 2, 3, 4, 5, 600_000)),
        (" 2025-01-02T03:04:05.6Z ", utc(2025, 1, 2, 3, 4, 5, 600_000)),
        ("2025-01-02T01:00", utc(2025, 1, 1, 22)),
    ],
)
def test_a_time_is_what_it_says(text, moment):
    assert periods.parse(text, now=NOW, zone=MOSCOW) == (moment, None)


def test_values_of_python_are_times_too():
    aware = datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=5)))
    assert periods.moment(aware, now=NOW, zone=MOSCOW) == aware
    assert periods.moment(aware.replace(tzinfo=None), now=NOW, zone=MOSCOW) == utc(2026, 1, 1, 21)
    assert periods.moment(date(2026, 1, 2), now=NOW, zone=MOSCOW) == utc(2026, 1, 1, 21)
    assert periods.moment(1_764_489_600, now=NOW) == utc(2025, 11, 30, 8)
    assert periods.period(date(2026, 1, 2), now=NOW, zone=UTC) == (
        utc(2026, 1, 2),
        utc(2026, 1, 3),
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "25h61",
        "h",
        "-1d",
        "3 fortnights ago",
        "999999999w",
        "2025-13-01",
        "2025-13",
        "2025-00",
        "2025-W54",
        "0000",
        "24:00",
        "12345",
        "0001-01-01T00:00+14:00",
        "999999999999",
        "last-day",
        "\u0662h",
    ],
)
def test_what_is_no_time_is_refused_in_words(text):
    with pytest.raises(ValueError, match="invalid time"):
        periods.parse(text, now=NOW)


@pytest.mark.parametrize("value", [True, None, [], b"x", float("nan"), float("inf"), 1e30])
def test_values_that_are_no_time_are_refused_in_words(value):
    with pytest.raises(ValueError, match="invalid time"):
        periods.moment(value, now=NOW)


@MANY
@given(st.text("0123456789-:.@TZW+ adhlmnostwy", max_size=24))
def test_reading_a_time_gives_an_ordered_period_or_an_error(text):
    try:
        start, end = periods.parse(text, now=NOW, zone=MOSCOW)
    except ValueError as error:
        assert str(error).startswith(f"invalid time {text!r}: use ")
    else:
        assert start.tzinfo is UTC
        assert end is None or start < end


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("500ms", 0.5),
        ("2.5s", 2.5),
        ("1m30s", 90),
        ("1 m 30 s", 90),
        ("2h", 7_200),
        ("3", 3),
        ("1 minute", 60),
        (4, 4),
        (0.25, 0.25),
        (timedelta(hours=1), 3_600),
    ],
)
def test_durations(value, seconds):
    assert periods.duration(value) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "x", "-1", "1q", "1h-", -1, timedelta(-1), None, 1e30, []])
def test_what_is_no_duration_is_refused_in_words(value):
    with pytest.raises(ValueError, match="invalid duration"):
        periods.duration(value)
