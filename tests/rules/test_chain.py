from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.integrity import digest_chain
from tests.strategies import MANY

SALT = bytes(range(16))
COMMITTED = digest_chain.commitment(SALT, '{"+":"Hello"}')
COLUMNS: dict[str, Any] = {
    "previous": digest_chain.genesis("run-1"),
    "run_id": "run-1",
    "seq": 3,
    "kind": "stream_event",
    "type_": "PARTIAL_MESSAGE",
    "source_index": 2,
    "at": 1_744_036_976_643_453,
    "elapsed": 1_500_000,
    "keep": 0,
    "added": 5,
    "committed": COMMITTED,
}
NOTE: dict[str, Any] = {
    "previous": bytes(32),
    "run_id": "прогон",
    "seq": 0,
    "kind": "note",
    "type_": None,
    "source_index": None,
    "at": -1,
    "elapsed": 0,
    "keep": None,
    "added": None,
    "committed": bytes(32),
}


# Every log in the world holds such digests: a vector that changes here breaks them all.
def test_the_commitment_of_a_payload_is_this():
    assert (
        digest_chain.commitment(SALT, '{"+":"Hello"}').hex()
        == "1e013ff22d529b9cd339f745e334728dd90fd26469216157eb0b2b0b16138332"
    )


@MANY
@given(st.binary(max_size=64), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_commitment_is_the_hmac_of_the_standard_library(salt: bytes, payload: str) -> None:
    assert digest_chain.commitment(salt, payload) == hmac.digest(salt, payload.encode(), "sha256")


def test_the_digest_before_the_first_row_is_this():
    assert (
        digest_chain.genesis("run-1").hex()
        == "1b07179ead09a84eee7f7439f9a5421868b6d93dc7ada612e7d61bf6349aa8fc"
    )
    assert digest_chain.genesis("run-1") == sha256(b"runreel/genesis/v1\0", b"t", n(5), b"run-1")


def test_the_digest_of_a_row_is_this():
    assert (
        digest_chain.digest(**COLUMNS).hex()
        == "07799dbdae8d95d2fbfa1a7c5340708fa816be0da80f8ab744dd17ec0779bfdf"
    )
    assert (
        digest_chain.digest(**NOTE).hex()
        == "6017438c1b562f1bb339046467714c2034f46b91ac323714073e3666de664dc4"
    )


def test_the_digest_of_a_row_is_the_hash_of_these_bytes():
    assert digest_chain.digest(**COLUMNS) == sha256(
        b"runreel/event/v1\0",
        digest_chain.genesis("run-1"),
        *(b"t", n(5), b"run-1"),
        *(b"i", n(8), n(3)),
        *(b"t", n(12), b"stream_event"),
        *(b"t", n(15), b"PARTIAL_MESSAGE"),
        *(b"i", n(8), n(2)),
        *(b"i", n(8), n(1_744_036_976_643_453)),
        *(b"i", n(8), n(1_500_000)),
        *(b"i", n(8), n(0)),
        *(b"i", n(8), n(5)),
        COMMITTED,
    )
    assert digest_chain.digest(**NOTE) == sha256(
        b"runreel/event/v1\0",
        bytes(32),
        *(b"t", n(12), "прогон".encode()),
        *(b"i", n(8), n(0)),
        *(b"t", n(4), b"note"),
        *(b"n", n(0)),
        *(b"n", n(0)),
        *(b"i", n(8), b"\xff" * 8),
        *(b"i", n(8), n(0)),
        *(b"n", n(0)),
        *(b"n", n(0)),
        bytes(32),
    )


def sha256(*pieces: bytes) -> bytes:
    return hashlib.sha256(b"".join(pieces)).digest()


def n(number: int) -> bytes:
    return number.to_bytes(8, "big")


CHANGES = [
    ("previous", bytes(32)),
    ("run_id", "run-2"),
    ("run_id", ""),
    ("seq", 4),
    ("seq", -3),
    ("kind", "run"),
    ("type_", None),
    ("type_", ""),
    ("type_", "DONE"),
    ("source_index", None),
    ("source_index", 0),
    ("at", 1_744_036_976_643_454),
    ("elapsed", 0),
    ("keep", None),
    ("keep", 1),
    ("added", None),
    ("added", 6),
    ("committed", digest_chain.commitment(SALT, '{"+":"hello"}')),
    ("committed", digest_chain.commitment(bytes(16), '{"+":"Hello"}')),
]


def test_a_change_of_any_column_changes_the_digest():
    digests = {digest_chain.digest(**COLUMNS | {name: value}) for name, value in CHANGES}
    assert len(digests) == len(CHANGES)
    assert digest_chain.digest(**COLUMNS) not in digests
    assert {name for name, _ in CHANGES} == set(COLUMNS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"type_": None}, {"type_": ""}),
        ({"keep": None}, {"keep": 0}),
        ({"source_index": None}, {"source_index": 0}),
        ({"keep": 0, "added": None}, {"keep": None, "added": 0}),
        ({"source_index": 5, "keep": None}, {"source_index": None, "keep": 5}),
        ({"kind": "run", "type_": "DONE"}, {"kind": "runD", "type_": "ONE"}),
        ({"run_id": "a", "kind": "bc"}, {"run_id": "ab", "kind": "c"}),
        ({"at": 1, "elapsed": 2}, {"at": 2, "elapsed": 1}),
    ],
)
def test_columns_are_told_apart_by_type_length_and_place(one, other):
    assert digest_chain.digest(**COLUMNS | one) != digest_chain.digest(**COLUMNS | other)


def test_a_text_that_spells_a_number_is_not_the_number():
    number = digest_chain.digest(**COLUMNS | {"type_": None, "source_index": 0})
    text = digest_chain.digest(**COLUMNS | {"type_": "\0" * 8, "source_index": None})
    assert number != text


INT64 = st.integers(-(2**63), 2**63 - 1)
ROWS = st.fixed_dictionaries(
    {
        "previous": st.binary(min_size=32, max_size=32),
        "run_id": st.text(max_size=5),
        "seq": INT64,
        "kind": st.sampled_from(["run", "note"]),
        "type_": st.none() | st.text(max_size=3),
        "source_index": st.none() | INT64,
        "at": INT64,
        "elapsed": INT64,
        "keep": st.none() | st.integers(0, 2),
        "added": st.none() | st.integers(0, 2),
        "committed": st.binary(min_size=32, max_size=32),
    }
)


@MANY
@given(ROWS, ROWS)
def test_rows_have_one_digest_only_if_they_are_one(row, other):
    assert (digest_chain.digest(**row) == digest_chain.digest(**other)) == (row == other)
    assert len(digest_chain.digest(**row)) == 32


def test_the_same_events_in_another_run_have_other_digests():
    assert digest_chain.genesis("run-1") != digest_chain.genesis("run-2")
    assert digest_chain.genesis("a") != digest_chain.genesis("")


def test_an_erased_payload_cannot_be_guessed_from_its_commitment_without_the_salt():
    yes, no = (digest_chain.commitment(SALT, payload) for payload in ('{"+":"yes"}', '{"+":"no"}'))
    assert yes != no
    assert digest_chain.commitment(bytes(16), '{"+":"yes"}') not in (yes, no)
