"""The layout of `runreel usage`: filled, sorted, cut, with columns of values, as bars, saved."""

from __future__ import annotations

import csv
import io
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

import runreel
from runreel.cli.render.report_layout import ReportLayout
from runreel.cli.render.usage_pivot import pivot
from runreel.model.errors import UsageError
from runreel.model.results import RunResult, Usage
from runreel.model.status import RunStatus
from runreel.model.usage import UsageItem, UsageReport, UsageTotals
from tests import logs
from tests.cli.calls import Caller, on_terminal
from tests.cli.shapes import validate
from tests.cli.test_settings import own, project
from tests.prices.lines import data, line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
# Day, model, team, total tokens (None: unknown).
RUNS = [
    (0, "large", "maps", 100),
    (0, "small", "maps", 10),
    (0, "small", "search", 20),
    (2, "small", "search", 5),
    (2, "large", "search", None),
    (5, "=1+1", None, 7),
]


def record(url: str) -> None:
    with runreel.open(url) as reel:
        for n, (day, model, team, tokens) in enumerate(RUNS):
            usage = None if tokens is None else Usage(tokens, tokens, 0)
            labels = {} if team is None else {"team": team}
            start = FIRST + timedelta(days=day)
            with logs.recording_at(reel, f"run-{n}", start, model=model, labels=labels) as one:
                one.result(RunResult(RunStatus.COMPLETED, usage=usage))


@pytest.fixture
def log(call_sqlite: Caller) -> Iterator[Caller]:
    record(call_sqlite.url)
    yield call_sqlite


def items(log: Caller, *arguments: str) -> list[dict]:
    return log.good("usage", "--tz", "UTC", *arguments, "--json").json["items"]


def totals(found: list[dict], key: str = "day") -> list[tuple]:
    return [(one[key], one["runs"], one["total_tokens"]) for one in found]


def test_fill_lists_the_periods_without_runs(log: Caller) -> None:
    assert totals(items(log, "--fill")) == [
        ("2026-03-01", 3, 130),
        ("2026-03-02", 0, 0),
        ("2026-03-03", 2, 5),
        ("2026-03-04", 0, 0),
        ("2026-03-05", 0, 0),
        ("2026-03-06", 1, 7),
    ]
    empty = items(log, "--fill")[1]
    assert (empty["known"], empty["unknown"], empty["cached"]) == (0, 0, None)


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-03-06T12:00:00Z", "2026-03"),
        ("2026-10-31T23:59:59.999999Z", "2026-10"),
        ("2026-11-01T00:00:00Z", "2026-11"),
        ("2027-01-01T00:00:00Z", "2026-12"),
    ],
)
def test_fill_ends_now(
    now: str, last: str, log: Caller, clock_at: Callable[[datetime], None]
) -> None:
    clock_at(datetime.fromisoformat(now))
    months = [one["month"] for one in items(log, "--fill", "--by", "month", "--on", "2026")]
    assert (months[0], months[-1]) == ("2026-01", last)


def test_fill_reaches_the_ends_of_the_range(log: Caller) -> None:
    days = [one["day"] for one in items(log, "--fill", "--since", "2026-02-27", "--model", "large")]
    assert (days[0], days[-1], len(days)) == ("2026-02-27", "2026-03-03", 5)
    nothing = ("--fill", "--model", "none", "--since", "2026-03-01", "--until", "2026-03-04")
    assert [one["day"] for one in items(log, *nothing)] == [
        "2026-03-01",
        "2026-03-02",
        "2026-03-03",
    ]
    assert items(log, "--fill", "--model", "none") == []


def test_fill_gives_each_other_group_all_periods(log: Caller) -> None:
    found = items(log, "--fill", "--by", "model", "--by", "month", "--by", "day")
    assert len(found) == 3 * 6
    assert {one["month"] for one in found} == {"2026-03"}
    assert sum(one["runs"] for one in found) == len(RUNS)


def test_fill_without_a_period_changes_nothing(log: Caller) -> None:
    assert items(log, "--fill", "--by", "model") == items(log, "--by", "model")


