from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.integrity.checkpoint_format import (
    MAX_LINE,
    CheckpointParser,
    HeadEntry,
    Header,
    count_text,
    head_text,
    header_text,
    signature_text,
)
from runreel.model.errors import BadCheckpoint

KEY_ID = "0123456789abcdef" * 2
DIGEST = bytes(range(32))
FIRST = Header("0d6c1f0e", 1, 1_767_200_000_000_000, None, full=True, key_id=KEY_ID)
LATER = Header(
    "0d6c1f0e", 7, 1_767_200_000_000_001, "ab" * 32, full=False, key_id=KEY_ID, next_key="cd" * 32
)


def written(header: Header, heads: list[HeadEntry]) -> list[bytes]:
    text = header_text(header) + "".join(map(head_text, heads)) + count_text(len(heads))
    return (text + signature_text(b"\x07" * 64)).encode("ascii").splitlines(keepends=True)


def read(lines: list[bytes]) -> tuple[Header, list[HeadEntry], bytes]:
    reading = CheckpointParser(lines)
    heads = list(reading.heads())
    assert reading.runs == len(heads)
    return reading.header, heads, reading.signature


def test_a_checkpoint_is_written_so() -> None:
    lines = written(LATER, [HeadEntry('a "b"\N{RIGHT-TO-LEFT OVERRIDE}', 12, DIGEST)])
    assert b"".join(lines).decode() == (
        "runreel checkpoint 1\n"
        'database "0d6c1f0e"\n'
        "number 7\n"
        "time 2025-12-31T16:53:20.000001Z\n"
        f"previous {'ab' * 32}\n"
        "kind changes\n"
        f"key {KEY_ID}\n"
        f"next-key {'cd' * 32}\n"
        f'"a \\"b\\"\\u202e" 12 {DIGEST.hex()}\n'
        "runs 1\n"
        f"signature {'07' * 64}\n"
    )


ids = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=200)


@given(st.dictionaries(ids, st.integers(0, 2**63 - 1), max_size=8))
def test_what_is_written_is_read(runs: dict[str, int]) -> None:
    heads = [
        HeadEntry(run_id, seq, hashlib.sha256(run_id.encode()).digest())
        for run_id, seq in runs.items()
    ]
    heads.sort(key=lambda head: head.sort_key)
    for header in (FIRST, LATER):
        lines = written(header, heads)
        assert max(map(len, lines)) <= MAX_LINE
        assert read(lines) == (header, heads, b"\x07" * 64)


def test_the_longest_id_fits_into_a_line() -> None:
    head = HeadEntry("\U0010ffff" * 200, 2**63 - 1, DIGEST)
    assert len(head_text(head)) <= MAX_LINE
    assert read(written(FIRST, [head]))[1] == [head]


def line(run_id: str = "a", seq: str = "1", digest: str = DIGEST.hex(), end: str = "\n") -> bytes:
    return f'"{run_id}" {seq} {digest}{end}'.encode()


@pytest.mark.parametrize(
    "damaged",
    [
        line(seq="01"),
        line(seq="-1"),
        line(seq="1.0"),
        line(seq=str(2**63)),
        line(seq="9" * 30),
        line(seq="\u0661"),
        line(digest=DIGEST.hex().upper()),
        line(digest=DIGEST.hex()[:-2]),
        line(digest=DIGEST.hex() + "00"),
        line(end=" \n"),
        line(end="\r\n"),
        line(end=""),
        line(run_id=""),
        line(run_id="a" * 201),
        line(run_id="\\u0061"),
        line(run_id="\\u00E9"),
        line(run_id="\\/"),
        line(run_id="\\ud800"),
        line(run_id="\\x"),
        line(run_id='a" "b'),
        line(run_id="é"),
        line().replace(b" ", b"  ", 1),
        line().replace(b" ", b"\t", 1),
        b" " + line(),
        b"\xef\xbb\xbf" + line(),
        b"\n",
        b"",
    ],
)
def test_the_line_of_a_run_is_read_in_one_way_alone(damaged: bytes) -> None:
    lines = written(FIRST, [HeadEntry("a", 1, DIGEST)])
    assert read(lines)[1] == [HeadEntry("a", 1, DIGEST)]
    lines[8] = damaged
    with pytest.raises(BadCheckpoint):
        read(lines)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"checkpoint 1", b"checkpoint 2"),
        (b"number 1", b"number 0"),
        (b"number 1", b"number 01"),
        (b"number 1", b"number 2"),
        (b"number 1", b"number -1"),
        (b"number 1", b"number 1\nnumber 1"),
        (b"16:53:20.000000Z", b"16:53:20Z"),
        (b"16:53:20.000000Z", b"16:53:20.000000+00:00"),
        (b"16:53:20.000000Z", b"16:53:60.000000Z"),
        (b"time 2025", b"time 0000"),
        (b"kind full", b"kind changes"),
        (b"kind full", b"kind some"),
        (b"previous none", b"previous " + b"ab" * 32),
        (b"previous none", b"previous None"),
        (b"next-key none", b"next-key"),
        (b"next-key none", b"next-key " + b"zz" * 32),
        (KEY_ID.encode(), KEY_ID.upper().encode()),
        (b'"0d6c1f0e"', b"0d6c1f0e"),
        (b'"0d6c1f0e"', b'"0d6c1f0e'),
        (b'"0d6c1f0e"', b'"\\ud800"'),
        (b'"0d6c1f0e"', b'["0d6c1f0e"]'),
        (b"runs 1", b"runs 2"),
        (b"runs 1", b"runs 01"),
        (b"runs 1", b"runs"),
        (b"runs 1\n", b""),
        (b"runs 1\n", b"runs 1\nruns 1\n"),
        (b"signature 07", b"signature 0"),
        (b"signature 07", b"signature AB"),
        (b"signature ", b"Signature "),
    ],
)
def test_the_rest_is_read_in_one_way_alone(old: bytes, new: bytes) -> None:
    whole = b"".join(written(FIRST, [HeadEntry("a", 1, DIGEST)]))
    assert old in whole
    with pytest.raises(BadCheckpoint):
        read(whole.replace(old, new, 1).splitlines(keepends=True))


def test_runs_stand_in_their_order_and_once() -> None:
    a, b = HeadEntry("a", 1, DIGEST), HeadEntry("b", 1, DIGEST)
    read(written(FIRST, [a, b]))
    for heads in ([b, a], [a, a], [a, a._replace(seq=2)]):
        with pytest.raises(BadCheckpoint, match="out of order"):
            read(written(FIRST, heads))
    # By their bytes in UTF-8, not by UTF-16 as other languages sort.
    read(written(FIRST, [HeadEntry("\uffee", 1, DIGEST), HeadEntry("\U00010000", 1, DIGEST)]))


def test_nothing_may_be_missing_or_follow() -> None:
    lines = written(FIRST, [HeadEntry("a", 1, DIGEST)])
    for count in range(len(lines)):
        with pytest.raises(BadCheckpoint):
            read(lines[:count])
    for more in (b"\n", b" ", b"\x00", lines[-1]):
        with pytest.raises(BadCheckpoint):
            read([*lines, more])
