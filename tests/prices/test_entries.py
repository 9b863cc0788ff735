from __future__ import annotations

import hashlib
import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.model.errors import BadPrices
from runreel.prices.entry_lines import KEYS, entry_lines
from runreel.prices.price_book import read_book, read_entries
from tests.prices.lines import BASE, data, line, price_book


def problems(*lines: object) -> list[str]:
    return list(map(str, read_entries(data(*lines))[1]))


def without(key: str) -> dict[str, object]:
    return {name: value for name, value in BASE.items() if name != key}


BAD = {
    "negative": (line(input="-0.5"), "`input` is negative"),
    "negative number": (line(output=-1), "`output` is negative"),
    "float": (line(input=0.5), "`input` must be a decimal string"),
    "exponent": (line(input="1e-3"), "`input` must be a decimal string"),
    "other digits": (line(input="٣"), "`input` must be a decimal string"),
    "comma": (line(cached="0,5"), "`cached` must be a decimal string"),
    "nan": (line(input="NaN"), "`input` must be a decimal string"),
    "missing price": (without("input"), "`input` is missing"),
    "null price": (line(output=None), "`output` is missing"),
    "missing date": (without("valid_from"), "`valid_from` is missing"),
    "missing unit": (without("unit"), "`unit` is missing"),
    "missing model": (line(model=None), "`model` is missing"),
    "empty model": (line(model=" "), "`model` must be a text"),
    "currency": (line(currency="RUR"), "unknown currency 'RUR'"),
    "currency in small letters": (line(currency="usd"), "unknown currency 'usd'"),
    "currency as a list": (line(currency=["USD"]), "unknown currency"),
    "unit": (line(unit=0), "`unit` must be a number of tokens"),
    "unit without exact decimals": (line(unit=3000), "`unit` must be a number of tokens"),
    "unit as text": (line(unit="1000"), "`unit` must be a whole number"),
    "unit as flag": (line(unit=True), "`unit` must be a whole number"),
    "date": (line(valid_from="2026-02-30"), "`valid_from` must be a date"),
    "date with time": (line(valid_from="2026-02-01T00:00:00Z"), "`valid_from` must be a date"),
    "empty period": (line(valid_until="2026-01-01"), "`valid_until` is not after"),
    "time": (line(entered_at="now"), "`entered_at` must be a time"),
    "typing mistake": (line(cahced="1"), "unknown key `cahced`"),
    "thresholds": (line(thresholds={"above": 1}), "`thresholds` must be a list"),
    "threshold": (line(thresholds=[1]), "`thresholds` must be a list"),
    "threshold without above": (line(thresholds=[{"input": "1"}]), "`above` is missing"),
    "threshold without prices": (line(thresholds=[{"above": 1}]), "no price is given"),
    "threshold twice": (
        line(thresholds=[{"above": 1, "input": "1"}, {"above": 1, "input": "2"}]),
        "one `above` twice",
    ),
    "threshold negative": (line(thresholds=[{"above": 1, "input": "-1"}]), "is negative"),
    "not JSON": ("{", "not JSON"),
    "not an object": ("[]", "not a JSON object"),
    "not UTF-8": (b'{"model": "\xff"}', "not UTF-8"),
    "key twice": ('{"input": "1", "input": "2"}', "`input` is given twice"),
    "surrogate": ('{"model": "\\ud800"}', "not valid Unicode"),
    "deep": ("[" * 100_000, ""),
    "huge number": ('{"unit": ' + "9" * 10_000 + "}", ""),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_named_and_the_others_are_read(name):
    bad, message = BAD[name]
    entries, found = read_entries(data(line(), "", bad, line(model="tin-2")))
    assert [entry.model for entry in entries] == ["tin-1", "tin-2"]
    assert found
    assert {problem.line for problem in found} == {3}
    assert any(message in problem.message for problem in found)


def test_all_problems_of_a_line_are_listed():
    assert problems(line(input="-1", output=None, currency="TIN")) == [
        "line 1: `currency`: unknown currency 'TIN'; use a code of ISO 4217 such as USD",
        "line 1: `input` is negative",
        "line 1: `output` is missing",
    ]


OVERLAPS = {
    "same start": [line(), line(input="9")],
    "same line": [line(), line()],
    "both without start": [line(valid_from=None), line(valid_from=None, input="9")],
    "default tier by two names": [line(), line(tier="default")],
    "explicit end": [line(valid_until="2026-06-01"), line(valid_from="2026-05-31")],
    "explicit end, other order": [
        line(valid_from="2026-05-31"),
        line(valid_until="2026-06-01"),
    ],
}


@pytest.mark.parametrize("name", OVERLAPS)
def test_an_overlap_names_both_lines(name):
    (found,) = problems(*OVERLAPS[name])
    assert found.startswith("line 2: overlaps line 1: ")


FITTING = {
    "later start ends the open entry": [line(), line(valid_from="2026-05-31")],
    "end meets start": [line(valid_until="2026-06-01"), line(valid_from="2026-06-01")],
    "gap": [line(valid_until="2026-06-01"), line(valid_from="2026-07-01")],
    "other tier": [line(), line(tier="flex")],
    "other provider": [line(), line(provider="tan")],
    "other model": [line(), line(model="tin-1*")],
    "start after none": [line(valid_from=None), line()],
}


@pytest.mark.parametrize("name", FITTING)
def test_these_do_not_overlap(name):
    assert problems(*FITTING[name]) == []


def test_a_bad_book_is_refused_with_all_problems():
    with pytest.raises(BadPrices) as raised:
        read_book("prices.jsonl", data(line(input=None), line(output=None)))
    assert raised.value.problems == (
        "line 1: `input` is missing",
        "line 2: `output` is missing",
    )
    assert str(raised.value) == "prices.jsonl: line 1: `input` is missing; and 1 more"


def test_the_digest_is_that_of_the_file():
    text = data(line(), line(model="tin-2")) + b"\r\n\n"
    assert read_book("x", text).digest == hashlib.sha256(text).hexdigest()
    assert read_book("x", b"").digest == hashlib.sha256(b"").hexdigest()


def test_a_byte_order_mark_and_line_ends_of_windows_are_read():
    text = b"\xef\xbb\xbf" + data(line(), line(model="tin-2")).replace(b"\n", b"\r\n")
    assert [entry.line for entry in read_book("x", text).entries] == [1, 2]


prices = st.decimals(0, 10**6, places=9).map(lambda value: f"{value:f}")
maybe_price = st.none() | prices
texts = (
    st.text(min_size=1, max_size=12)
    .filter(str.strip)
    .filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text))
)
days = st.dates(date(1, 1, 1), date(9000, 1, 1))
thresholds = st.lists(
    st.fixed_dictionaries(
        {"above": st.integers(0, 10**6), "input": prices}, optional={"cached": prices}
    ),
    max_size=3,
    unique_by=lambda threshold: threshold["above"],
)
entries = st.fixed_dictionaries(
    {
        "provider": st.none() | texts,
        "model": texts,
        "tier": st.none() | texts,
        "unit": st.sampled_from([1, 500, 1000, 1_000_000]),
        "currency": st.sampled_from(["USD", "RUB", "EUR"]),
        "valid_from": st.none() | days.map(str),
        "input": prices,
        "output": prices,
        "cached": maybe_price,
        "cache_write": maybe_price,
        "reasoning": maybe_price,
        "thresholds": st.none() | thresholds,
        "source": st.none() | texts,
    }
)


