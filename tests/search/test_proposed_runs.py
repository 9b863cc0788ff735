"""Which runs the index on SQLite proposes, and which of them are read in the log."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runreel
from runreel.model.events import STREAM_EVENT
from runreel.recording.recorder import Recorder
from runreel.store.connection import Connection
from runreel.store.drivers.sqlite import text_search, trigrams
from tests.search import oracle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from runreel.api.reel import Reel

RUNS = 60
SAID = "the weather report says"
PARTS = ["answer", "request"]


def fill(reel: Reel, first: int, runs: int) -> None:
    for number in range(first, first + runs):
        recorder = Recorder(reel.db, f"run-{number:02}", source="plain", via="program")
        # Every other run has all trigrams of "snowed", and not the word.
        text = f"{SAID} {'snow nowe owed' if number % 2 else 'rain'}, numb{number:02}er"
        recorder.append(STREAM_EVENT, {"type": "DONE", "text": text})
        recorder.close()


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reel]:
    with runreel.open(tmp_path_factory.mktemp("proposed") / "log.db") as opened:
        fill(opened, 0, RUNS)
        opened.build_search_index()
        yield opened


def proposed(reel: Reel, folded: str, parts: Sequence[str] = PARTS) -> set[str] | None:
    with reel.db.reading() as connection:
        return text_search.candidates(connection, folded, parts)


def test_a_part_that_few_texts_have_proposes_only_them(reel: Reel) -> None:
    assert proposed(reel, f"{SAID} rain, numb58er") == {"run-58"}
    with reel.db.reading() as connection:
        grams = trigrams.chosen(connection, f"{SAID} rain, numb58er", RUNS)
        assert any("58" in gram for gram in grams)
        assert len(grams) < len(SAID) / 2


def test_a_run_that_is_proposed_for_nothing_is_not_read(
    reel: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(proposed(reel, "snowed") or ()) == RUNS / 2
    read, execute = [], Connection.execute

    def count(connection: Connection, sql: str, parameters: tuple[object, ...] = ()) -> object:
        read.append(sql)
        return execute(connection, sql, parameters)

    monkeypatch.setattr(Connection, "execute", count)
    assert list(reel.search("snowed")) == []
    assert not [sql for sql in read if "FROM events" in sql]
    assert len(list(reel.search("numb07er"))) == 1
    assert len([sql for sql in read if "FROM events" in sql]) == 1


def test_of_many_runs_the_newest_are_found_without_a_list_of_all(
    reel: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = oracle.found(reel, SAID)
    assert len(expected) == RUNS
    monkeypatch.setattr(text_search, "_FEW", 10)
    assert proposed(reel, SAID) is None
    assert proposed(reel, SAID, ["tools"]) == set()
    assert proposed(reel, f"{SAID} rain, numb58er", ["answer"]) == {"run-58"}
    assert oracle.found(reel, SAID) == expected
    newest = [match.run_id for match in itertools.islice(reel.search(SAID), 3)]
    assert newest == ["run-59", "run-58", "run-57"]


@given(text=st.text("abcdé\"'*и ", min_size=trigrams.LENGTH, max_size=60), data=st.data())
def test_the_trigrams_that_are_looked_for_are_some_of_the_text(
    reel: Reel, text: str, data: st.DataObject
) -> None:
    shares = data.draw(st.dictionaries(st.sampled_from(trigrams.of(text)), st.floats(0.02, 1)))
    with reel.db.writing() as connection, connection.transaction():
        connection.execute("DELETE FROM run_text_indexed_common WHERE gram <> ''")
        connection.executemany("INSERT INTO run_text_indexed_common VALUES (?, ?)", shares.items())
        grams = trigrams.chosen(connection, text, data.draw(st.integers(0, 10**9)))
        trigrams.count(connection, text_search.unpacked)
    assert 0 < len(grams) <= 24
    assert set(grams) <= set(trigrams.of(text))
    others = [shares.get(gram, 0) for gram in trigrams.of(text) if gram not in grams]
    assert max(shares.get(gram, 0) for gram in grams) <= min(others, default=1)


def parts(reel: Reel) -> int:
    with reel.db.reading() as connection:
        sql = "SELECT count(DISTINCT segid) FROM run_text_index_idx"
        return int(connection.one(sql)[0])


def test_an_index_that_grew_by_much_is_merged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runreel.store.drivers.sqlite.text_index._BATCH", 2)
    with runreel.open(tmp_path / "log.db") as reel:
        fill(reel, 0, 9)
        reel.build_search_index()
        assert parts(reel) == 1
        fill(reel, 9, 1)
        reel.build_search_index()
        assert len(list(reel.search(SAID))) == 10
        fill(reel, 10, 4)
        reel.build_search_index()
        assert parts(reel) == 1
        assert len(list(reel.search(SAID))) == 14
        assert list(reel.search("numb12er"))
