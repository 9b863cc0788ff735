"""Lines of invented price books."""

from __future__ import annotations

import json

from runreel.prices.price_book import PriceBook, read_book

BASE = {
    "provider": "tin",
    "model": "tin-1",
    "tier": None,
    "unit": 1000,
    "currency": "USD",
    "valid_from": "2026-01-01",
    "valid_until": None,
    "input": "0.5",
    "output": "1.5",
    "cached": None,
    "cache_write": None,
    "reasoning": None,
    "thresholds": [],
    "source": "https://prices.example/tin",
    "entered_at": "2026-01-02T00:00:00Z",
}


def line(**changes: object) -> dict[str, object]:
    """A valid entry with some values changed."""
    return BASE | changes


def data(*lines: object) -> bytes:
    """The lines of a file; text and bytes stay as they are."""
    return b"\n".join(
        one
        if isinstance(one, bytes)
        else one.encode()
        if isinstance(one, str)
        else json.dumps(one).encode()
        for one in lines
    )


def price_book(*lines: object) -> PriceBook:
    """The book of these lines."""
    return read_book("test", data(*lines))