def test_fill_of_too_many_periods_is_refused(log: Caller) -> None:
    called = log("usage", "--fill", "--since", "0001-01-02", "--by", "hour")
    assert called.code == 2
    assert "hours to fill" in called.err


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_run_of_year_1_is_too_far_to_fill(
    zone: str, call_sqlite: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runreel.open(call_sqlite.url) as reel:
        for start in (datetime(1, 1, 1, tzinfo=UTC), FIRST):
            with logs.recording_at(reel, f"run-{start.year}", start) as one:
                one.result(RunResult(RunStatus.COMPLETED, usage=Usage(1, 1, 0)))
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    for arguments in (("--tz", zone), ()):
        for by in ("hour", "day", "month"):
            called = call_sqlite("usage", "--fill", "--by", by, *arguments)
            assert (called.code, "to fill" in called.err) == (2, True), called.err
            assert call_sqlite("usage", "--fill", "--since", "2026-01-01", *arguments).code == 0
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("Europe/Berlin", "2025-10-26", 25),
        ("Europe/Berlin", "2025-03-30", 23),
        ("Australia/Lord_Howe", "2025-04-06", 25),
        ("Asia/Kathmandu", "2025-10-26", 24),
        ("UTC", "2025-10-26", 24),
    ],
)
def test_a_filled_day_has_the_hours_of_its_zone(
    zone: str, day: str, expected: int, log: Caller
) -> None:
    found = log.good("usage", "--tz", zone, "--by", "hour", "--fill", "--on", day, "--json").json
    hours = [one["hour"] for one in found["items"]]
    assert len(set(hours)) == len(hours) == expected
    assert all(hour.startswith(day) for hour in hours)


def test_sort_and_limit_print_the_largest_and_the_totals_of_all(log: Caller) -> None:
    called = log.good("usage", "--by", "model", "--sort", "total", "-n", "2")
    lines = called.out.splitlines()
    assert [line.split()[0] for line in lines] == ["MODEL", "large", "small", "TOTAL", "Usage"]
    assert "1 more group; -n 0 prints all." in called.err
    found = items(log, "--by", "model", "--sort", "runs", "-n", "1")
    assert totals(found, "model") == [("small", 3, 35)]
    named = items(log, "--by", "label:team", "--by", "model", "--sort", "model")
    assert [one["model"] for one in named] == ["=1+1", "large", "large", "small", "small"]
    assert items(log, "--sort", "total_tokens")[0]["day"] == "2026-03-01"
    unknown = log("usage", "--sort", "price")
    assert unknown.code == 2
    assert "there is no column 'price'" in unknown.err


def test_what_is_unknown_is_sorted_last(log: Caller) -> None:
    found = items(log, "--by", "day", "--by", "model", "--sort", "total")
    assert [one["total_tokens"] for one in found] == [100, 30, 7, 5, None]


def test_a_pivot_has_a_column_for_each_value(log: Caller) -> None:
    found = log.good("usage", "--tz", "UTC", "--pivot", "model", "--json").json
    validate(found, "usage")
    assert found["columns"] == ["=1+1", "large", "small"]
    assert found["items"] == [
        {"day": "2026-03-01", "=1+1": 0, "large": 100, "small": 30},
        {"day": "2026-03-03", "=1+1": 0, "large": None, "small": 5},
        {"day": "2026-03-06", "=1+1": 7, "large": 0, "small": 0},
    ]
    assert found["totals"] == [{"=1+1": 7, "large": 100, "small": 35}]
    assert (found["pivot"], found["measure"], found["tz"]) == ("model", "total", "UTC")
    runs = log.good(
        "usage", "--by", "label:team", "--pivot", "model", "--measure", "runs", "--json"
    )
    assert runs.json["items"] == [
        {"label:team": "maps", "=1+1": 0, "large": 1, "small": 1},
        {"label:team": "search", "=1+1": 0, "large": 1, "small": 2},
        {"label:team": None, "=1+1": 1, "large": 0, "small": 0},
    ]


