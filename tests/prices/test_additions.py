from __future__ import annotations

from datetime import date
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from runreel.model.errors import BadPrices, UsageError
from runreel.prices.price_book import read_entries
from runreel.query import price_books
from tests.prices.lines import data, line

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, *lines: object) -> Path:
    path.write_bytes(data(*lines))
    return path


def test_new_entries_are_added_and_known_ones_are_not(tmp_path: Path):
    own = tmp_path / "config" / "prices.jsonl"
    first = price_books.add(own, write(tmp_path / "a", line(), line(model="tin-2")))
    assert (len(first.entries), first.known, first.changed_from) == (2, 0, None)
    before = own.read_bytes()
    # When and where an entry was entered does not make it another one.
    again = write(tmp_path / "b", line(source=None, entered_at=None), line(model="tin-3"))
    second = price_books.add(own, again)
    assert (len(second.entries), second.known) == (1, 1)
    assert own.read_bytes().startswith(before)
    assert [entry.model for entry in price_books.load(own).entries] == ["tin-1", "tin-2", "tin-3"]
    assert own.stat().st_mode & 0o077 == 0
    price_books.add(own, again)
    assert len(price_books.load(own).entries) == 3


def test_an_entry_says_when_it_was_entered(tmp_path: Path):
    own = tmp_path / "own"
    price_books.add(own, write(tmp_path / "a", line(entered_at=None), line(model="tin-2")))
    new, old = price_books.load(own).entries
    assert new.entered_at is not None
    assert new.entered_at > old.entered_at


CHANGES = {
    "other price": [line(input="9")],
    "other end": [line(valid_until="2026-06-01")],
    "other currency": [line(currency="RUB")],
    "other unit": [line(unit=1)],
    "a good one with it": [line(model="tin-9"), line(output="9")],
    "past the next entry": [line(valid_from="2025-01-01", valid_until="2026-01-02")],
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_an_entry_is_refused_whole(name, tmp_path: Path):
    own = tmp_path / "own"
    price_books.add(own, write(tmp_path / "a", line()))
    before = own.read_bytes()
    with pytest.raises(BadPrices) as raised:
        price_books.add(own, write(tmp_path / "b", *CHANGES[name]))
    (problem,) = raised.value.problems
    assert problem.startswith(f"line {len(CHANGES[name])}: overlaps line 1 of your price book")
    assert own.read_bytes() == before


def test_a_bad_file_adds_nothing(tmp_path: Path):
    own = tmp_path / "own"
    with pytest.raises(BadPrices, match="line 2"):
        price_books.add(own, write(tmp_path / "a", line(), line(input=None)))
    with pytest.raises(BadPrices, match="line 2: overlaps line 1"):
        price_books.add(own, write(tmp_path / "a", line(), line(input="9")))
    assert not own.exists()


def test_a_bad_own_book_is_not_extended(tmp_path: Path):
    own = write(tmp_path / "own", "{}")
    with pytest.raises(BadPrices, match="own: line 1"):
        price_books.add(own, write(tmp_path / "a", line()))
    assert own.read_bytes() == b"{}"


def test_an_entry_that_starts_in_the_past_says_from_when_costs_change(tmp_path: Path):
    own = tmp_path / "own"
    price_books.add(own, write(tmp_path / "a", line(), line(model="tin-2")))
    later = [line(valid_from=day) for day in ("2026-03-01", "2026-02-01", "2999-01-01")]
    found = price_books.add(own, write(tmp_path / "b", *later))
    assert found.changed_from == date(2026, 2, 1)
    future = write(tmp_path / "c", line(model="tin-2", valid_from="2999-01-01"))
    assert price_books.add(own, future).changed_from is None


def test_a_last_line_without_an_end_stays_whole(tmp_path: Path):
    own = write(tmp_path / "own", line())
    assert not own.read_bytes().endswith(b"\n")
    price_books.add(own, write(tmp_path / "a", line(model="tin-2")))
    assert read_entries(own.read_bytes())[1] == []
    assert len(price_books.load(own).entries) == 2


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(UsageError, match=r"cannot read .*nothing"):
        price_books.add(tmp_path / "own", tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"cannot read .*nothing"):
        price_books.load(tmp_path / "nothing")


def test_processes_that_add_at_once_lose_nothing(tmp_path: Path):
    own, files = tmp_path / "own", []
    for number in range(8):
        lines = [line(model=f"tin-{number}-{n}") for n in range(20)]
        files.append(write(tmp_path / str(number), *lines))
    workers = [
        get_context("spawn").Process(target=price_books.add, args=(own, file)) for file in files[:3]
    ]
    for worker in workers:
        worker.start()
    for file in files[3:]:
        price_books.add(own, file)
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    entries, problems = read_entries(own.read_bytes())
    assert problems == []
    assert len({entry.model for entry in entries}) == len(entries) == 160
