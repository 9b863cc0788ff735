from __future__ import annotations

from datetime import UTC, datetime

from runreel.cli import time_arguments
from runreel.codec.durations import duration_text


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
    assert {given: duration_text(given) for given in told} == told


def test_times_beyond_the_calendar_are_shown_all_the_same() -> None:
    assert time_arguments.local_time(datetime.max.replace(tzinfo=UTC)) is not None
    assert time_arguments.local_time(datetime.min.replace(tzinfo=UTC)) is not None
    assert time_arguments.local_time(None) is None
