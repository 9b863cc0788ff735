"""Which trigrams of a text to look for in the index: those that few texts have.

The index reads the list of all texts that have a trigram, so what a search costs grows with the
most common one that it asks for. The shares of the common ones are known from some of the texts.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

from runreel.model.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from runreel.store.drivers.interface import Connection

LENGTH = 3
COMMON = "run_text_indexed_common"
MAKE_COMMON = (
    f"CREATE TABLE IF NOT EXISTS {COMMON} (gram TEXT NOT NULL PRIMARY KEY, share REAL NOT NULL)"
    " STRICT, WITHOUT ROWID"
)
# Texts that are looked at, and characters of each.
_TEXTS, _CHARACTERS = 500, 4_000
# A trigram of fewer texts is rare; and what is stored is in more texts than an erased one.
_LEAST_TEXTS, _LEAST_SHARE = 8, 0.02
# What is taken for the share of a rare one.
_RARE = 0.005
# Trigrams of a text: at least, at most, and among which they are chosen.
_FEW, _MOST, _AMONG = 2, 24, 400
# Entries of the index that are read in the time in which a text is read.
_READ = 1_000


def of(text: str) -> list[str]:
    """Return the trigrams of a text, each once, in order."""
    return list(dict.fromkeys(text[at : at + LENGTH] for at in range(len(text) - LENGTH + 1)))


def spread(text: str) -> list[str]:
    """Return trigrams of a text from all over it."""
    grams = of(text)
    # Every other one has all characters in it.
    return [*grams[:: max(2, -(-len(grams) // _MOST))], grams[-1]]


def chosen(connection: Connection, text: str, texts: int) -> list[str]:
    """Return trigrams of a text that hardly any other one of an index of ``texts`` texts has."""
    grams = of(text)
    grams = grams[:: -(-len(grams) // _AMONG)]
    sql = f"SELECT gram, share FROM {COMMON} WHERE gram IN (SELECT value FROM json_each(?))"
    shares = dict(connection.all(sql, (json.dumps(["", *grams]),)))
    return _worth_reading(grams, shares, texts) if shares else spread(text)


def _worth_reading(grams: list[str], shares: Mapping[str, float], texts: int) -> list[str]:
    """Return the rarest of these, as many as save more texts than they cost entries to read."""
    in_turn = sorted([*grams[::2], *grams[1::2]], key=lambda gram: shares.get(gram, _RARE))
    left, taken = float(texts), list[str]()
    for gram in in_turn[:_MOST]:
        share = shares.get(gram, _RARE)
        if len(taken) >= _FEW and left * (1 - share) * _READ < texts * share:
            break
        taken.append(gram)
        # Trigrams come together more often than by chance.
        left *= share if len(taken) == 1 else share**0.75
    return taken


def count(connection: Connection, unpacked: Callable[[object], str]) -> None:
    """Store the shares of common trigrams in a table, from some of the texts."""
    counted: Counter[str] = Counter()
    seen = 0
    for stored in _some(connection):
        try:
            counted.update(set(of(unpacked(stored)[:_CHARACTERS])))
        except BadValue:
            continue
        seen += 1
    least = max(_LEAST_TEXTS, seen * _LEAST_SHARE)
    common = [(gram, texts / seen) for gram, texts in counted.items() if texts >= least]
    connection.execute(f"DELETE FROM {COMMON}")
    connection.executemany(
        f"INSERT INTO {COMMON} (gram, share) VALUES (?, ?)", [("", 1.0), *sorted(common)]
    )


def _some(connection: Connection) -> Iterator[object]:
    """Yield stored texts from all over the table."""
    first, last = connection.one("SELECT min(rowid), max(rowid) FROM run_text")
    if first is None:
        return
    sql = "SELECT rowid, text FROM run_text WHERE rowid >= ? ORDER BY rowid LIMIT 1"
    step, after = max(1, (last - first) // _TEXTS), first
    while (found := connection.one(sql, (after,))) is not None:
        yield found[1]
        after = max(after + step, found[0] + 1)


def query(grams: Iterable[str]) -> str:
    """Return the query of the index for texts that have all of these."""
    return " AND ".join('"{}"'.format(gram.replace('"', '""')) for gram in dict.fromkeys(grams))
