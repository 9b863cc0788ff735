"""What runs cost: exact, at the prices of their time, and unknown where no price is known."""

from __future__ import annotations

import json
import random
import socket
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from runreel.model.errors import BadPrices, UsageError
from tests import logs
from tests.prices.lines import data, line

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel

MAY, JULY = "2026-05-31T23:59:59Z", "2026-07-01T00:00:00Z"
MINI = {"model": "gpt-5-mini*", "unit": 1_000_000, "input": "0.25", "cached": "0.025"}


def imported(reel: Reel, folder: Path, *runs: dict[str, Any]) -> None:
    """Runs of plain lines: a model, tokens, and when they started."""
    file = folder / "runs.jsonl"
    lines = ({"type": "COMPLETED", "run_id": f"run-{n}", **run} for n, run in enumerate(runs))
    file.write_text("".join(json.dumps(one) + "\n" for one in lines))
    assert reel.import_file(file).problems == []


def run(model: str, given: int, made: int, at: str = MAY, **more: Any) -> dict[str, Any]:
    details = {key: more.pop(key) for key in ("cached", "cache_write", "reasoning") if key in more}
    return {
        "model": model,
        "at": at,
        "usage": {"input_text_tokens": given, "completion_tokens": made},
        "usage_details": {f"{name}_tokens": count for name, count in details.items()} or None,
        **more,
    }


def book(folder: Path, *lines: dict[str, object], name: str = "book.jsonl") -> Path:
    (folder / name).write_bytes(data(*lines))
    return folder / name


def costs(reel: Reel, prices: Path, by: str = "model", **options: Any) -> dict[Any, Any]:
    """The costs by group and currency."""
    report = reel.usage((by,), tz="UTC", cost=True, prices=prices, **options)
    return {(*item.key, item.totals.currency): item.totals.cost for item in report.items}


def test_a_run_costs_what_its_usage_cost_when_it_started(reel, tmp_path):
    imported(reel, tmp_path, run("tin-1", 1_000, 100), run("tin-1", 1_000, 100, JULY))
    rise = line(valid_from="2026-06-01", input="1", output="3")
    prices = book(tmp_path, line(), rise)
    before = costs(reel, prices, "month")
    assert before == {("2026-05", "USD"): Decimal("0.65"), ("2026-07", "USD"): Decimal("1.3")}
    assert reel.cost("run-0", prices=prices).cost == Decimal("0.65")

    newer = book(tmp_path, line(), rise, line(valid_from="2026-08-01", input="9"), name="b")
    assert costs(reel, newer, "month") == before, "a later price changes no earlier cost"
    now = costs(reel, newer, "month", as_of="now")
    assert now == {("2026-05", "USD"): Decimal("9.15"), ("2026-07", "USD"): Decimal("9.15")}
    used = reel.usage(cost=True, prices=newer).prices
    assert (used.book, used.as_of, len(used.digest)) == (str(newer), "then", 64)


def test_cached_and_written_tokens_have_prices_of_their_own(reel, tmp_path):
    imported(
        reel,
        tmp_path,
        run("gpt-5-mini", 2_006, 300, cached=1_920),
        run("gpt-5-mini-2025-08-07", 2_006, 300),
        run("gpt-5-mini-w", 2_006, 300, cached=1_000, cache_write=1_000, reasoning=250),
    )
    mini = line(**MINI, output="2.00", cache_write="0.3125", reasoning="4")
    assert costs(reel, book(tmp_path, mini)) == {
        ("gpt-5-mini", "USD"): Decimal("0.0006695"),
        ("gpt-5-mini-2025-08-07", "USD"): Decimal("0.0011015"),
        ("gpt-5-mini-w", "USD"): Decimal("0.001439"),
    }


