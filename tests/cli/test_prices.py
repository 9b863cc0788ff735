from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runreel.cli import configuration
from runreel.model.errors import UsageError
from runreel.prices.entry_lines import KEYS
from runreel.query import price_snapshot
from tests.cli.calls import on_terminal
from tests.cli.shapes import validate
from tests.cli.test_settings import own, project
from tests.prices.lines import data, line

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.calls import Caller


NOW = datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC)


def _day(days: int) -> str:
    return str(NOW.date() - timedelta(days))


def book_file(*lines: object, name: str = "prices.jsonl") -> str:
    Path(name).write_bytes(data(*lines))
    return name


@pytest.fixture(autouse=True)
def _own_book(monkeypatch: pytest.MonkeyPatch, clock_at: Callable[[datetime], None]) -> None:
    monkeypatch.setenv("RUNREEL_PRICES", "own.jsonl")
    clock_at(NOW)


def test_a_list_has_the_keys_of_the_contract_and_pages(call_sqlite: Caller) -> None:
    names = [f"tin-{n}" for n in range(5)]
    book = book_file(*(line(model=name) for name in names))
    first = call_sqlite.good("prices", "list", "--prices", book, "-n", "3", "--json").json
    validate(first, "prices-list")
    assert list(first["items"][0]) == [*KEYS, "book", "line"]
    assert first["items"][0]["input"] == "0.5"
    rest = call_sqlite.good(
        "prices", "list", "--prices", book, "-n", "3", "--json", "--after", first["next"]
    ).json
    assert rest["next"] is None
    assert [one["model"] for one in [*first["items"], *rest["items"]]] == names
    lines = call_sqlite.good("prices", "list", "--prices", book, "-n", "0", "-o", "jsonl").lines
    assert len(lines) == 5
    for one in lines:
        validate(one, "price")
    found = call_sqlite.good("prices", "list", "--prices", book, "--model", "n-3", "-o", "csv")
    assert found.out.splitlines()[1].startswith("tin,tin-3,,1000,USD,2026-01-01,,0.5,1.5,")
    nothing = call_sqlite("prices", "list", "--prices", book, "--model", "x", "--fail-empty")
    assert nothing.code == 1


def test_what_is_listed_can_be_imported(call_sqlite: Caller) -> None:
    listed = call_sqlite.good("prices", "list", "--model", "gpt-5-mini", "-n", "0", "-o", "jsonl")
    Path("listed.jsonl").write_text(listed.out, encoding="utf-8")
    added = call_sqlite.good("prices", "import", "listed.jsonl", "--json").json
    assert added["added"] == len(listed.lines) > 0
    shown = call_sqlite.good("prices", "show", "gpt-5-mini", "--json").json
    assert shown["price"]["book"] == "own.jsonl"


def test_the_own_book_comes_before_the_snapshot(call_sqlite: Caller) -> None:
    call_sqlite.good("prices", "import", book_file(line()))
    books = [one["book"] for one in call_sqlite.good("prices", "list", "--json").json["items"]]
    assert books[0] == "own.jsonl"
    assert books[1].startswith("genai-prices ")
    shown = call_sqlite.good("prices", "show", "gpt-5-mini", "--json").json
    assert shown["price"]["book"] == books[1]
    assert shown["book"] == f"own.jsonl, {books[1]}"


def test_show_explains_the_choice(call_sqlite: Caller) -> None:
    lines = [
        line(model="*", valid_from=None),
        line(model="tin-*"),
        line(valid_from="2026-06-01"),
        line(valid_from="2026-03-01"),
        line(tier="flex"),
        line(model="tan"),
    ]
    book = book_file(*lines)
    show = ("prices", "show", "tin-1", "--date", "2026-04-01", "--prices", book)
    shown = call_sqlite.good(*show, "--json").json
    validate(shown, "prices-show")
    assert (shown["price"]["line"], shown["reason"], shown["date"]) == (4, None, "2026-04-01")
    assert [(one["price"]["line"], one["verdict"], one["ends"]) for one in shown["candidates"]] == [
        (3, "not_yet", None),
        (4, "chosen", "2026-06-01"),
        (5, "other_tier", None),
        (2, "less_exact", None),
        (1, "less_exact", None),
    ]
    table = call_sqlite.good(*show).out
    assert "exactly this model; the first one of this tier that is valid on this day" in table
    assert "line 4 of prices.jsonl" in table
    flex = call_sqlite.good(*show, "--tier", "flex", "--json").json
    assert flex["price"]["line"] == 5


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("tin-2",), "no_model"),
        (("tin-1", "--tier", "batch"), "no_tier"),
        (("tin-1", "--date", "2025-12-31"), "no_date"),
    ],
)
def test_show_without_a_price_says_why(
    arguments: tuple[str, ...], reason: str, call_sqlite: Caller
) -> None:
    book = book_file(line())
    called = call_sqlite("prices", "show", *arguments, "--prices", book, "--json")
    assert called.code == 1
    validate(called.json, "prices-show")
    assert (called.json["price"], called.json["reason"]) == (None, reason)
    table = call_sqlite("prices", "show", *arguments, "--prices", book)
    assert (table.code, "none: no entry" in table.out) == (1, True)


def test_show_says_why_the_snapshot_has_no_price(call_sqlite: Caller) -> None:
    called = call_sqlite("prices", "show", "deepseek-chat")
    assert called.code == 1
    assert "none: its price depends on the time of day" in called.out
    several = call_sqlite("prices", "show", next(iter(price_snapshot.snapshot().sellers)))
    assert several.code == 1
    assert "none: its prices differ by provider (" in several.out


