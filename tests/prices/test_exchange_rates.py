from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.model.errors import BadPrices
from runreel.prices.exchange_rates import gaps, parse_rates, read_rates
from tests.prices.lines import data

DAY = date(2026, 3, 1)


def rate(day: object = "2026-03-01", value: object = "90.5", **changes: object) -> dict:
    return {"from": "USD", "to": "RUB", "date": day, "rate": value} | changes


def test_a_rate_is_of_its_day_and_direction():
    rates = read_rates("rates.jsonl", data(rate(), rate("2026-03-02", "91")))
    assert rates.rate("USD", "RUB", DAY) == Fraction("90.5")
    assert rates.rate("USD", "RUB", date(2026, 3, 2)) == 91
    assert rates.rate("USD", "RUB", date(2026, 3, 3)) is None
    assert rates.rate("RUB", "USD", DAY) is None
    assert rates.rate("EUR", "EUR", DAY) == 1
    assert rates.why_missing("USD", "RUB", date(2026, 3, 3)) == (
        "rates.jsonl: no rate from USD to RUB for 2026-03-03, after line 2"
    )
    assert rates.why_missing("EUR", "RUB", DAY) == (
        "rates.jsonl: no rate from EUR to RUB for 2026-03-01"
    )


BAD = {
    "currency": (rate(**{"from": "RUR"}), "`from`: unknown currency 'RUR'"),
    "same currency": (rate(to="USD"), "the same currency"),
    "zero": (rate(value="0.00"), "`rate` is 0"),
    "negative": (rate(value="-1"), "`rate` is negative"),
    "float": (rate(value=90.5), "`rate` must be a decimal string"),
    "date": (rate("2026-03-32"), "`date` must be a date"),
    "missing": (rate(value=None), "`rate` is missing"),
    "unknown key": (rate(source="x"), "unknown key `source`"),
    "twice": (rate(value="1"), "again, as line 1"),
    "not JSON": ("90.5", "not a JSON object"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_named(name):
    bad, message = BAD[name]
    rates, problems = parse_rates(data(rate(), bad))
    assert rates[0].line == 1
    assert [problem.line for problem in problems] == [2]
    assert message in problems[0].message
    with pytest.raises(BadPrices, match="line 2"):
        read_rates("rates.jsonl", data(rate(), bad))


def test_a_gap_names_the_line_after_it():
    lines = rate(), rate("2026-03-05"), rate("2026-03-03"), rate(to="EUR"), rate("2026-03-06")
    assert list(map(str, gaps(parse_rates(data(*lines))[0]))) == [
        "line 2: no rate from USD to RUB for 2026-03-04, after line 3",
        "line 3: no rate from USD to RUB for 2026-03-02, after line 1",
    ]


@given(st.sets(st.integers(0, 40), min_size=1))
def test_gaps_are_all_days_that_are_missing(offsets):
    days = [DAY + timedelta(offset) for offset in sorted(offsets)]
    rates, problems = parse_rates(data(*(rate(str(day)) for day in days)))
    assert problems == []
    missing: set[date] = set()
    for gap in gaps(rates):
        first, _, last = gap.message.split(" for ")[1].split(",")[0].partition(" to ")
        day = date.fromisoformat(first)
        while day <= date.fromisoformat(last or first):
            missing.add(day)
            day += timedelta(1)
    every = {DAY + timedelta(n) for n in range(min(offsets), max(offsets) + 1)}
    assert missing == every - set(days)