def test_a_pivot_is_filled_sorted_and_cut(log: Caller) -> None:
    by_team = ("usage", "--tz", "UTC", "--pivot", "label:team", "--json")
    assert len(log.good(*by_team, "--fill").json["items"]) == 6
    found = log.good(*by_team, "--sort", "search", "-n", "1").json
    assert found["items"] == [{"day": "2026-03-01", "maps": 110, "search": 20, "-": 0}]
    assert found["totals"] == [{"maps": 110, "search": 25, "-": 7}]
    cut = log.good("usage", "--pivot", "model", "-n", "1")
    assert "2 more groups; -n 0 prints all." in cut.err
    assert log(*by_team, "--sort", "nothing").code == 2


def test_a_column_is_never_named_like_another(call_sqlite: Caller) -> None:
    with runreel.open(call_sqlite.url) as reel:
        for n, model in enumerate(["day", "-", None, "model=-"]):
            with logs.recording_at(reel, f"run-{n}", FIRST, model=model) as one:
                one.result(RunResult(RunStatus.COMPLETED, usage=Usage(n, n, 0)))
    found = call_sqlite.good("usage", "--tz", "UTC", "--pivot", "model", "--json").json
    assert len(set(found["columns"])) == 4
    assert found["items"] == [
        {"day": "2026-03-01", **dict.fromkeys(found["columns"])}
        | {"-": 1, "model=day": 0, "model=-": 3, "model=model=-": 2}
    ]


def test_a_pivot_of_too_many_values_is_refused() -> None:
    items = (UsageItem((str(n),), UsageTotals(1)) for n in range(1001))
    report = UsageReport(("thread",), tuple(items), UsageTotals(1001), "UTC")
    with pytest.raises(UsageError, match="thread has 1,001 values"):
        pivot(report, ReportLayout(pivot="thread"))


def test_layouts_on_both_databases(call: Caller) -> None:
    record(call.url)
    zone = ("usage", "--tz", "Europe/Berlin")
    hours = call.good(*zone, "--by", "hour", "--fill", "--on", "2026-03-29", "--json").json
    assert len(hours["items"]) == 23
    pivot_ = call.good(*zone, "--by", "quarter", "--pivot", "label:team", "-o", "jsonl").lines
    assert pivot_ == [{"quarter": "2026-Q1", "maps": 110, "search": 25, "-": 7}]
    top = call.good(*zone, "--by", "created_by", "--by", "error", "--by", "year", "--json").json
    assert [(one["created_by"], one["error"], one["year"]) for one in top["items"]] == [
        (None, None, "2026")
    ]


def test_a_pivot_as_table_and_csv(log: Caller) -> None:
    table = log.good("usage", "--tz", "UTC", "--pivot", "model").out.splitlines()
    assert [line.split() for line in table[:2]] == [
        ["DAY", "=1+1", "large", "small"],
        ["2026-03-01", "0", "100", "30"],
    ]
    assert table[2].split() == ["2026-03-03", "0", "-", "5"]
    assert table[4].split() == ["TOTAL", "7", "100", "35"]
    text = log.good("usage", "--tz", "UTC", "--pivot", "model", "-o", "csv").out
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["day", "'=1+1", "large", "small"]
    assert sum(int(row[3]) for row in rows[1:]) == 35
    assert rows[2] == ["2026-03-03", "0", "", "5"]
    lines = log.good("usage", "--tz", "UTC", "--pivot", "model", "-o", "jsonl").lines
    assert lines[0] == {"day": "2026-03-01", "=1+1": 0, "large": 100, "small": 30}


def test_csv_has_a_column_for_each_label_and_a_mark_on_request(log: Caller) -> None:
    arguments = ("usage", "--by", "label:team", "--by", "label:env", "-o", "csv")
    plain = log.good(*arguments).out
    assert plain.startswith("label:team,label:env,runs,")
    assert log.good(*arguments, "--bom").out == "\ufeff" + plain
    assert log("usage", "--bom").code == 2
    assert log("usage", "--bom", "--json").code == 2


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_chart_fits_the_terminal(columns: int, log: Caller) -> None:
    log_args = ("--db", log.url, "--color", "never")
    chart = (*log_args, "usage", "--tz", "UTC", "--by", "day", "--by", "model", "--chart")
    ((code, text),) = on_terminal(chart, columns=columns)
    assert code == 0
    lines = text.splitlines()
    assert all(cell_len(line) <= columns for line in lines[:-1])
    bars = [line.count("\u2588") for line in lines[1:-1]]
    assert lines[0] == "TOTAL TOKENS by day, model"
    assert bars[0] == max(bars) >= 8
    if columns > 40:
        (unknown,) = [line.split() for line in lines if "2026-03-03 large" in line]
        assert unknown == ["2026-03-03", "large", "-"]


