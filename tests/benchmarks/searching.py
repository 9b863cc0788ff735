"""Searches of runs that speak Russian and English, compared with the driver's own text index."""

from __future__ import annotations

import itertools
import re
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from runreel.model.timestamps import to_micros
from tests.benchmarks import filling, growing, measure, raw
from tests.benchmarks.bench import DRIVERS, SQLITE, TEXT
from tests.benchmarks.measure import whole
from tests.benchmarks.page import Section, faster, quicker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.page import Row

    Find = Callable[[], object]

# Matches of a page, and runs whose texts a pattern is tried on.
_PAGE, _TRIED = 50, 200
_INDEX = "raw_text_index"
_DRIVER = DRIVERS[SQLITE]
_PATTERN = "a pattern"


class _Pair(NamedTuple):
    """A search of ours, and what the driver does for the same."""

    ours: Find
    theirs: Find


def run(bench: Bench) -> Section:
    """Searches before and with the index, and its making."""
    runs = bench.sizes.searched
    section = Section(f"Search of {runs:,} runs")
    reel = bench.texts()
    with raw.connected(raw.url_of(reel)) as connection:
        _copy(connection, reel)
        section.rows += _rows(bench, reel, connection)
    section.note(
        f"Each run has an answer of {TEXT} characters, two thirds of its words Russian, and a word"
        " in either script that no other run says. All runs are searched; what is found has its"
        " place and a snippet, and was read in the log. The baseline has the same texts in a table"
        " of its own, with the trigrams of FTS5 as SQLite indexes them by default, and returns the"
        " ids of runs."
    )
    section.note(
        f"**Two characters** are too few for the index: {_PAGE} matches of the newest runs, as a"
        f" page shows them. **A pattern** is tried on the newest {_TRIED:,} runs; the driver's"
        " texts by Python's `re`. The server of Postgres that these benchmarks start has no"
        " extension `pg_trgm`, and so no index."
    )
    return section


def _rows(bench: Bench, reel: Reel, connection: Any) -> Iterator[Row]:
    find = _Finder(reel, connection, bench.sizes.searched)
    rounds, runs = bench.sizes.rounds, bench.sizes.searched
    without = {"ours": partial(whole, find.one(0).ours), "raw": partial(whole, find.scan)}
    found = measure.interleaved(min(rounds, 2), without)
    yield quicker(f"one match, no index, {SQLITE}", found["ours"], _DRIVER, found["raw"])
    built = [whole(reel.build_search_index, runs)]
    theirs = [whole(partial(_index, connection), runs)]
    yield faster(f"building the index, {SQLITE}", built, _DRIVER, theirs)
    pairs = {
        "one match, Latin": find.one(0),
        "one match, Cyrillic": find.one(1),
        "no match": find.none(),
        "two characters": find.two_characters(),
        _PATTERN: find.pattern(),
    }
    for what, (ours, bare) in pairs.items():
        tries = 3 if what == _PATTERN else 10
        found = measure.alternating(rounds, {"ours": ours, "raw": bare}, tries)
        yield quicker(f"{what}, {SQLITE}", found["ours"], _DRIVER, found["raw"])


class _Finder:
    """Searches for another word each time."""

    def __init__(self, reel: Reel, connection: Any, runs: int) -> None:
        self._reel, self._connection = reel, connection
        self._ours = itertools.cycle(range(0, runs, max(1, runs // 97)))
        self._theirs = itertools.cycle(range(1, runs, max(1, runs // 97)))
        self._since = filling.NOW - timedelta(days=filling.DAYS) * (min(_TRIED, runs) / runs)

    def one(self, script: int) -> _Pair:
        """A word that one run says."""
        return _Pair(
            lambda: _count(self._reel.search(growing.word(next(self._ours), script)), 1),
            lambda: _count(self._matching(growing.word(next(self._theirs), script)), 1),
        )

    def none(self) -> _Pair:
        """A word that none says, though its trigrams are said."""
        return _Pair(
            lambda: _count(self._reel.search(growing.word(next(self._ours)) + "ing"), 0),
            lambda: _count(self._matching(growing.word(next(self._theirs)) + "ing"), 0),
        )

    def two_characters(self) -> _Pair:
        """As many places of two letters as a page has."""
        return _Pair(
            lambda: _count(
                itertools.islice(self._reel.search(growing.word(next(self._ours))[:2]), _PAGE),
                _PAGE,
            ),
            lambda: _count(
                itertools.islice(self._newest(growing.word(next(self._theirs))[:2]), _PAGE), _PAGE
            ),
        )

    def pattern(self) -> _Pair:
        """A pattern that is in many of the newest runs."""
        pattern = r"сервер\w* \w+"
        return _Pair(
            lambda: len(list(self._reel.search(pattern, regex=True, since=self._since))),
            lambda: len(list(self._newest(pattern, to_micros(self._since)))),
        )

    def scan(self) -> None:
        """The same as one, by a look at each text."""
        sql = "SELECT run_id FROM raw_texts WHERE text LIKE ?"
        word = growing.word(next(self._theirs))
        _count(self._connection.execute(sql, (f"%{word}%",)).fetchall(), 1)

    def _matching(self, text: str) -> list[Any]:
        sql = (
            f"SELECT run_id FROM {_INDEX} JOIN raw_texts ON raw_texts.id = {_INDEX}.rowid"
            f" WHERE {_INDEX} MATCH ?"
        )
        found: list[Any] = self._connection.execute(sql, (f'"{text}"',)).fetchall()
        return found

    def _newest(self, pattern: str, since: int = 0) -> Iterator[tuple[str, int]]:
        sql = "SELECT run_id, text FROM raw_texts WHERE started_at >= ? ORDER BY started_at DESC"
        wanted = re.compile(pattern)
        for run_id, text in self._connection.execute(sql, (since,)):
            for match in wanted.finditer(text):
                yield run_id, match.start()


def _count(found: Any, expected: int) -> None:
    count = len(list(found))
    if count != expected:
        raise SystemExit(f"a search finds {count} matches, not {expected}")


def _copy(connection: Any, reel: Reel) -> None:
    """Put all answers into a table of the driver."""
    unpacked = reel.db.driver.text_search.unpacked
    connection.execute("DROP TABLE IF EXISTS raw_texts")
    connection.execute(
        "CREATE TABLE raw_texts (id integer PRIMARY KEY, run_id text, started_at bigint, text text)"
    )
    rows = connection.execute(
        "SELECT t.run_id, r.started_at, t.text FROM run_text AS t"
        " JOIN runs AS r ON r.run_id = t.run_id WHERE t.part = 'answer'"
    ).fetchall()
    insert = raw.insert(raw.url_of(reel), "raw_texts", 4)
    texts = [(number, run_id, at, unpacked(text)) for number, (run_id, at, text) in enumerate(rows)]
    raw.insert_many(connection, insert, texts)
    connection.execute("CREATE INDEX raw_texts_started ON raw_texts (started_at)")


def _index(connection: Any) -> None:
    """Index the driver's texts as SQLite does by default."""
    connection.execute(f"DROP TABLE IF EXISTS {_INDEX}")
    connection.execute(
        f"CREATE VIRTUAL TABLE {_INDEX} USING fts5(text, content='raw_texts', content_rowid='id',"
        " tokenize='trigram case_sensitive 1')"
    )
    connection.execute(f"INSERT INTO {_INDEX} (rowid, text) SELECT id, text FROM raw_texts")