def test_import_adds_once_and_changes_nothing(call_sqlite: Caller) -> None:
    added = call_sqlite.good("prices", "import", book_file(line(), line(model="b")), "--json").json
    validate(added, "prices-import")
    assert (added["added"], added["known"], added["changed_from"]) == (2, 0, None)
    again = call_sqlite.good("prices", "import", "prices.jsonl", "--json").json
    assert (again["added"], again["known"], again["digest"]) == (0, 2, added["digest"])
    before = Path("own.jsonl").read_bytes()
    changed = call_sqlite("prices", "import", book_file(line(input="9")))
    assert changed.code == 1
    assert "prices.jsonl: line 1: overlaps line 1 of your price book" in changed.err
    bad = call_sqlite("prices", "import", book_file(line(model="c"), line(input="-1")))
    assert (bad.code, "prices.jsonl: line 2: `input` is negative" in bad.err) == (1, True)
    assert Path("own.jsonl").read_bytes() == before
    later = call_sqlite.good("prices", "import", book_file(line(valid_from="2026-02-01")))
    assert "Costs of requests since 2026-02-01 change" in later.err


def test_check_names_every_bad_line(call_sqlite: Caller) -> None:
    bad = [
        line(entered_at=_day(1)),
        line(input="1"),
        line(model="b", output="-1"),
        line(model="c", input=None),
        line(model="d", currency="XXX"),
        "{",
    ]
    book = book_file(*bad)
    called = call_sqlite("prices", "check", book, "--json")
    assert called.code == 1
    validate(called.json, "prices-check")
    found = [(one["line"], one["level"]) for one in called.json["items"]]
    assert found == [(2, "error"), (3, "error"), (4, "error"), (5, "error"), (6, "error")]
    assert call_sqlite("prices", "check", "--prices", book).code == 1
    Path("own.jsonl").write_bytes(Path(book).read_bytes())
    assert call_sqlite("prices", "check", "-o", "jsonl").code == 1


@pytest.mark.parametrize(("days", "notices"), [(30, 0), (31, 1)])
def test_an_old_book_is_a_notice(days: int, notices: int, call_sqlite: Caller) -> None:
    book = book_file(line(entered_at="2026-01-01"), line(model="b", entered_at=_day(days)))
    called = call_sqlite.good("prices", "check", book, "--json")
    items = called.json["items"]
    assert [(one["line"], one["level"]) for one in items] == [(None, "notice")] * notices


def test_check_of_rates_names_gaps(call_sqlite: Caller) -> None:
    rates = [
        {"from": "USD", "to": "RUB", "date": f"2026-03-0{day}", "rate": rate}
        for day, rate in ((1, "90"), (2, "0"), (4, "91"), (6, "92"))
    ]
    file = book_file(*rates, name="rates.jsonl")
    called = call_sqlite("prices", "check", "--rates", file, "--json")
    assert called.code == 1
    assert [(one["file"], one["line"]) for one in called.json["items"]] == [
        ("rates.jsonl", 2),
        ("rates.jsonl", 3),
        ("rates.jsonl", 4),
    ]
    good = book_file(rates[0], name="rates.jsonl")
    assert call_sqlite.good("prices", "check", "--rates", good).out == ""


def test_a_bad_book_is_an_error_of_every_command(call_sqlite: Caller) -> None:
    book = book_file("[]")
    for command in (("list",), ("show", "x")):
        called = call_sqlite("prices", *command, "--prices", book)
        assert called.code == 1
        assert "prices.jsonl: line 1: not a JSON object" in called.err
    assert call_sqlite("prices", "list", "--prices", "nothing").code == 2


def test_the_own_book_is_found_in_the_environment_then_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert configuration.own_price_book() == Path("own.jsonl")
    monkeypatch.setenv("RUNREEL_PRICES", "")
    with pytest.raises(UsageError, match="RUNREEL_PRICES is empty"):
        configuration.own_price_book()
    monkeypatch.delenv("RUNREEL_PRICES")
    file = own(tmp_path, "")
    assert configuration.own_price_book() == file.parent / "prices.jsonl"
    file.write_text('prices = "mine.jsonl"')
    assert configuration.own_price_book() == file.parent / "mine.jsonl"
    project(Path.cwd(), '[tool.runreel]\nprices = "money/ours.jsonl"\n')
    assert configuration.own_price_book() == Path.cwd() / "money" / "ours.jsonl"
    for elsewhere in ("~/ours.jsonl", "../ours.jsonl", "/etc/ours.jsonl"):
        file.write_text("")
        project(Path.cwd(), f'[tool.runreel]\nprices = "{elsewhere}"\n')
        with pytest.raises(UsageError, match="names a price book elsewhere, but"):
            configuration.own_price_book()
        file.write_text(f'trusted_projects = ["{Path.cwd()}"]')
        assert configuration.own_price_book().name == "ours.jsonl"
    project(Path.cwd(), "[tool.runreel]\nprices = 3\n")
    with pytest.raises(UsageError, match="`prices` must be a path"):
        configuration.own_price_book()


def test_no_text_of_a_book_controls_the_terminal(call_sqlite: Caller) -> None:
    harm = "\x1b[2J\u202e\x07"
    book = book_file(
        line(model=f"tin{harm}", provider=harm, source=harm, tier=harm), {f"{harm}": 1}
    )
    good = book_file(json.loads(Path(book).read_text().split("\n")[0]), name=f"b{harm}.jsonl")
    calls = [
        ("prices", "list", "--prices", good, "-n", "0"),
        ("prices", "show", f"tin{harm}", "--prices", good),
        ("prices", "show", f"tin{harm}", "--tier", harm, "--prices", good),
        ("prices", "check", book),
        ("prices", "import", good),
    ]
    for _, shown in on_terminal(*calls, env={"TERM": "dumb"}, exact=True):
        assert "\x1b[2J" not in shown
        assert "\u202e" not in shown
        assert "\x07" not in shown
