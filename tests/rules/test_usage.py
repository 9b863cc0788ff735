from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from runreel.rules.usage import QUARTER, column_of, period, plus, report, zone
from runreel.words.errors import UsageError
from runreel.words.log import UsageItem, UsageTotals

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


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("UTC", ["2026-03-31", "2026-04-01"]),
        ("Europe/Moscow", ["2026-04-01", "2026-04-01"]),
        ("Asia/Kathmandu", ["2026-04-01", "2026-04-01"]),
        ("America/New_York", ["2026-03-31", "2026-03-31"]),
    ],
)
def test_a_day_is_one_of_the_time_zone(name, days):
    rows = [
        (quarter(2026, 3, 31, 21, 0), 1, 1, 1, 1, 2),
        (quarter(2026, 4, 1, 0, 15), 1, 1, 1, 1, 2),
    ]
    told = report(("day",), rows, tz=ZoneInfo(name), tz_name=name)
    assert [item.key[0] for item in told.items for _ in range(item.totals.runs)] == days
    assert told.tz == name


def test_the_first_hour_of_all_has_a_day_in_every_time_zone():
    rows = [(quarter(1, 1, 1), 1, 1, 1, 1, 2)]
    for name in ("UTC", "Asia/Tokyo", "America/New_York"):
        (item,) = report(("day",), rows, tz=ZoneInfo(name), tz_name=name).items
        assert item.key == ("0001-01-01",)


def test_groups_are_ordered_added_up_and_those_without_a_value_come_last():
    rows = [
        ("b", "x", 2, 1, 10, 5, 15),
        (None, "x", 1, 0, None, None, None),
        ("a", "y", 1, 1, 1, 1, 2),
        ("b", "x", 1, 1, 2, 3, 5),
    ]
    told = report(("model", "label:env"), rows, tz=UTC, tz_name="UTC")
    assert told.by == ("model", "label:env")
    assert told.items == (
        UsageItem(("a", "y"), UsageTotals(1, 1, 1, 1, 2)),
        UsageItem(("b", "x"), UsageTotals(3, 2, 12, 8, 20)),
        UsageItem((None, "x"), UsageTotals(1, 0, None, None, None)),
    )
    assert told.totals == UsageTotals(5, 3, 13, 9, 22)
    assert told.totals.unknown == 2


def test_a_time_stands_where_it_was_asked_for():
    rows = [(quarter(2026, 1, 1), "m", 1, 1, 1, 1, 2)]
    (item,) = report(("model", "month"), rows, tz=UTC, tz_name="UTC").items
    assert item.key == ("m", "2026-01")


def test_nothing_has_no_groups_and_nothing_is_known_of_it():
    told = report(("day",), [], tz=UTC, tz_name="UTC")
    assert (told.items, told.totals) == ((), UsageTotals(0, 0, None, None, None))


def test_what_neither_knows_stays_unknown():
    unknown, known = UsageTotals(1), UsageTotals(1, 1, 0, 0, 0)
    assert plus(unknown, unknown) == UsageTotals(2, 0, None, None, None)
    assert plus(unknown, known) == plus(known, unknown) == UsageTotals(2, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("grouping", "column"),
    [("model", "model"), ("assistant", "assistant_id"), ("label:k", "label:k"), ("label:", None)],
)
def test_a_grouping_is_by_a_column_or_by_a_label(grouping, column):
    if column is not None:
        assert column_of(grouping) == column
        return
    with pytest.raises(UsageError, match="usage cannot be grouped by 'label:'"):
        column_of(grouping)


def test_a_time_zone_is_known_by_its_name():
    tz, name = zone("Europe/Moscow")
    assert (tz, name) == (ZoneInfo("Europe/Moscow"), "Europe/Moscow")
    assert zone(None)[0] is None
    for unknown in ("Mars/Olympus", "../etc", "", "\0"):
        with pytest.raises(UsageError, match="no time zone is called"):
            zone(unknown)


def test_every_offset_of_today_is_a_number_of_quarters():
    assert timedelta(hours=5, minutes=45) % QUARTER == timedelta()
