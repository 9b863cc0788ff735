"""``runreel budget``: within, over, or not to be told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.model.errors import UsageError
from tests.prices.lines import data, line

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.calls import Caller

NOW = datetime(2027, 2, 15, 12, tzinfo=UTC)


def run(model: str, team: str | None, given: int | None, at: datetime = NOW) -> dict[str, object]:
    used = None if given is None else {"input_tokens": given, "output_tokens": 0}
    labels = {} if team is None else {"team": team}
    return {"model": model, "labels": labels, "usage": used, "at": at.isoformat()}


def filled(call: Caller, folder: Path, *runs: dict[str, object]) -> Caller:
    file = folder / "runs.jsonl"
    lines = ({"type": "COMPLETED", "run_id": f"run-{n}", **one} for n, one in enumerate(runs))
    file.write_text("".join(json.dumps(one) + "\n" for one in lines))
    call.good("import", str(file))
    return call


@pytest.fixture
def priced(
    call: Caller,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    clock_at: Callable[[datetime], None],
) -> Caller:
    clock_at(NOW)
    book = tmp_path / "own.jsonl"
    free = {"valid_from": None, "unit": 1_000}
    book.write_bytes(data(line(**free), line(model="ru-1", currency="RUB", input="80", **free)))
    monkeypatch.setenv("RUNREEL_PRICES", str(book))
    return call


def budget(call: Caller, *arguments: str) -> tuple[int, dict[str, object]]:
    called = call("budget", "--tz", "UTC", "--json", *arguments)
    return called.code, called.json


def test_each_group_has_a_budget_and_the_worst_counts(priced, tmp_path):
    filled(priced, tmp_path, run("tin-1", "maps", 18_000), run("tin-1", "search", 20_002))
    code, found = budget(
        priced, "--max", "10", "--currency", "USD", "--by", "label:team", "--warn", "90%"
    )
    items = [(i["label:team"], i["state"], i["cost"], i["share"]) for i in found["items"]]
    assert items == [("maps", "warn", "9", "0.9000"), ("search", "over", "10.001", "1.0001")]
    assert (code, found["state"], found["max"]) == (1, "over", "10")
    whole, more = ("--max", "19.001", "--currency", "USD"), ("--max", "19", "--currency", "USD")
    assert (budget(priced, *whole)[0], budget(priced, *more)[0]) == (0, 1)


def test_what_has_no_price_cannot_be_told_unless_it_is_tolerated(priced, tmp_path):
    runs = [run("tin-1", None, 10) for _ in range(8)]
    filled(priced, tmp_path, *runs, run("other", None, 1), run("tin-1", None, None))
    usd = ("--max", "10", "--currency", "USD")
    code, found = budget(priced, *usd)
    assert (code, found["state"]) == (5, "unknown")
    (item,) = found["items"]
    assert (item["priced"], item["unpriced"], item["cost"]) == (8, 2, "0.04")
    codes = {few: budget(priced, *usd, "--tolerate", few)[0] for few in ("1", "2", "19%", "20%")}
    assert codes == {"1": 5, "2": 0, "19%": 5, "20%": 0}
    assert budget(priced, "--max", "0.03", "--currency", "USD")[0] == 1, "over in any case"


def test_a_group_without_a_known_cost_has_none(priced, tmp_path):
    teams = [run("other", "none", 10), run("other", "part", 10), run("tin-1", "part", 10)]
    filled(priced, tmp_path, *teams, run("ru-1", "roubles", 10), run("tin-1", "silent", None))
    usd = ("--max", "10", "--currency", "USD", "--by", "label:team", "--tolerate", "1")
    code, found = budget(priced, *usd)
    values = {i["label:team"]: (i["state"], i["cost"], i["share"]) for i in found["items"]}
    assert values == {
        "none": ("within", None, None),
        "part": ("within", "0.005", "0.0005"),
        "roubles": ("within", "0", "0.0000"),
        "silent": ("within", None, None),
    }
    assert code == 0
    assert {i["label:team"] for i in found["items"] if i["forecast"] is None} == {"none", "silent"}
    lines = priced.good("budget", *usd).out.splitlines()
    assert lines[1].split()[:5] == ["none", "within", "-", "-", "-"]


def test_currencies_have_budgets_side_by_side(priced, tmp_path):
    filled(priced, tmp_path, run("tin-1", None, 1_000), run("ru-1", None, 1_000))
    code, found = budget(priced, "--max", "79", "--currency", "RUB")
    (item,) = found["items"]
    assert (code, item["cost"], item["priced"], item["other"]) == (1, "80", 1, 1)
    assert budget(priced, "--max", "1", "--currency", "USD")[0] == 0
    rates = tmp_path / "rates.jsonl"
    day = NOW.date().isoformat()
    rates.write_bytes(data({"from": "RUB", "to": "USD", "date": day, "rate": "0.0125"}))
    code, found = budget(priced, "--max", "1.49", "--currency", "USD", "--rates", str(rates))
    assert (code, found["items"][0]["cost"]) == (1, "1.5")
    assert "$" not in priced("budget", "--max", "79", "--currency", "RUB").out


def test_by_default_it_is_about_this_month_and_says_where_it_leads(priced, tmp_path):
    before = datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)
    filled(priced, tmp_path, run("tin-1", None, 1_000), run("tin-1", None, 1_000, before))
    code, found = budget(priced, "--max", "100", "--currency", "USD")
    (item,) = found["items"]
    assert (code, item["cost"], item["runs"]) == (0, "0.5", 1)
    assert found["since"] == "2027-02-01T00:00:00.000000Z"
    assert item["forecast"] == "0.965517", "14.5 of 28 days"
    code, found = budget(priced, "--max", "100", "--currency", "USD", "--since", "2020-01-01")
    (item,) = found["items"]
    assert (item["cost"], item["forecast"], found["until"]) == ("1", None, None)


@pytest.mark.parametrize(
    ("now", "zone", "since", "until", "forecast"),
    [
        # The first moment of a month: nothing to go on from.
        ("2027-01-01T00:00:00", "UTC", "2027-01-01T00", "2027-02-01T00", None),
        ("2027-01-01T00:00:01", "UTC", "2027-01-01T00", "2027-02-01T00", "1339200.00"),
        ("2026-12-31T23:59:59", "UTC", "2026-12-01T00", "2027-01-01T00", "0.500000"),
        ("2028-02-29T12:00:00", "UTC", "2028-02-01T00", "2028-03-01T00", "0.508772"),
        # The same moment is in another month elsewhere.
        ("2026-12-31T23:00:00", "+03:00", "2026-12-31T21", "2027-01-31T21", "186.00"),
        # 743 hours of a month whose clocks skip one, 721 of one whose clocks repeat one.
        ("2027-03-28T01:00:00", "Europe/Berlin", "2027-02-28T23", "2027-03-31T22", "0.571538"),
        ("2026-11-01T06:00:00", "America/New_York", "2026-11-01T04", "2026-12-01T05", "180.25"),
    ],
)
def test_a_month_is_that_of_its_zone_at_its_borders_too(  # noqa: PLR0917 - the report
    priced, tmp_path, clock_at, now, zone, since, until, forecast
):
    clock_at(datetime.fromisoformat(now).replace(tzinfo=UTC))
    start = datetime.fromisoformat(since).replace(tzinfo=UTC)
    moments = (start - timedelta(microseconds=1), start)
    filled(priced, tmp_path, *(run("tin-1", None, 1_000, at) for at in moments))
    called = priced("budget", "--tz", zone, "--max", "100", "--currency", "USD", "--json")
    found = called.json
    (item,) = found["items"]
    assert (item["cost"], item["runs"]) == ("0.5", 1)
    assert (found["since"], found["until"]) == (f"{since}:00:00.000000Z", f"{until}:00:00.000000Z")
    assert item["forecast"] == forecast


def test_the_forecast_of_little_is_not_rounded_to_nothing(priced, tmp_path):
    filled(priced, tmp_path, run("tin-1", None, 2))
    _, found = budget(priced, "--max", "100", "--currency", "USD")
    (item,) = found["items"]
    assert (item["cost"], item["forecast"]) == ("0.001", "0.001931")


def test_a_log_without_runs_is_within_any_budget(priced):
    code, found = budget(priced, "--max", "0", "--currency", "USD")
    assert (code, found["items"][0]["state"], found["items"][0]["cost"]) == (0, "within", "0")
    called = priced("budget", "--max", "0", "--currency", "USD", "-o", "csv")
    assert called.out.splitlines()[1].startswith("within,0,")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--max", "much", "--currency", "USD"), "invalid amount 'much'"),
        (("--max", "-1", "--currency", "USD"), "invalid amount '-1'"),
        (("--max", "nan", "--currency", "USD"), "invalid amount 'nan'"),
        (("--max", "1", "--currency", "usd"), "unknown currency 'usd'"),
        (("--max", "1", "--currency", "USD", "--warn", "80"), "invalid warn '80'"),
        (("--max", "1", "--currency", "USD", "--tolerate", "0.5"), "invalid tolerate '0.5'"),
    ],
)
def test_what_is_no_budget_is_refused(priced, arguments, message):
    called = priced("budget", *arguments)
    assert called.code == 2
    assert message in called.err


def test_a_program_gets_the_same(priced, tmp_path):
    filled(priced, tmp_path, run("tin-1", "maps", 1_000))
    with runreel.open(priced.url) as reel:
        found = reel.budget("0.4", "USD", "model", tz="UTC")
        assert (found.state, found.items[0].key, found.items[0].cost) == (
            "over",
            ("tin-1",),
            Decimal("0.5"),
        )
        assert found.items[0].share == Decimal("1.25")
        with pytest.raises(UsageError, match="invalid amount"):
            reel.budget("x", "USD")
