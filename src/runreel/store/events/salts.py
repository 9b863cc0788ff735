"""Random salts, drawn from the operating system many at a time."""

from __future__ import annotations

import os

from runreel.integrity.digest_chain import SALT_BYTES

_AT_ONCE = 256

_drawn: list[bytes] = []


def salt() -> bytes:
    """Return the salt of a new row, random bytes. Thread-safe; a forked child draws its own."""
    try:
        return _drawn.pop()
    except IndexError:
        # One call for each row takes as long as its SHA-256.
        drawn = os.urandom(SALT_BYTES * _AT_ONCE)
        _drawn.extend(
            drawn[start : start + SALT_BYTES] for start in range(SALT_BYTES, len(drawn), SALT_BYTES)
        )
        return drawn[:SALT_BYTES]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawn.clear)
