"""The chain of a run, followed without a database."""

from __future__ import annotations

from typing import Any

import pytest

from runreel.integrity import digest_chain
from runreel.model.events import EventRow
from runreel.projection.chain_verifier import ChainVerifier

SALT = b"0123456789abcdef"


def row(seq: int, previous: bytes, **columns: Any) -> EventRow:
    """A row that follows from a digest."""
    made = EventRow(
        "run-1", seq, "stream_event", "DONE", None, 5, 0, None, None, '"x"', SALT, None, b""
    )._replace(**columns)
    committed = made.redacted or digest_chain.commitment(made.salt or b"", made.payload or "")
    return made._replace(digest=digest_chain.digest(previous, *made[:9], committed))


def run(count: int = 6, **columns: Any) -> list[EventRow]:
    rows: list[EventRow] = []
    digest = digest_chain.genesis("run-1")
    for seq in range(count):
        rows.append(row(seq, digest, **columns))
        digest = rows[-1].digest
    return rows


def said(rows: list[EventRow]) -> list[tuple[int | None, str]]:
    """What is wrong with rows: seq and word."""
    told: list[tuple[int | None, str]] = []
    links = ChainVerifier("run-1", lambda seq, what, _: told.append((seq, what)))
    for taken in rows:
        try:
            links.check(taken)
        except Exception:  # noqa: BLE001 - as whoever calls it does
            links.skip_row(taken)
            told.append((taken.seq, "column"))
    links.end()
    return told


def test_a_chain_is_whole_or_its_broken_link_is_named() -> None:
    rows = run()
    assert said(rows) == []
    assert said(rows[:3]) == [], "an end that is cut off leaves no trace"
    assert said(rows[:2] + rows[3:]) == [(3, "gap")]
    assert said(rows[2:]) == [(2, "gap")]
    assert said([rows[0], rows[2], rows[1], rows[3]]) == [(2, "gap"), (1, "order"), (3, "gap")]
    assert said([*rows[:2], rows[2]._replace(at=6), *rows[3:]]) == [(2, "digest")]
    assert said([*rows[:2], rows[2]._replace(digest=b"\0" * 32), *rows[3:]]) == [(2, "digest")]
    assert said([*rows[:2], rows[2]._replace(digest="x"), *rows[3:]]) == [(2, "digest")]


@pytest.mark.parametrize("salt", [SALT + b"\0", SALT[:-1], b"", b"\0"])
def test_a_salt_has_its_length(salt: bytes) -> None:
    """HMAC fills its key up with zeros: by the digest alone two salts may be one."""
    rows = run(salt=b"0123456789abcde\0")
    assert said(rows) == []
    assert said([rows[0]._replace(salt=salt)]) != []
    assert said([rows[0]._replace(salt=b"0123456789abcde")]) == [(0, "columns")]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("seq", other) for other in ("1", 1.0, None)),
        *(("at", other) for other in ("5", 5.0, None)),
        *(("kind", other) for other in (b"note", 7, None)),
        *(("payload", other) for other in (b'"x"', 1)),
        ("salt", "0123456789abcdef"),
    ],
)
def test_a_value_of_another_type_is_another_value(column: str, value: Any) -> None:
    rows = run()
    rows[1] = rows[1]._replace(**{column: value})
    assert said(rows) != []


def test_no_row_is_of_an_unknown_kind() -> None:
    assert said(run(1, kind="news")) == [(0, "kind")]
