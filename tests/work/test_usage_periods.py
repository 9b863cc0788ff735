"""Usage by hour, quarter and year, by who asked and by error."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.model.results import RunResult, Usage
from runreel.model.status import RunStatus
from tests import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

# A run every 20 minutes while clocks in Berlin are turned back, and then on Lord Howe.
BERLIN = datetime(2025, 10, 25, 22, tzinfo=UTC)
LORD_HOWE = datetime(2025, 4, 5, 13, tzinfo=UTC)
STARTS = [first + timedelta(minutes=20 * n) for first in (BERLIN, LORD_HOWE) for n in range(15)]


@pytest.fixture(scope="module")
def turned(shared_url: str) -> Iterator[Reel]:
    """A log with a run at each of these times."""
    with runreel.open(shared_url) as reel:
        for n, start in enumerate(STARTS):
            with logs.recording_at(reel, f"run-{n:02d}", start, model=f"m{n % 2}") as recording:
                recording.result(RunResult(RunStatus.COMPLETED, usage=Usage(1, 3, 2)))
        yield reel


def hours(reel: Reel, tz: str, **filters: object) -> dict[str, int]:
    report = reel.usage(("hour",), tz=tz, **filters)
    return {str(item.key[0]): item.totals.runs for item in report.items}


def test_an_hour_that_the_clock_shows_twice_is_two_hours_in_their_order(turned):
    assert list(hours(turned, "Europe/Berlin", since=BERLIN).items()) == [
        ("2025-10-26T00", 3),
        ("2025-10-26T01", 3),
        ("2025-10-26T02+02:00", 3),
        ("2025-10-26T02+01:00", 3),
        ("2025-10-26T03", 3),
    ]


def test_half_an_hour_that_the_clock_shows_twice_is_in_two_hours(turned):
    # 02:00 is 01:30 again: 01:30 to 02:00 is there twice.
    assert list(hours(turned, "Australia/Lord_Howe", until=BERLIN).items()) == [
        ("2025-04-06T00", 3),
        ("2025-04-06T01+11:00", 3),
        ("2025-04-06T01+10:30", 2),
        ("2025-04-06T02", 3),
        ("2025-04-06T03", 3),
        ("2025-04-06T04", 1),
    ]


@pytest.mark.parametrize("tz", ["UTC", "Asia/Kathmandu", "America/St_Johns", "+14:00", "-09:30"])
def test_hours_are_those_of_the_zone(turned, tz):
    zone = runreel.system.zones.zone(tz)[0]
    by_hand = Counter(f"{start.astimezone(zone):%Y-%m-%dT%H}" for start in STARTS)
    assert hours(turned, tz) == by_hand


def test_hours_within_a_range_that_begins_and_ends_inside_one(turned):
    since, until = BERLIN + timedelta(minutes=21), BERLIN + timedelta(minutes=100)
    assert hours(turned, "UTC", since=since, until=until) == {
        "2025-10-25T22": 1,
        "2025-10-25T23": 2,
    }


def test_hours_go_with_other_groups(turned):
    report = turned.usage(("hour", "model", "day"), tz="Europe/Berlin", since=BERLIN)
    assert report.items[4].key == ("2025-10-26T02+02:00", "m0", "2025-10-26")
    assert sum(item.totals.runs for item in report.items) == 15


def test_quarters_and_years(turned):
    keys = [item.key for item in turned.usage(("quarter", "year"), tz="UTC").items]
    assert keys == [("2025-Q2", "2025"), ("2025-Q4", "2025")]


def test_who_asked_and_what_failed_are_groups(reel):
    told = [("ann", None), ("ann", "out of luck"), ("bob", "out of luck"), (None, None)]
    for n, (who, error) in enumerate(told):
        with reel.recording(f"run-{n}", source="plain") as recording:
            line: dict[str, object] = {"type": "FAILED" if error else "COMPLETED"}
            line |= {"created_by": who} if who else {}
            recording.offer("run", line | ({"error": error} if error else {}))
    found = {item.key: item.totals.runs for item in reel.usage(("created_by", "error")).items}
    assert found == {
        ("ann", None): 1,
        ("ann", "out of luck"): 1,
        ("bob", "out of luck"): 1,
        (None, None): 1,
    }
