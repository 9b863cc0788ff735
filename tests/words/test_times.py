from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.model.timestamps import from_micros, micros, naive, rfc3339, to_micros
from tests.strategies import SOME, values

MOMENT = datetime(2025, 4, 7, 14, 42, 56, 643453, tzinfo=UTC)
MICROS = 1_744_036_976_643_453


def test_a_time_is_microseconds_since_the_epoch():
    assert to_micros(MOMENT) == MICROS
    assert from_micros(MICROS) == MOMENT
    assert to_micros(datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)) == -1


def test_a_naive_time_is_taken_as_utc():
    assert to_micros(MOMENT.replace(tzinfo=None)) == MICROS


def test_a_time_of_another_zone_is_the_same_moment():
    assert to_micros(MOMENT.astimezone(timezone(timedelta(hours=5, minutes=45)))) == MICROS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-04-07T14:42:56.643453Z", MICROS),
        ("2025-04-07T14:42:56.643453404Z", MICROS),
        ("2025-04-07T14:42:56.643453999Z", MICROS),
        (f"2025-04-07T14:42:56.643453{'9' * 99}Z", MICROS),
        ("2025-04-07T17:42:56.643453+03:00", MICROS),
        ("2025-04-07T14:42:56Z", MICROS - 643_453),
        ("2025-04-07T14:42:56.6Z", MICROS - 43_453),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
        ("yesterday", None),
        ("", None),
        ("2025-13-01T00:00:00Z", None),
        ("2025-04-07t14:42:56.643453z", MICROS),
        ("2016-12-31T23:59:60Z", 1_483_228_799_999_999),
        ("2016-12-31t23:59:60.5+00:00", 1_483_228_799_999_999),
        ("2025-04-07T14:42:61Z", None),
        ("２０２５-04-07T14:42:56Z", None),  # noqa: RUF001 - digits of another script
        ("1744036976", None),
        ("NaN", None),
        (1_744_036_976, MICROS - 643_453),
        (1_744_036_976.643453, MICROS),
        (1_744_036_976_643, MICROS - 453),
        (1_744_036_976_643.453, MICROS),
        (1_744_036_976_643_453, None),
        (-1, None),
        (0, None),
        (True, None),
        ([], None),
        (None, None),
    ],
)
def test_the_times_of_proto_json_are_read_and_anything_else_is_none(text, expected):
    assert micros(text) == expected


@pytest.mark.parametrize(
    "text", ["2025-04-07T14:42:56.643453Z", "2025-04-07T17:42:56.643453+03:00"]
)
def test_messages_have_times_without_a_zone(text):
    assert naive(text) == MOMENT.replace(tzinfo=None)
    assert naive("yesterday") is None


def test_a_time_that_no_datetime_reaches_becomes_the_nearest():
    assert from_micros(10**30) == datetime.max.replace(tzinfo=UTC)
    assert from_micros(-(10**30)) == datetime.min.replace(tzinfo=UTC)
    assert rfc3339(micros("0001-01-01T00:00:00+14:00")) == "0001-01-01T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (MICROS, "2025-04-07T14:42:56.643453Z"),
        (MOMENT, "2025-04-07T14:42:56.643453Z"),
        (MOMENT.astimezone(timezone(timedelta(hours=-8))), "2025-04-07T14:42:56.643453Z"),
        (0, "1970-01-01T00:00:00.000000Z"),
        (None, None),
    ],
)
def test_json_shows_utc_with_microseconds(value, expected):
    assert rfc3339(value) == expected


@SOME
@given(st.datetimes(timezones=st.just(UTC)))
def test_every_time_survives(moment):
    assert from_micros(to_micros(moment)) == moment
    assert micros(rfc3339(moment)) == to_micros(moment)


@SOME
@given(values | st.text("0123456789-:.TZ+W ", max_size=32))
def test_reading_a_time_never_raises(value):
    told = micros(value)
    assert told is None or from_micros(told).tzinfo is UTC
