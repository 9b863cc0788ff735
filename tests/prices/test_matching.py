from __future__ import annotations

from datetime import date
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from runreel.prices.price_book import NO_DATE, NO_MODEL, NO_TIER, PriceBook, read_book
from tests.prices.lines import data, line, price_book

DAY = date(2026, 3, 1)


def chosen(book: PriceBook, model: str | None, tier: str | None = None, day: date = DAY) -> object:
    found = book.find(model, tier, day)
    return found.reason if found.entry is None else found.entry.line


def test_an_exact_name_comes_before_a_pattern_and_a_longer_pattern_before_a_shorter():
    book = price_book(
        line(model="*"), line(model="tin-*"), line(model="tin-1"), line(model="tin-1*")
    )
    assert chosen(book, "tin-1") == 3
    assert chosen(book, "tin-1-mini") == 4
    assert chosen(book, "tin-2") == 2
    assert chosen(book, "Tin-1") == 1
    assert [one.entry.line for one in book.matching("tin-1")] == [3, 4, 2, 1]


def test_a_pattern_is_about_the_whole_model_with_case():
    book = price_book(line(model="gpt://?*/tin/latest"), line(model="[ab]-1"))
    assert chosen(book, "gpt://folder/tin/latest") == 1
    assert chosen(book, "gpt:///tin/latest") == NO_MODEL
    assert chosen(book, "xgpt://folder/tin/latest") == NO_MODEL
    assert chosen(book, "GPT://folder/tin/latest") == NO_MODEL
    assert chosen(book, "a-1") == 2
    assert chosen(book, "[ab]-1") == 2
    assert chosen(book, "a-1\n") == NO_MODEL


def test_the_reason_says_what_the_book_lacks():
    book = price_book(line(), line(tier="flex", valid_from="2026-05-01"))
    assert chosen(book, "tin-2") == NO_MODEL
    assert chosen(book, None) == NO_MODEL
    assert chosen(book, "tin-1", "batch") == NO_TIER
    assert chosen(book, "tin-1", "flex") == NO_DATE
    assert chosen(book, "tin-1", "flex", date(2026, 5, 1)) == 2
    assert chosen(price_book(), "tin-1") == NO_MODEL


def test_the_names_of_the_default_tier_are_one_tier():
    book = price_book(line(tier="standard"), line(model="tin-2"))
    assert [chosen(book, "tin-1", tier) for tier in (None, "default", "standard")] == [1, 1, 1]
    assert chosen(book, "tin-2", "default") == 2


def test_an_entry_that_ended_leaves_the_model_to_a_shorter_pattern():
    book = price_book(line(valid_until="2026-02-01"), line(model="*", valid_from=None))
    assert chosen(book, "tin-1", day=date(2026, 1, 31)) == 1
    assert chosen(book, "tin-1", day=date(2026, 2, 1)) == 2


def test_a_book_is_asked_before_its_fallback():
    other = read_book(
        "other", data(line(model="*", valid_from=None), line(model="tin-2", tier="flex"))
    )
    book = read_book("own", data(line()), fallback=lambda: other)
    assert [one.name for one in book.books] == ["own", "other"]
    found = book.find("tin-1", None, DAY)
    assert found.book is book
    assert book.find("tin-1", None, date(2025, 1, 1)).book is other
    assert book.find("tin-9", None, DAY).book is other
    assert chosen(book, "tin-1", "flex") == NO_TIER
    assert chosen(book, "tin-2", "batch") == NO_TIER
    assert len({book.digest, book.own_digest, other.digest}) == 3


models = st.text("ab[]-*?", min_size=1, max_size=4)
tiers = st.sampled_from([None, "flex", "default"])
days = st.dates(date(2026, 1, 1), date(2026, 1, 9))
entries = st.builds(
    lambda model, tier, since, until: line(
        model=model,
        tier=tier,
        valid_from=None if since is None else str(since),
        valid_until=None if until is None else str(until),
    ),
    models,
    tiers,
    st.none() | days,
    st.none() | days,
)


def model_choice(lines: list[dict], model: str, tier: str | None, day: date) -> int | None:
    """The line that the rules choose, found one rule after the other."""
    tier = None if tier == "default" else tier
    best: tuple[object, ...] | None = None
    for number, one in enumerate(lines, 1):
        same = [
            other["valid_from"]
            for other in lines
            if other["model"] == one["model"]
            and (other["tier"] == "default" or other["tier"] is None)
            == (one["tier"] in (None, "default"))
            and (other["valid_from"] or "") > (one["valid_from"] or "")
        ]
        end = one["valid_until"] or min(same, default=None)
        if (None if one["tier"] == "default" else one["tier"]) != tier:
            continue
        if one["model"] != model and not fnmatchcase(model, one["model"]):
            continue
        if (one["valid_from"] or "") <= str(day) and (end is None or str(day) < end):
            start = date.fromisoformat(one["valid_from"] or "0001-01-01").toordinal()
            rank = (one["model"] == model, len(one["model"]), start, -number)
            if best is None or rank > best:
                best = rank
    return None if best is None else -best[-1]


@given(
    st.lists(entries, max_size=6), st.lists(st.tuples(models, tiers, days), min_size=1, max_size=6)
)
def test_the_choice_equals_that_of_the_rules(lines, requests):
    kept: list[dict] = []
    for one in lines:
        from runreel.prices.price_book import read_entries

        if not read_entries(data(*kept, one))[1]:
            kept.append(one)
    book = price_book(*kept)
    for model, tier, day in requests:
        found = book.find(model, tier, day).entry
        assert (found and found.line) == model_choice(kept, model, tier, day)
