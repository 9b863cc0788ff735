from __future__ import annotations

import socket
import sys
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from genai_prices import Usage, calc_price
from genai_prices.data import providers

from runreel.model.errors import MissingExtra
from runreel.prices.entry_lines import entry_lines
from runreel.prices.price_book import read_book
from runreel.prices.pricing import Cost, TokenCounts, price_of
from runreel.query import price_books, price_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAYS = [
    datetime(2025, 1, 1, tzinfo=UTC),
    datetime(2026, 8, 22, tzinfo=UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
]
COUNTS = [(2006, 300, 1920, 0), (250_000, 1000, 0, 1000), (100, 0, 0, 0)]
OWNERS = ("openai", "anthropic", "google", "mistral", "x-ai")


def names() -> Iterator[str]:
    """Ids of models of some providers, and names with what services append."""
    for provider in providers:
        if provider.id in OWNERS:
            for model in provider.models:
                yield from (model.id, f"{model.id}-2026-01-01", f"{model.id}-latest")


def theirs(
    name: str, provider: str | None, at: datetime, counts: tuple[int, ...], **context: str
) -> Fraction:
    given, made, cached, written = counts
    usage = Usage(
        input_tokens=given,
        output_tokens=made,
        cache_read_tokens=cached,
        cache_write_tokens=written,
    )
    try:
        # Where the package knows whose a name is, it needs no provider.
        found = calc_price(usage, name, genai_request_timestamp=at, price_context=context or None)
    except LookupError:
        found = calc_price(
            usage,
            name,
            provider_id=provider,
            genai_request_timestamp=at,
            price_context=context or None,
        )
    return Fraction(found.total_price)


@pytest.mark.parametrize("tier", [None, "flex", "priority", "batch"])
def test_costs_are_those_of_the_package(tier):
    snapshot = price_snapshot.snapshot()
    context = {} if tier is None else {"processing" if tier == "batch" else "service_tier": tier}
    priced = 0
    for name in names():
        for at in DAYS:
            for counts in COUNTS:
                ours = price_of(snapshot, TokenCounts(*counts), name, tier, at)
                if isinstance(ours, Cost):
                    expected = theirs(name, ours.entry.provider, at, counts, **context)
                    assert ours.amount == expected, (name, at, counts)
                    assert ours.currency == "USD"
                    priced += 1
    assert priced > (500 if tier is None else 100)


def test_a_model_with_a_dated_change_has_two_prices():
    changed = [
        (provider, model)
        for provider in providers
        if provider.id in OWNERS
        for model in provider.models
        if isinstance(model.prices, list) and len(model.prices) == 2
    ]
    assert changed
    snapshot, seen = price_snapshot.snapshot(), 0
    for _, model in changed:
        found = [one for one in snapshot.matching(model.id) if one.entry.tier is None]
        exact = [one.entry for one in found if one.entry.model == model.id]
        seen += len(exact) == 2
        assert [entry.valid_from for entry in exact[1:]] in ([None], [])
    assert seen > 10


def test_a_name_that_several_sell_at_different_prices_has_no_entry_unless_it_has_an_owner():
    snapshot = price_snapshot.snapshot()
    sold: dict[str, set[object]] = {}
    for provider in providers:
        for model in provider.models:
            input_price = getattr(model.prices, "input_mtok", None)
            if isinstance(input_price, Decimal) and model.is_match(model.id):
                sold.setdefault(model.id, set()).add(input_price)
    several = [name for name, prices in sold.items() if len(prices) > 1]
    owned = [
        name
        for name in several
        if any(one.model_match and one.model_match.is_match(name) for one in providers)
    ]
    assert set(owned) < set(several)
    for name in set(several) - set(owned):
        assert name not in {entry.model for entry in snapshot.entries}


def test_a_price_that_depends_on_the_hour_is_left_out_with_a_reason():
    snapshot = price_snapshot.snapshot()
    assert snapshot.left_out
    for name, why in snapshot.left_out.items():
        assert price_snapshot.left_out_reason(snapshot, name) == why
        assert "*" in name or snapshot.find(name, None, DAYS[0].date()).entry is None
    assert price_snapshot.left_out_reason(snapshot, "tin-1") is None


def test_the_entries_are_a_valid_book_of_the_same_digest():
    snapshot = price_snapshot.snapshot()
    written = entry_lines(snapshot.entries)
    again = read_book("again", written)
    assert again.digest == snapshot.digest
    assert again.entries == snapshot.entries
    assert snapshot.name.startswith("genai-prices ")


def test_no_network_is_used(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket, "socket", refuse)
    price_snapshot.snapshot.cache_clear()
    assert price_snapshot.snapshot().entries


def test_without_the_package_the_default_is_an_empty_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "genai_prices.data", None)
    price_snapshot.snapshot.cache_clear()
    with pytest.raises(MissingExtra, match="genai-prices") as raised:
        price_snapshot.snapshot()
    assert "runreel[prices]" in str(raised.value.hint)
    assert price_books.default(tmp_path / "nothing").entries == ()
    price_snapshot.snapshot.cache_clear()
