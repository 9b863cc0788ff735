"""The hash chain: the digest of each row binds the digest before it and all columns of the row.

The payload is bound by a commitment keyed with the random salt of the row. Payload and salt can
therefore be erased later without breaking the chain, and without a digest that reveals the payload
to guessing.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

EVENT_TAG = b"runreel/event/v1\0"
GENESIS_TAG = b"runreel/genesis/v1\0"
SALT_BYTES = 16

_length = struct.Struct(">cQ").pack
_integer = struct.Struct(">cQq").pack
_two_integers = struct.Struct(">cQqcQq").pack
_four_integers = struct.Struct(">cQqcQqcQqcQq").pack
_five_integers = struct.Struct(">cQqcQqcQqcQqcQq").pack
_NULL = _length(b"n", 0)
# The pads of HMAC (RFC 2104) for a key that is shorter than a block of SHA-256, as a salt is.
_BLOCK = 64
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
_INNER_REST, _OUTER_REST = (bytes([pad]) * (_BLOCK - SALT_BYTES) for pad in (0x36, 0x5C))


def commitment(salt: bytes, payload: str) -> bytes:
    """Return the HMAC-SHA256 of the stored payload in UTF-8, keyed with the salt of the row."""
    # ``hmac.digest`` looks the hash function up in OpenSSL each time: an eighth of an append.
    key = salt.ljust(_BLOCK, b"\0")
    inner = sha256(key.translate(_INNER) + payload.encode()).digest()
    return sha256(key.translate(_OUTER) + inner).digest()


def genesis(run_id: str) -> bytes:
    """Return the value that precedes the digest of the first row of a run."""
    return sha256(GENESIS_TAG + _text(run_id)).digest()


def digest(  # noqa: PLR0913, PLR0917 - one argument per bound column
    previous: bytes,
    run_id: str,
    seq: int,
    kind: str,
    type_: str | None,
    source_index: int | None,
    at: int,
    elapsed: int,
    keep: int | None,
    added: int | None,
    committed: bytes,
) -> bytes:
    """Return the SHA-256 of the previous digest and the columns, each with type tag and length."""
    if keep is None or added is None:
        numbers = _number(at) + _number(elapsed) + _number(keep) + _number(added)
    else:
        numbers = _four_integers(b"i", 8, at, b"i", 8, elapsed, b"i", 8, keep, b"i", 8, added)
    return sha256(
        b"".join(
            (
                EVENT_TAG,
                previous,
                _text(run_id),
                _integer(b"i", 8, seq),
                _text(kind),
                _text(type_),
                _number(source_index),
                numbers,
                committed,
            )
        )
    ).digest()


class SharedColumns(NamedTuple):
    """The columns that consecutive rows share, and the ``seq`` of the first one."""

    run_id: str
    seq: int
    kind: str
    type: str | None
    at: int
    elapsed: int


def text_digests(
    previous: bytes,
    shared: SharedColumns,
    rows: Iterable[tuple[int | None, int, int, str]],
    salts: bytes,
) -> list[bytes]:
    """Return the digests of consecutive rows, as ``digest`` does, in less time.

    Each row has its ``source_index``, ``keep``, ``added`` and payload, and 16 bytes of ``salts``.
    """
    run_id, seq, kind, type_, at, elapsed = shared
    owner, meaning = _text(run_id), _text(kind) + _text(type_)
    times = _two_integers(b"i", 8, at, b"i", 8, elapsed)
    inner, outer = salts.translate(_INNER), salts.translate(_OUTER)
    digests: list[bytes] = []
    start = 0
    for index, keep, added, payload in rows:
        stop = start + SALT_BYTES
        hashed = sha256(inner[start:stop] + _INNER_REST + payload.encode()).digest()
        columns = (
            EVENT_TAG,
            previous,
            owner,
            _integer(b"i", 8, seq),
            meaning,
            _NULL if index is None else _integer(b"i", 8, index),
            times,
            _two_integers(b"i", 8, keep, b"i", 8, added),
            sha256(outer[start:stop] + _OUTER_REST + hashed).digest(),
        )
        previous = sha256(b"".join(columns)).digest()
        digests.append(previous)
        seq, start = seq + 1, stop
    return digests


def intact_rows(
    previous: bytes,
    run_id: str,
    seq: int,
    rows: Iterable[tuple[Any, ...]],
    is_plain: Callable[[str, str | None], bool],
) -> tuple[int, bytes]:
    """Return how many rows go on a chain from ``seq``, and the digest of the last of them.

    Rows have the columns of the event log. The first one ends it that has another position or
    digest, was erased, holds anything unusual, or whose kind and type are not ``is_plain``. It
    takes less time than ``commitment`` and ``digest`` of each.
    """
    owner, number, meaning = _text(run_id), 0, b""
    last_kind = last_type = ""
    try:
        for row in rows:
            _, place, kind, type_, index, at, elapsed, keep, added, payload, salt, gone, found = row
            if place != seq or gone is not None or len(salt) != SALT_BYTES:
                break
            if kind != last_kind or type_ != last_type:
                if not is_plain(kind, type_):
                    break
                last_kind, last_type, meaning = kind, type_, _text(kind) + _text(type_)
            if None in (index, keep, added):
                times = _two_integers(b"i", 8, at, b"i", 8, elapsed)
                numbers = b"".join((_number(index), times, _number(keep), _number(added)))
            else:
                numbers = _five_integers(
                    *(b"i", 8, index, b"i", 8, at, b"i", 8, elapsed, b"i", 8, keep, b"i", 8, added)
                )
            hashed = sha256(salt.translate(_INNER) + _INNER_REST + payload.encode()).digest()
            committed = sha256(salt.translate(_OUTER) + _OUTER_REST + hashed).digest()
            place = _integer(b"i", 8, place)
            columns = (EVENT_TAG, previous, owner, place, meaning, numbers, committed)
            if sha256(b"".join(columns)).digest() != found:
                break
            previous, number, seq = found, number + 1, seq + 1
    except Exception:  # noqa: BLE001, S110 - columns of a damaged row may hold anything
        pass
    return number, previous


@lru_cache(maxsize=1024)
def _text(value: str | None) -> bytes:
    if value is None:
        return _NULL
    data = value.encode()
    return _length(b"t", len(data)) + data


def _number(value: int | None) -> bytes:
    return _NULL if value is None else _integer(b"i", 8, value)
