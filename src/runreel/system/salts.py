"""Random salts, drawn from the operating system many at a time."""

from __future__ import annotations

import os

SIZE = 16
_AT_ONCE = 256

_drawn: list[bytes] = []


def salt() -> bytes:
    """Return 16 new random bytes. Thread-safe; a forked child draws its own."""
    try:
        return _drawn.pop()
    except IndexError:
        # One call for each row takes as long as its SHA-256.
        drawn = os.urandom(SIZE * _AT_ONCE)
        _drawn.extend(drawn[start : start + SIZE] for start in range(SIZE, len(drawn), SIZE))
        return drawn[:SIZE]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawn.clear)