def test_a_chart_needs_neither_colour_nor_unicode(log: Caller) -> None:
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    chart = ("--db", log.url, "usage", "--by", "model", "--chart", "--measure", "runs")
    ((code, text),) = on_terminal(chart, columns=60, env=env)
    assert code == 0
    assert text.isascii()
    assert "\x1b" not in text
    lines = text.splitlines()
    assert lines[0] == "RUNS by model"
    assert [line.count("#") > 0 for line in lines[1:4]] == [True, True, True]
    largest = max(lines[1:4], key=lambda line: line.count("#"))
    assert "small" in largest


@pytest.mark.parametrize(
    "arguments",
    [
        ("--chart", "-o", "csv"),
        ("--chart", "--pivot", "model"),
        ("--measure", "runs"),
        ("--measure", "price", "--chart"),
        ("--pivot", "nothing"),
        ("--pivot", "label:"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments: tuple[str, ...], log: Caller) -> None:
    assert log("usage", *arguments).code == 2


def test_an_empty_log_has_empty_layouts(call_sqlite: Caller) -> None:
    runreel.open(call_sqlite.url).db.upgrade()
    for layout in (("--fill",), ("--pivot", "model"), ("--chart",), ("--sort", "runs")):
        assert call_sqlite.good("usage", *layout).out == ""
    found = call_sqlite.good("usage", "--pivot", "model", "--json").json
    assert (found["items"], found["columns"], found["totals"]) == ([], [], [])


MONTHLY = """
by = ["month", "label:team"]
tz = "UTC"
since = 2026-03-01
label = { team = ["maps", "search"] }
sort = "total"
limit = 1
output = "csv"
"""


def test_a_saved_report_gives_the_options(log: Caller, tmp_path: Path) -> None:
    file = own(tmp_path, f"[reports.monthly]{MONTHLY}")
    arguments = ("--by", "month", "--by", "label:team", "--tz", "UTC", "--since", "2026-03-01")
    arguments += ("--label", "team=maps", "--label", "team=search", "--sort", "total")
    expected = log.good("usage", *arguments, "-n", "1", "-o", "csv")
    assert log.good("usage", "--report", "monthly") == expected
    assert expected.out.splitlines()[1].startswith("2026-03,maps,2,2,0,110,0,110")
    # What is given on the command line wins.
    found = log.good("usage", "--report", "monthly", "--by", "model", "-n", "0", "-o", "jsonl")
    assert [one["model"] for one in found.lines] == ["large", "small"]
    file.write_text("[reports.other]\nfill = true\nfail_empty = true\nchart = true\n")
    assert log.good("usage", "--report", "other").out.startswith("TOTAL TOKENS by day")
    assert log("usage", "--report", "other", "--model", "none", "--since", "1h").code == 1


def test_the_format_of_a_saved_report_is_replaced_too(log: Caller, tmp_path: Path) -> None:
    own(tmp_path, '[reports.a]\noutput = "csv"\n[reports.b]\njson = true\n')
    assert log.good("usage", "--report", "a", "--json").json["items"]
    assert log.good("usage", "--json", "--report", "a").json["items"]
    assert log.good("usage", "--report", "a", "-o", "jsonl").lines
    assert log.good("usage", "--report", "b").json["items"]
    assert log("usage", "--report", "a", "-o", "csv", "--json").code == 2


def test_the_reports_of_a_project_win(log: Caller, tmp_path: Path) -> None:
    own(tmp_path, "[reports.a]\nby = 'model'\n[reports.b]\nby = ['year']\n")
    project(Path.cwd(), "[tool.runreel.reports.a]\nby = 'source'\n")
    assert log.good("usage", "--report", "a").out.startswith("SOURCE")
    assert log.good("usage", "--report", "b").out.startswith("YEAR")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[reports.a]\nbye = 'day'\n", "[reports.a]: there is no option 'bye'"),
        ("[reports.a]\nfill = 'yes'\n", "fill: 'yes' does not fit it"),
        ("[reports.a]\nlimit = -1\n", "[reports.a]: limit: "),
        ("[reports.a]\nsince = 'soon'\n", "[reports.a]: since: "),
        ("[reports.a]\nby = [1.5]\n", "by: [1.5] does not fit it"),
        ("[reports.a]\noutput = 'xml'\n", "[reports.a]: output: "),
        ("[reports.a]\nreport = 'b'\n", "there is no option 'report'"),
        ("[reports.a]\ndb = 'x'\n", "there is no option 'db'"),
        ("[reports]\na = 1\n", "[reports.a] must be a table"),
        ("reports = 1\n", "`reports` must be a table"),
        ("[reports.b]\n", "there is no report 'a'"),
        ("", "there is no report 'a'"),
    ],
)
def test_a_bad_saved_report_is_named(text: str, message: str, log: Caller, tmp_path: Path) -> None:
    own(tmp_path, text)
    called = log("usage", "--report", "a")
    assert called.code == 2
    assert message in called.err


