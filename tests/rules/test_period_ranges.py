"""The periods between two times, against the clock of the zone, quarter by quarter."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.model.errors import UsageError
from runreel.projection.period_names import TIMES
from runreel.projection.period_ranges import TimeRange, keys_between, range_of

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]
starts = st.datetimes(datetime(2024, 1, 1), datetime(2026, 1, 1)).map(  # noqa: DTZ001
    lambda time: time.replace(tzinfo=UTC)
)
groupings = st.lists(st.sampled_from(TIMES), min_size=1, max_size=3, unique=True)


def name_by_hand(local: datetime, grouping: str) -> str:
    if grouping == "hour":
        # The offset only tells the two apart when the clock shows an hour twice.
        return f"{local:%Y-%m-%dT%H}"
    if grouping == "week":
        return f"{local:%G-W%V}"
    if grouping == "quarter":
        return f"{local.year}-Q{(local.month - 1) // 3 + 1}"
    return f"{local:%Y-%m-%d}"[: {"day": 10, "month": 7, "year": 4}[grouping]]


@given(groupings, starts, st.integers(0, 400), st.sampled_from(ZONES))
def test_the_keys_are_those_of_every_quarter_of_an_hour(by, first, quarters, zone):
    tz = ZoneInfo(zone)
    last = first + timedelta(minutes=15 * quarters)
    found = keys_between(by, TimeRange(first, last), tz)
    walked: dict[tuple[str, ...], None] = {}
    for n in range(quarters + 1):
        local = (first + timedelta(minutes=15 * n)).astimezone(tz)
        walked[tuple(name_by_hand(local, one) for one in by)] = None
    plain = dict.fromkeys(tuple(map(cut, key)) for key in found)
    assert plain == walked


def cut(name: str) -> str:
    return name[:13] if "T" in name else name


@given(groupings, starts, st.sampled_from(ZONES))
def test_the_range_of_one_key_has_only_that_key(by, time, zone):
    tz = ZoneInfo(zone)
    (key,) = keys_between(by, TimeRange(time, time), tz)
    within = range_of(by, [key], tz)
    again = [found for found in keys_between(by, within, tz) if found == key]
    assert again == [key]
    finest = min(by, key=TIMES.index)
    if finest in ("hour", "day"):
        assert list(keys_between(by, within, tz)) == [key]


def test_hours_of_the_days_when_clocks_are_turned():
    tz = ZoneInfo("Europe/Berlin")
    for day, count in ((date(2025, 10, 26), 25), (date(2025, 3, 30), 23)):
        first = datetime.combine(day, datetime.min.time(), tz)
        last = first.replace(hour=23)
        keys = list(keys_between(["hour"], TimeRange(first, last), tz))
        assert len(keys) == count
        assert [key for key in keys if "+" in key[0]] == (
            [("2025-10-26T02+02:00",), ("2025-10-26T02+01:00",)] if count == 25 else []
        )


@pytest.mark.parametrize(("by", "years"), [(["day"], 300), (["hour"], 12)])
def test_too_many_periods_are_refused(by, years):
    first = datetime(2000, 1, 1, tzinfo=UTC)
    with pytest.raises(UsageError, match="to fill"):
        keys_between(by, TimeRange(first, first + timedelta(days=366 * years)), UTC)
    with pytest.raises(UsageError, match="to fill"):
        keys_between(by, TimeRange(datetime(1, 1, 1, tzinfo=UTC), first), ZoneInfo("Asia/Tokyo"))
