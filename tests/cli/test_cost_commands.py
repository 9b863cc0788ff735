"""``usage --cost``, and what runs cost in ``runs`` and ``show``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.prices.lines import data, line

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.calls import Caller

RUNS = (
    {
        "model": "tin-1",
        "labels": {"team": "maps"},
        "usage": {"input_tokens": 2_000, "output_tokens": 10},
    },
    {
        "model": "ru-1",
        "labels": {"team": "maps"},
        "usage": {"input_tokens": 500, "output_tokens": 0},
    },
    {
        "model": "other",
        "labels": {"team": "search"},
        "usage": {"input_tokens": 1, "output_tokens": 1},
    },
)
START = "2026-05-31T12:00:00Z"


@pytest.fixture
def priced(call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Caller:
    """``call`` on runs in two currencies and one without a price, with a price book."""
    file, book = tmp_path / "runs.jsonl", tmp_path / "own.jsonl"
    lines = (
        {"type": "COMPLETED", "run_id": f"run-{n}", "at": START, **run}
        for n, run in enumerate(RUNS)
    )
    file.write_text("".join(json.dumps(one) + "\n" for one in lines))
    call.good("import", str(file))
    book.write_bytes(data(line(), line(model="ru-1", currency="RUB", input="61.00")))
    monkeypatch.setenv("RUNREEL_PRICES", str(book))
    return call


def test_usage_has_an_item_for_each_currency_and_one_without(priced):
    report = priced.good("usage", "--cost", "--by", "label:team", "--json").json
    keys = ("label:team", "runs", "cost", "currency", "priced", "unpriced")
    assert [tuple(item[key] for key in keys) for item in report["items"]] == [
        ("maps", 1, "30.5", "RUB", 1, 0),
        ("maps", 1, "1.015", "USD", 1, 0),
        ("search", 1, None, None, 0, 1),
    ]
    totals = report["totals"]
    assert (totals["cost"], totals["currency"]) == (None, None)
    assert (totals["priced"], totals["unpriced"]) == (2, 1)
    assert report["costs"] == [
        {"currency": "RUB", "cost": "30.5", "runs": 1},
        {"currency": "USD", "cost": "1.015", "runs": 1},
    ]
    assert report["prices"]["as_of"] == "then"


def test_a_table_names_the_currency_and_shows_a_dash_without_a_price(priced):
    *lines, total, coverage, costs, prices = priced.good(
        "usage", "--cost", "--by", "model"
    ).out.splitlines()
    assert [line.split()[-3:] for line in lines[1:]] == [
        ["-", "-", "1"],
        ["30.5", "RUB", "0"],
        ["1.015", "USD", "0"],
    ]
    assert total.split()[-3:] == ["-", "-", "1"]
    assert coverage == "Usage known for 3 of 3 runs."
    assert costs == "Cost known for 2 of 3 runs: 30.5 RUB, 1.015 USD."
    assert prices.startswith("Prices of the start of each run: ")
    assert "$" not in priced.good("usage", "--cost").out


def test_csv_and_json_lines_have_the_columns_of_costs(priced):
    arguments = ("usage", "--cost", "--by", "model", "-o")
    header, first, *_ = priced.good(*arguments, "csv").out.splitlines()
    assert header.endswith("reasoning,cost,currency,priced,unpriced")
    assert first.endswith(",,,0,1")
    lines = priced.good(*arguments, "jsonl").lines
    assert [one["cost"] for one in lines] == [None, "30.5", "1.015"]


def test_rates_are_named_with_their_days(priced, tmp_path):
    rates = tmp_path / "rates.jsonl"
    rates.write_bytes(data({"from": "RUB", "to": "USD", "date": "2026-05-31", "rate": "0.01"}))
    arguments = ("usage", "--by", "source", "--rates", str(rates))
    report = priced.good(*arguments, "--json").json
    assert (report["totals"]["cost"], report["totals"]["currency"]) == ("1.32", "USD")
    assert report["prices"]["rates_from"] == report["prices"]["rates_until"] == "2026-05-31"
    last = priced.good(*arguments).out.splitlines()[-1]
    assert last == f"Converted to USD with the rates of 2026-05-31 to 2026-05-31 in {rates}."
    rates.write_bytes(data({"from": "RUB", "to": "USD", "date": "2026-05-01", "rate": "0.01"}))
    failed = priced(*arguments)
    assert failed.code == 1
    assert "no rate from RUB to USD for 2026-05-31, after line 1" in failed.err


def test_runs_and_show_have_the_cost_of_each_run(priced, tmp_path):
    runs = priced.good("runs", "--json").json["items"]
    found = {run["run_id"]: (run["cost"], run["currency"]) for run in runs}
    assert found == {"run-0": ("1.015", "USD"), "run-1": ("30.5", "RUB"), "run-2": (None, None)}
    shown = priced.good("show", "run-1", "--json").json
    assert (shown["cost"], shown["currency"]) == ("30.5", "RUB")
    other = tmp_path / "other.jsonl"
    other.write_bytes(data(line(model="other", unit=1)))
    shown = priced.good("show", "run-2", "--prices", str(other), "--json").json
    assert (shown["cost"], shown["currency"]) == ("2", "USD")
    header = priced.good("runs", "-o", "csv").out.splitlines()[0]
    assert header.endswith("last_seq,cost,currency")


def test_a_bad_book_is_named_by_line(priced, tmp_path):
    book = tmp_path / "bad.jsonl"
    book.write_bytes(data(line(), line(input="-1", model="m")))
    failed = priced("usage", "--prices", str(book))
    assert failed.code == 1
    assert "line 2: `input` is negative" in failed.err


def test_an_old_book_is_a_notice(priced, tmp_path):
    book = tmp_path / "old.jsonl"
    for entered, found in (("2026-01-02T00:00:00Z", True), (datetime.now(UTC).isoformat(), False)):
        book.write_bytes(data(line(entered_at=entered)))
        called = priced.good("usage", "--prices", str(book))
        assert ("days old" in called.err) is found
