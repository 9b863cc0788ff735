from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.prices.pricing import (
    BAD_USAGE,
    NO_USAGE,
    Cost,
    TokenCounts,
    Unpriced,
    decimal_text,
    price_of,
)
from tests.prices.lines import line, price_book

DAY = date(2026, 3, 1)


def cost(counts: TokenCounts, *lines: object, tier: str | None = None, at: object = DAY) -> str:
    found = price_of(price_book(*lines), counts, "tin-1", tier, at)
    assert isinstance(found, Cost)
    assert sum(part.cost for part in found.parts) == found.amount
    return decimal_text(found.amount)


def test_cached_tokens_are_priced_apart():
    book = line(unit=1_000_000, input="0.25", output="2", cached="0.025")
    # 86 input, 1,920 cached and 300 output tokens, per million.
    assert cost(TokenCounts(2006, 300, 1920), book) == "0.0006695"
    assert cost(TokenCounts(2006, 300), book) == "0.0011015"


def test_cache_writes_and_reasoning_have_their_own_prices():
    book = line(unit=1, input="1", output="10", cached="0.1", cache_write="1.25", reasoning="20")
    assert cost(TokenCounts(100, 50, 30, 20, 10), book) == str(50 + 3 + 25 + 40 * 10 + 10 * 20)


def test_missing_prices_are_those_of_input_and_output():
    assert cost(TokenCounts(100, 50, 30, 20, 10), line(unit=1, input="1", output="10")) == "600"


def test_a_price_of_zero_is_a_price():
    assert cost(TokenCounts(100, 50, 100), line(cached="0", output="0")) == "0"


def test_a_threshold_prices_the_whole_request():
    book = line(
        unit=1,
        input="1",
        output="2",
        cached="0.5",
        thresholds=[{"above": 200, "output": "5"}, {"above": 100, "input": "3", "cached": "0"}],
    )
    assert cost(TokenCounts(100, 10, 50), book) == "95"
    assert cost(TokenCounts(101, 10, 50), book) == str(51 * 3 + 20)
    # Omitted keys are those of the entry, not of the lower threshold.
    assert cost(TokenCounts(201, 10, 50), book) == str(151 + 25 + 50)


def test_the_tier_and_the_day_choose_the_prices():
    lines = (
        line(unit=1),
        line(unit=1, tier="flex", input="0.25"),
        line(unit=1, valid_from="2026-06-01", input="9"),
    )
    one = TokenCounts(1, 0)
    assert cost(one, *lines) == "0.5"
    assert cost(one, *lines, tier="flex") == "0.25"
    assert cost(one, *lines, at=datetime(2026, 5, 31, 23, 59, 59, tzinfo=UTC)) == "0.5"
    assert cost(one, *lines, at=datetime(2026, 6, 1, tzinfo=UTC)) == "9"
    # 02:00 in Moscow is the day before in UTC.
    moscow = timezone(timedelta(hours=3))
    assert cost(one, *lines, at=datetime(2026, 6, 1, 2, tzinfo=moscow)) == "0.5"
    assert cost(one, *lines, at=datetime(2026, 6, 1, 3, tzinfo=moscow)) == "9"


UNPRICED = {
    "no usage": (None, "tin-1", NO_USAGE),
    "no input": (TokenCounts(None, 1), "tin-1", NO_USAGE),
    "no output": (TokenCounts(1, None), "tin-1", NO_USAGE),
    "more cached than input": (TokenCounts(1, 1, 2), "tin-1", BAD_USAGE),
    "more cached and written than input": (TokenCounts(3, 1, 2, 2), "tin-1", BAD_USAGE),
    "more reasoning than output": (TokenCounts(3, 1, None, None, 2), "tin-1", BAD_USAGE),
    "negative": (TokenCounts(3, 1, -1), "tin-1", BAD_USAGE),
    "unknown model": (TokenCounts(1, 1), "tin-2", "no_model"),
    "no model": (TokenCounts(1, 1), None, "no_model"),
}


@pytest.mark.parametrize("name", UNPRICED)
def test_what_is_unknown_has_no_cost(name):
    counts, model, reason = UNPRICED[name]
    assert price_of(price_book(line()), counts, model, None, DAY) == Unpriced(reason)


def test_a_later_row_changes_no_past_cost():
    old = [line(), line(model="tin-*", input="7")]
    new = [*old, line(valid_from="2026-06-01", input="100"), line(model="tan-1")]
    for day in (date(2026, 1, 1), date(2026, 5, 31)):
        for model in ("tin-1", "tin-2"):
            counts = TokenCounts(1000, 10)
            before = price_of(price_book(*old), counts, model, None, day)
            after = price_of(price_book(*new), counts, model, None, day)
            assert isinstance(before, Cost)
            assert isinstance(after, Cost)
            assert before.amount == after.amount
            assert before.book.digest != after.book.digest


prices = st.decimals(0, 1000, places=7).map(lambda value: f"{value:f}")
keys = ("input", "output", "cached", "cache_write", "reasoning")
partial = st.dictionaries(st.sampled_from(keys), prices, min_size=1)
books = st.builds(
    lambda unit, base, more, thresholds: line(
        unit=unit,
        **(base | more),
        thresholds=[{"above": above, **part} for above, part in thresholds.items()],
    ),
    st.sampled_from([1, 1000, 1_000_000]),
    st.fixed_dictionaries({"input": prices, "output": prices}),
    st.dictionaries(st.sampled_from(keys[2:]), prices),
    st.dictionaries(st.integers(0, 300), partial, max_size=3),
)
counts = st.tuples(
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(0, 100),
)


def by_hand(entry: dict, parts: tuple[int, ...]) -> Fraction:
    plain, cached, written, answer, reasoning = parts
    applied = dict(entry)
    for threshold in sorted(entry["thresholds"], key=lambda one: one["above"]):
        if plain + cached + written > threshold["above"]:
            applied = entry | threshold
    price = {key: Fraction(applied[key]) for key in keys if applied.get(key) is not None}
    total = plain * price["input"]
    total += cached * price.get("cached", price["input"])
    total += written * price.get("cache_write", price["input"])
    total += answer * price["output"]
    total += reasoning * price.get("reasoning", price["output"])
    return total / entry["unit"]


@given(books, counts)
def test_costs_equal_those_by_hand_to_the_last_digit(entry, parts):
    plain, cached, written, answer, reasoning = parts
    tokens = TokenCounts(plain + cached + written, answer + reasoning, cached, written, reasoning)
    found = price_of(price_book(entry), tokens, "tin-1", None, DAY)
    assert isinstance(found, Cost)
    assert found.amount == by_hand(entry, parts) == sum(part.cost for part in found.parts)
    assert Fraction(decimal_text(found.amount)) == found.amount


@given(st.integers(-(10**30), 10**30), st.integers(0, 40), st.integers(0, 40))
def test_decimal_texts_are_exact_and_short(number, twos, fives):
    amount = Fraction(number, 2**twos * 5**fives)
    shown = decimal_text(amount)
    assert Fraction(shown) == amount
    assert "." not in shown or not shown.endswith(("0", "."))
    assert shown != "-0"


def test_a_third_has_no_decimal_text():
    with pytest.raises(ValueError, match="no exact decimal form"):
        decimal_text(Fraction(1, 3))
