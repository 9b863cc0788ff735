from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from runreel.model.errors import UsageError
from runreel.model.usage import UsageItem, UsageTotals
from runreel.projection.period_names import QUARTER
from runreel.projection.period_names import name as period
from runreel.projection.usage_periods import column_of, report, utc_offsets

# Cached, cache-write and reasoning tokens of runs that reported none.
NO_DETAILS = (None, None, None)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def quarter(*moment: int) -> int:
    return (datetime(*moment, tzinfo=UTC) - EPOCH) // QUARTER


@pytest.mark.parametrize(
    ("moment", "day", "week", "month"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01", "2026-W01", "2026-01"),
        (datetime(2027, 1, 1, tzinfo=UTC), "2027-01-01", "2026-W53", "2027-01"),
        (datetime(2024, 12, 30, tzinfo=UTC), "2024-12-30", "2025-W01", "2024-12"),
        (datetime(987, 6, 5, tzinfo=UTC), "0987-06-05", "0987-W23", "0987-06"),
    ],
)
def test_a_moment_is_in_a_day_an_iso_week_and_a_month(moment, day, week, month):
    assert [period(moment, by) for by in ("day", "week", "month")] == [day, week, month]


DAYS = [20_543, 20_544]  # the last of March 2026 and the day after it


@pytest.mark.parametrize(
    ("name", "hours"),
    [("UTC", 0), ("Europe/Moscow", 3), ("Asia/Kathmandu", 5.75), ("America/New_York", -4)],
)
def test_a_time_zone_is_ahead_of_utc(name, hours):
    assert utc_offsets(ZoneInfo(name), DAYS) == [(quarter(2026, 3, 31), hours * 3_600)]


def test_a_time_zone_s_clocks_are_turned_at_a_quarter():
    days = [day for day in range(20_454, 20_819) if day % 3 or day in (20_541, 20_751)]
    assert utc_offsets(ZoneInfo("Europe/Berlin"), days) == [
        (quarter(2026, 1, 2), 3_600),
        (quarter(2026, 3, 29, 1), 7_200),
        (quarter(2026, 10, 25, 1), 3_600),
    ]


@pytest.mark.parametrize("name", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_the_calendar_s_ends_are_days_in_every_time_zone(name):
    first, last = quarter(1, 1, 1), quarter(9999, 12, 31, 23, 45)
    told = utc_offsets(ZoneInfo(name), [first // 96, last // 96])
    seconds = dict(told)
    assert min(seconds) == first
    day = (first * 900 + seconds[first]) // 86_400
    (item,) = report(("day",), [(day, 1, 1, 1, 1, 2, *NO_DETAILS)], tz_name=name).items
    assert item.key == ("0001-01-01",)


def test_groups_are_ordered_added_up_and_those_without_a_value_come_last():
    rows = [
        ("b", "x", 2, 1, 10, 5, 15, 4, None, None),
        (None, "x", 1, 0, None, None, None, *NO_DETAILS),
        ("a", "y", 1, 1, 1, 1, 2, None, 0, None),
        ("b", "x", 1, 1, 2, 3, 5, 1, None, 2),
    ]
    told = report(("model", "label:env"), rows, tz_name="UTC")
    assert told.by == ("model", "label:env")
    assert told.items == (
        UsageItem(("a", "y"), UsageTotals(1, 1, 1, 1, 2, None, 0, None)),
        UsageItem(("b", "x"), UsageTotals(3, 2, 12, 8, 20, 5, None, 2)),
        UsageItem((None, "x"), UsageTotals(1, 0, None, None, None)),
    )
    assert told.totals == UsageTotals(5, 3, 13, 9, 22, 5, 0, 2)
    assert told.totals.unknown == 2


def test_a_time_stands_where_it_was_asked_for():
    rows = [(20_454, "m", 1, 1, 1, 1, 2, *NO_DETAILS)]
    (item,) = report(("model", "month"), rows, tz_name="UTC").items
    assert item.key == ("m", "2026-01")


def test_nothing_has_no_groups_and_nothing_is_known_of_it():
    told = report(("day",), [], tz_name="UTC")
    assert (told.items, told.totals) == ((), UsageTotals(0, 0, None, None, None))


def test_what_none_of_a_group_knows_stays_unknown():
    unknown = ("m", 1, 0, None, None, None, *NO_DETAILS)
    known = ("m", 1, 1, 0, 0, 0, *NO_DETAILS)

    def told(*rows):
        (item,) = report(("model",), rows, tz_name="UTC").items
        return item.totals

    assert told(unknown, unknown) == UsageTotals(2, 0, None, None, None)
    assert told(unknown, known) == told(known, unknown) == UsageTotals(2, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("grouping", "column"),
    [("model", "model"), ("assistant", "assistant_id"), ("label:k", "label:k"), ("label:", None)],
)
def test_a_grouping_is_by_a_column_or_by_a_label(grouping, column):
    if column is not None:
        assert column_of(grouping) == column
        return
    with pytest.raises(UsageError, match="invalid grouping 'label:'"):
        column_of(grouping)


def test_every_offset_of_today_is_a_number_of_quarters():
    assert timedelta(hours=5, minutes=45) % QUARTER == timedelta()