def price_lines(*lines: dict) -> str:
    Path("prices.jsonl").write_bytes(data(*lines))
    return "prices.jsonl"


def test_costs_are_measured_by_currency(log: Caller) -> None:
    prices = price_lines(
        line(model="large", unit=1, input="0.5", output="1"),
        line(model="small", unit=1, input="0.25", output="1", currency="RUB"),
    )
    cost = ("usage", "--tz", "UTC", "--cost", "--prices", prices)
    found = log.good(*cost, "--pivot", "model", "--measure", "cost", "--json").json
    validate(found, "usage")
    assert found["items"] == [
        {"day": "2026-03-01", "currency": "RUB", "=1+1": "0", "large": "0", "small": "7.5"},
        {"day": "2026-03-01", "currency": "USD", "=1+1": "0", "large": "50", "small": "0"},
        {"day": "2026-03-03", "currency": "RUB", "=1+1": "0", "large": None, "small": "1.25"},
        {"day": "2026-03-03", "currency": None, "=1+1": None, "large": None, "small": None},
        {"day": "2026-03-06", "currency": None, "=1+1": None, "large": None, "small": None},
    ]
    assert found["totals"] == [
        {"currency": "RUB", "=1+1": None, "large": None, "small": "8.75"},
        {"currency": "USD", "=1+1": None, "large": "50", "small": "0"},
    ], "what has no price may cost something in any currency"
    filled = log.good(*cost, "--pivot", "model", "--measure", "cost", "--fill", "-o", "jsonl").lines
    empty = [one for one in filled if one["day"] == "2026-03-02"]
    assert [one["small"] for one in empty] == ["0"]
    tokens = log.good(*cost, "--pivot", "model", "--measure", "total", "--json").json
    assert tokens["items"][1] == {"day": "2026-03-03", "=1+1": 0, "large": None, "small": 5}
    chart = log.good(*cost, "--by", "model", "--chart", "--measure", "cost").out.splitlines()
    assert chart[0] == "COST by model"
    assert [" ".join(one.split()[:3]) for one in chart[1:5]] == [
        "=1+1 -",
        "large 50 USD",
        "large -",
        "small 8.75 RUB",
    ]
    top = log.good(*cost, "--by", "model", "--sort", "cost", "-n", "1", "--json").json["items"]
    assert (top[0]["model"], top[0]["cost"]) == ("large", "50")
    assert log("usage", "--pivot", "model", "--measure", "cost").code == 2


def test_costs_by_every_period(log: Caller) -> None:
    prices = price_lines(line(model="*", unit=1, input="0.5", output="1"))
    cost = ("usage", "--cost", "--prices", prices, "--tz", "Europe/Berlin")
    for by, name in (
        ("hour", "2026-03-01T13"),
        ("quarter", "2026-Q1"),
        ("year", "2026"),
        ("week", "2026-W09"),
    ):
        first = log.good(*cost, "--by", by, "--json").json["items"][0]
        assert first[by] == name
        assert first["cost"] is not None
