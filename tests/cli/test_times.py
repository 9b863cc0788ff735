from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from runreel.cli import times

NOW = datetime(2025, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("24h", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(days=14)),
        ("0h", timedelta()),
    ],
)
def test_so_long_ago(text: str, ago: timedelta) -> None:
    assert times.parse(text, now=NOW) == NOW - ago


def test_a_time_with_an_offset_is_what_it_says() -> None:
    expected = datetime(2025, 1, 2, 3, 4, 5, 600000, tzinfo=UTC)
    for text in (
        "2025-01-02T03:04:05.6Z",
        "2025-01-02 06:04:05.6+03:00",
        " 2025-01-02T03:04:05.6Z ",
    ):
        assert times.parse(text, now=NOW) == expected


def test_a_time_without_an_offset_is_of_the_zone() -> None:
    moscow = ZoneInfo("Europe/Moscow")
    assert times.parse("2025-01-02", now=NOW, zone=moscow) == datetime(2025, 1, 1, 21, tzinfo=UTC)
    assert times.parse("2025-01-02T01:00", now=NOW, zone=moscow) == datetime(
        2025, 1, 1, 22, tzinfo=UTC
    )


def test_a_time_without_an_offset_is_local(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert times.parse("2025-01-02", now=NOW) == datetime(2025, 1, 1, 15, tzinfo=UTC)
        assert times.local(datetime(2025, 1, 1, 15, tzinfo=UTC)) == "2025-01-02 00:00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "25h61",
        "h",
        "-1d",
        "999999999w",
        "2025-13-01",
        "24:00",
        "0001-01-01T00:00+14:00",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        times.parse(text, now=NOW)


@pytest.mark.parametrize(
    "name", ["", "Mars/Phobos", "../etc/passwd", "/etc/passwd", "\0", "Europe"]
)
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is no time zone"):
        times.zone_of(name)


def test_durations_are_told_in_the_unit_that_suits_them() -> None:
    told = {
        None: None,
        0.0: "0.000s",
        1.5: "0.002s",
        9999: "9.999s",
        12345: "12.3s",
        59940: "59.9s",
    }
    told |= {60000: "1m 00s", 3599400: "59m 59s", 3600000: "1h 00m 00s", 90061000: "25h 01m 01s"}
    assert {given: times.took(given) for given in told} == told


def test_times_beyond_the_calendar_are_shown_all_the_same() -> None:
    assert times.local(datetime.max.replace(tzinfo=UTC)) is not None
    assert times.local(datetime.min.replace(tzinfo=UTC)) is not None
    assert times.local(None) is None
