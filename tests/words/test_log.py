from __future__ import annotations

from datetime import UTC, datetime

from runreel.model.runs import Page
from runreel.model.usage import UsageTotals

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_page_is_its_items_in_order():
    page = Page(("b", "a"), next="cursor", as_of=NOW)
    assert list(page) == ["b", "a"]
    assert len(page) == 2
    assert (page.next, page.as_of) == ("cursor", NOW)


def test_runs_without_usage_are_unknown_not_zero():
    totals = UsageTotals(runs=5, known=2, input_text_tokens=10)
    assert totals.unknown == 3
    assert UsageTotals().total_tokens is None