@given(st.lists(entries, max_size=4))
def test_written_entries_are_read_back(values):
    found, bad = read_entries(data(*values))
    assert [one for one in bad if "overlaps" not in one.message] == []
    written = entry_lines(found)
    again = read_entries(written)[0]
    assert [entry.facts for entry in again] == [entry.facts for entry in found]
    assert entry_lines(again) == written
    assert all(tuple(json.loads(one)) == KEYS for one in written.splitlines())


@given(st.binary(max_size=200))
def test_any_bytes_give_entries_and_problems(text):
    found, bad = read_entries(text)
    assert all(1 <= one.line <= text.count(b"\n") + 1 for one in [*found, *bad])


@given(
    st.dictionaries(
        st.sampled_from(KEYS),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.integers())
        | st.dictionaries(st.text(), st.text()),
    )
)
def test_any_values_give_an_entry_or_problems(value):
    found, bad = read_entries(data(value | {"model": 1}))
    assert found == []
    assert bad


def test_a_book_of_another_encoding_is_not_half_read():
    found, bad = read_entries(json.dumps(line()).encode("utf-16"))
    assert not found
    assert bad


def test_dates_are_half_open():
    book = price_book(line(valid_until="2026-06-01"))
    assert book.find("tin-1", None, date(2026, 1, 1)).entry
    assert book.find("tin-1", None, date(2026, 5, 31)).entry
    assert book.find("tin-1", None, date(2025, 12, 31)).reason == "no_date"
    assert book.find("tin-1", None, date(2026, 6, 1)).reason == "no_date"