def test_tiers_have_prices_of_their_own(reel, tmp_path):
    tiers = (None, "default", "flex", "batch", "priority")
    imported(reel, tmp_path, *(run(f"m-{t}", 2_000, 0, service_tier=t) for t in tiers))
    lines = (line(model="m-*", tier=t, input=p) for t, p in ((None, "1"), ("flex", "0.5")))
    found = costs(reel, book(tmp_path, *lines, line(model="m-batch", tier="batch", input="0.4")))
    assert found == {
        ("m-None", "USD"): Decimal(2),
        ("m-default", "USD"): Decimal(2),
        ("m-flex", "USD"): Decimal(1),
        ("m-batch", "USD"): Decimal("0.8"),
        ("m-priority", None): None,
    }
    assert reel.cost("run-4", prices=tmp_path / "book.jsonl").reason == "no_tier"


def test_a_threshold_is_exceeded_by_a_request_and_not_by_a_run(reel, tmp_path):
    def answer(number: int, given: int) -> dict[str, Any]:
        used = {"input_tokens": given, "output_tokens": 1, "total_tokens": given + 1}
        head = {"id": f"resp-{number}", "status": "completed", "model": "tin-1", "output": []}
        return {"type": "response.completed", "response": {**head, "usage": used}}

    for run_id, sizes in (("below", (600, 600)), ("above", (600, 1_001))):
        with reel.recording(run_id, source="openai-responses") as recording:
            for number, given in enumerate(sizes):
                recording.offer("stream_event", answer(number, given))
    long = [{"above": 1_000, "input": "2"}]
    prices = book(tmp_path, line(valid_from=None, output="0", thresholds=long))
    assert reel.cost("below", prices=prices).cost == Decimal("0.6")
    assert reel.cost("above", prices=prices).cost == Decimal("2.302")


def test_a_run_of_which_a_call_has_no_cost_has_none(reel, tmp_path):
    def answer(number: int, model: str, used: Any) -> dict[str, Any]:
        head = {"id": f"resp-{number}", "status": "completed", "model": model, "output": []}
        return {"type": "response.completed", "response": {**head, "usage": used}}

    used = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}
    cases = {
        "no_usage": (answer(1, "tin-1", used), answer(2, "tin-1", None)),
        "no_model": (answer(1, "tin-1", used), answer(2, "unknown", used)),
        "several_currencies": (answer(1, "tin-1", used), answer(2, "ru-1", used)),
    }
    prices = book(tmp_path, line(valid_from=None), line(model="ru-1", currency="RUB"))
    for run_id, answers in cases.items():
        with reel.recording(run_id, source="openai-responses") as recording:
            for one in answers:
                recording.offer("stream_event", one)
        assert reel.cost(run_id, prices=prices) == runreel.RunCost(None, None, run_id)


def test_what_has_no_price_is_counted_and_never_zero(reel, tmp_path):
    unknown = {"type": "FAILED", "model": "tin-1", "at": MAY}
    imported(reel, tmp_path, run("other", 10, 10), run("tin-1", 0, 0), unknown)
    prices = book(tmp_path, line())
    report = reel.usage(("model",), cost=True, prices=prices)
    found = {(*one.key, one.totals.currency): one.totals for one in report.items}
    assert [(t.cost, t.priced, t.unpriced, t.known) for t in found.values()] == [
        (None, 0, 1, 1),
        (Decimal(0), 1, 0, 1),
        (None, 0, 1, 0),
    ]
    assert list(found) == [("other", None), ("tin-1", "USD"), ("tin-1", None)]
    assert (report.totals.priced, report.totals.unpriced) == (1, 2)
    assert reel.cost("run-2", prices=prices).reason == "no_usage"
    empty = reel.usage(cost=True, prices=prices, source="none")
    assert (empty.items, empty.costs, empty.totals.unpriced) == ((), (), 0)


