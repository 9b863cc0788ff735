"""The chain of a run, followed without a database."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.integrity import digest_chain
from runreel.model.events import EventRow
from runreel.projection.chain_verifier import ChainVerifier
from tests.strategies import MANY

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
    told = checked(rows, at_once=False)
    assert checked(rows, at_once=True) == told
    return told


def checked(rows: list[EventRow], *, at_once: bool) -> list[tuple[int | None, str]]:
    """What is wrong with rows, of which some are passed many at a time."""
    told: list[tuple[int | None, str]] = []
    links = ChainVerifier("run-1", lambda seq, what, _: told.append((seq, what)))
    at = links.pass_intact(rows, 0) if at_once else 0
    while at < len(rows):
        try:
            links.check(rows[at])
        except Exception:  # noqa: BLE001 - as whoever calls it does
            links.skip_row(rows[at])
            told.append((rows[at].seq, "column"))
        at = links.pass_intact(rows, at + 1) if at_once else at + 1
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


def test_rows_that_are_intact_are_passed_at_once() -> None:
    links = ChainVerifier("run-1", lambda *_: None)
    rows = [*run(4, source_index=7, keep=3, added=0), *run(3)[2:]]
    assert links.pass_intact(rows, 0) == 4
    assert links.pass_intact(rows, 4) == 4, "of another run"
    assert links.pass_intact(rows, 5) == 5
    noted = run(3, kind="note", type="closed")
    assert ChainVerifier("run-1", lambda *_: None).pass_intact(noted, 0) == 3
    for type_ in ("redacted", "pruned"):
        listed = run(1, kind="note", type=type_, payload='{"seqs":[]}')
        assert ChainVerifier("run-1", lambda *_: None).pass_intact(listed, 0) == 0


ODD: dict[str, list[Any]] = {
    "seq": [0, 1, 3, None, "1", 1.0, True],
    "kind": ["note", "run", "news", None, b"note", 7],
    "type": ["closed", "redacted", "pruned", "masked", None, 5, b""],
    "source_index": [0, None, "0", 2**63, False],
    "keep": [0, None, -1, 0.0],
    "added": [0, None, ""],
    "payload": ['{"seqs":[0,1]}', None, "", b"x", 3, "\ud800"],
    "salt": [SALT, SALT[1:], None, "0123456789abcdef", b""],
    "redacted": [None, b"0" * 32, b"0", ""],
    "digest": [b"0" * 32, None, "x", b""],
}


@MANY
@given(data=st.data())
def test_damage_is_found_alike_many_rows_at_a_time(data: st.DataObject) -> None:
    columns = st.sampled_from([{}, {"source_index": 4, "keep": 2, "added": 1}, {"kind": "note"}])
    rows = run(6, **data.draw(columns))
    for at in data.draw(st.lists(st.integers(0, 5), max_size=3)):
        name = data.draw(st.sampled_from([*ODD]))
        rows[at] = rows[at]._replace(**{name: data.draw(st.sampled_from(ODD[name]))})
    if data.draw(st.booleans()):
        moved = data.draw(st.integers(0, 5))
        rows = [
            *rows[:moved],
            *rows[moved + 1 :],
            *data.draw(st.sampled_from([[], rows[moved:][:1]])),
        ]
    said(rows)