def test_currencies_are_not_added_and_only_converted_at_rates_of_their_day(reel, tmp_path):
    imported(
        reel,
        tmp_path,
        run("tin-1", 1_000, 0),
        run("ru-1", 1_000, 0, "2026-05-30T12:00:00Z"),
        run("ru-1", 1_000, 0, JULY),
    )
    prices = book(tmp_path, line(), line(model="ru-1", currency="RUB", input="80"))
    report = reel.usage(("source",), cost=True, prices=prices)
    assert report.totals.cost is report.totals.currency is None
    assert [(c.currency, c.cost, c.runs) for c in report.costs] == [
        ("RUB", Decimal(160), 2),
        ("USD", Decimal("0.5"), 1),
    ]

    def rates(*days: str) -> Path:
        lines = ({"from": "RUB", "to": "USD", "date": day, "rate": "0.0125"} for day in days)
        return book(tmp_path, *lines, name="rates.jsonl")

    found = reel.usage(
        ("source",), cost=True, prices=prices, rates=rates("2026-05-30", "2026-07-01")
    )
    assert [item.totals.cost for item in found.items] == [Decimal("2.5")]
    used = found.prices
    assert (used.currency, str(used.rates_from), str(used.rates_until)) == (
        "USD",
        "2026-05-30",
        "2026-07-01",
    )
    with pytest.raises(BadPrices, match=r"no rate from RUB to USD for 2026-07-01, after line 1"):
        reel.usage(cost=True, prices=prices, rates=rates("2026-05-30"))
    both = book(
        tmp_path,
        *({"from": "RUB", "to": c, "date": "2026-01-01", "rate": "1"} for c in ("EUR", "USD")),
        name="two",
    )
    with pytest.raises(UsageError, match="converts to EUR, USD"):
        reel.usage(cost=True, prices=prices, rates=both)
    with pytest.raises(UsageError, match="invalid as_of 'once'"):
        reel.usage(cost=True, prices=prices, as_of="once")


def test_a_recording_file_costs_what_its_log_does_and_nothing_is_fetched(
    reel, tmp_path, monkeypatch
):
    imported(reel, tmp_path, run("tin-1", 7, 3), run("other", 1, 1))
    prices = book(tmp_path, line())
    before = costs(reel, prices)
    reel.export(tmp_path / "all.reel.jsonl")

    def refuse(*_: object) -> None:
        raise AssertionError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with runreel.read(tmp_path / "all.reel.jsonl") as copy:
        assert costs(copy, prices) == before


# -- Against a calculation by hand -----------------------------------------------------------------

_TIN, _ZINC, _RU = Fraction(1, 3_000_000), "0.07", "1.2345"


def random_runs(number: int) -> list[dict[str, Any]]:
    chance = random.Random(16)  # noqa: S311 - the same runs each time
    found = []
    for n in range(number):
        model = chance.choice(["tin-1", "tin-mini-2026", "ru-1", "unknown"])
        given, made = chance.randrange(300_000), chance.randrange(9_000)
        cached = chance.choice([None, chance.randrange(given + 1)])
        written = None if cached is None else chance.choice([None, given - cached])
        moment = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(500_000))
        details = {"cached": cached, "cache_write": written}
        one = run(
            model,
            given,
            made,
            moment.isoformat(),
            service_tier=chance.choice([None, "default", "flex"]),
            assistant_id=chance.choice([None, "a", "b"]),
            thread_id=f"t{n % 7}",
            labels={"team": chance.choice(["maps", "search"])} if n % 3 else {},
            **{name: count for name, count in details.items() if count is not None},
        )
        found.append({**one, "type": chance.choice(["COMPLETED", "FAILED"])})
    for one in found[::10]:
        del one["usage"], one["usage_details"]
    return found


BOOK = (
    line(input="0.123", output="0.456789", cached="0.01", valid_until="2026-06-01"),
    line(
        input="0.2",
        output="0.4",
        valid_from="2026-06-01",
        thresholds=[{"above": 200_000, "input": "0.3", "output": "0.5", "cached": "0.1"}],
    ),
    line(model="tin-mini-*", unit=1_000_000, input="0.0375", cache_write="0.046875", tier="flex"),
    line(model="ru-*", currency="RUB", unit=1, input="0.0000001234", output="0.00002"),
)


def by_hand(one: dict[str, Any]) -> tuple[str | None, Fraction]:
    """Currency and cost of a run, one price after the other."""
    if "usage" not in one:
        return None, Fraction()
    given, made = one["usage"].values()
    details = one["usage_details"] or {}
    cached, written = (details.get(f"{name}_tokens", 0) for name in ("cached", "cache_write"))
    rest, flex = given - cached - written, one["service_tier"] == "flex"
    if one["model"] == "ru-1" and not flex:
        return "RUB", Fraction("0.0000001234") * given + Fraction("0.00002") * made
    if one["model"] == "tin-mini-2026" and flex:
        plain = (rest + cached) * Fraction("0.0375") + made * Fraction("1.5")
        return "USD", (plain + written * Fraction("0.046875")) / 1_000_000
    if one["model"] != "tin-1" or flex:
        return None, Fraction()
    if one["at"] < "2026-06-01":
        prices = ("0.123", "0.01", "0.456789")
    else:
        prices = ("0.3", "0.1", "0.5") if given > 200_000 else ("0.2", "0.2", "0.4")
    plain, reading, writing = map(Fraction, prices)
    return "USD", ((rest + written) * plain + cached * reading + made * writing) / 1_000


GROUPS = {
    "day": lambda one: one["at"][:10],
    "month": lambda one: one["at"][:7],
    "model": lambda one: one["model"],
    "assistant": lambda one: one["assistant_id"],
    "thread": lambda one: one["thread_id"],
    "source": lambda _: "plain",
    "status": lambda one: one["type"],
    "label:team": lambda one: one["labels"].get("team"),
}


def compare(reel: Reel, prices: Path, runs: list[dict[str, Any]], groups: list[Any]) -> None:
    """Compare reports with the calculation by hand, to the last digit."""
    priced = [(one, *by_hand(one)) for one in runs]
    for by in groups:
        names = (by,) if isinstance(by, str) else by
        expected: dict[Any, Fraction] = {}
        for one, currency, cost in priced:
            key = (*(GROUPS[name](one) for name in names), currency)
            expected[key] = expected.get(key, Fraction()) + cost
        report = reel.usage(names, tz="UTC", cost=True, prices=prices)
        found = {(*i.key, i.totals.currency): Fraction(i.totals.cost or 0) for i in report.items}
        assert found == expected, names


def test_a_thousand_runs_cost_what_a_calculation_by_hand_says(reel, tmp_path):
    runs = random_runs(1_000)
    assert {currency for currency, _ in map(by_hand, runs)} == {"USD", "RUB", None}
    imported(reel, tmp_path, *runs)
    prices = book(tmp_path, *BOOK)
    groups = [*GROUPS, ("model", "month"), ("label:team", "day", "status")]
    compare(reel, prices, runs, groups)
    before = [reel.usage(by, tz="UTC", cost=True, prices=prices) for by in groups]
    assert reel.rebuild_costs(prices=prices) == []
    assert [reel.usage(by, tz="UTC", cost=True, prices=prices) for by in groups] == before
    assert reel.rebuild_costs(prices=prices, check=True) == []


# -- Stored ----------------------------------------------------------------------------------------


@pytest.fixture
def stored(reel, tmp_path):
    """A log with stored costs, its price book and its runs."""
    runs = random_runs(60)
    imported(reel, tmp_path, *runs)
    prices = book(tmp_path, *BOOK)
    assert reel.rebuild_costs(prices=prices) == []
    assert logs.execute(reel, "SELECT count(*) FROM run_costs") == [(60,)]
    return reel, prices, runs


def in_memory(reel: Reel, prices: Path, by: Any, **options: Any) -> Any:
    """The report as it is without stored costs: those of another book with the same prices."""
    other = prices.with_name("again.jsonl")
    other.write_bytes(prices.read_bytes() + b"\n")
    report = reel.usage(by, cost=True, prices=other, **options)
    return report.items, report.totals, report.costs


def agree(reel: Reel, prices: Path, **filters: Any) -> None:
    reports = [("day", zone) for zone in ("UTC", "Europe/Moscow", "Asia/Kolkata")]
    groups = ("hour", "month", "model", "source", "status", ("assistant", "month"), "label:team")
    for by, zone in [*reports, *((by, "UTC") for by in groups)]:
        report = reel.usage(by, tz=zone, cost=True, prices=prices, **filters)
        found = report.items, report.totals, report.costs
        assert found == in_memory(reel, prices, by, tz=zone, **filters)
    assert reel.rebuild_costs(prices=prices, check=True) == []


def test_stored_costs_are_read_and_not_computed_again(stored):
    reel, prices, _ = stored
    false = json.dumps([[None, "USD", *[1] * 8, 7, 0]])
    logs.execute(reel, "UPDATE cost_sums SET sums = ? WHERE dimension = ''", [false])
    report = reel.usage("month", tz="UTC", cost=True, prices=prices)
    assert all(one.cost % 7 == 0 for one in report.costs)
    (wrong, *_) = reel.rebuild_costs(prices=prices, check=True)
    assert (wrong.run_id, wrong.column.split()[0]) == ("*", "cost_sums")
    assert reel.rebuild_costs(prices=prices) != []
    agree(reel, prices)


def test_a_falsified_cost_is_named_and_mended(stored):
    reel, prices, runs = stored
    number = next(n for n, one in enumerate(runs) if by_hand(one)[0] == "USD")
    logs.execute(reel, f"UPDATE run_costs SET cost = '1' WHERE run_id = 'run-{number}'")
    assert [d.run_id for d in reel.rebuild_costs(prices=prices, check=True)] == [f"run-{number}"]
    assert [d.run_id for d in reel.rebuild_costs(prices=prices)] == [f"run-{number}"]
    agree(reel, prices)


@pytest.mark.parametrize(
    "filters",
    [
        {"since": "2026-03-01T10:20:30Z", "until": "2026-09-01T00:10:00Z"},
        {"since": "2026-03-01T10:20:30Z", "until": "2026-03-01T10:40:00Z"},
        {"model": ["tin-1", "unknown"]},
        {"status": "FAILED", "since": "2026-05-01"},
        {"labels": {"team": "maps"}},
    ],
    ids=["times", "an hour", "models", "status", "label"],
)
def test_stored_costs_are_filtered_as_others(stored, filters):
    reel, prices, _ = stored
    agree(reel, prices, **filters)


def test_what_changes_after_costs_were_stored_is_priced_anew(stored, tmp_path):
    reel, prices, runs = stored
    more = run("tin-1", 500, 5, runs[3]["at"])
    (tmp_path / "more.jsonl").write_text(
        json.dumps({"type": "COMPLETED", "run_id": "new", **more}) + "\n"
    )
    reel.import_file(tmp_path / "more.jsonl")
    agree(reel, prices)
    # An open run has no stored cost, and counts all the same.
    with reel.recording("open", source="plain", model="tin-1") as recording:
        recording.offer("stream_event", {"type": "DONE", "text": "", "usage": more["usage"]})
        agree(reel, prices)
    agree(reel, prices)
    # A closed run that is recorded again: its tier changes, its usage does not.
    with reel.recording("new", source="plain") as recording:
        recording.offer("run", {"type": "COMPLETED", "service_tier": "batch"})
    agree(reel, prices)
    assert reel.cost("new", prices=prices).reason == "no_tier"
    list(reel.prune("2026-06-01", keep_usage=True))
    agree(reel, prices)
    list(reel.prune("2026-09-01"))
    agree(reel, prices)
    logs.execute(reel, "UPDATE runs SET model = 'ru-1' WHERE model = 'tin-1'")
    reel.rebuild()
    agree(reel, prices)


def test_of_many_books_the_last_ones_are_kept(stored, tmp_path):
    reel, prices, _ = stored
    for number in range(3):
        newer = book(tmp_path, *BOOK, line(model=f"m{number}"), name=f"{number}.jsonl")
        assert reel.rebuild_costs(prices=newer) == []
    assert logs.execute(reel, "SELECT count(*) FROM cost_books") == [(2,)]
    assert logs.execute(reel, "SELECT count(DISTINCT book) FROM run_costs") == [(2,)]
    agree(reel, prices)
