"""A clock of recordings that goes the same way in each test run."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from runreel.recording.append_steps import AppendSteps

if TYPE_CHECKING:
    from collections.abc import Iterator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock:
    """Goes on by a pause each time that it is asked."""

    def __init__(self, now: datetime, pause: timedelta) -> None:
        self.now = now
        self.pause = pause

    def __call__(self) -> int:
        self.now += self.pause
        return (self.now - _EPOCH) // timedelta(microseconds=1) * 1_000


@contextmanager
def ticking(
    start: datetime = datetime(2025, 11, 5, 9, 30, tzinfo=UTC),
    pause: timedelta = timedelta(milliseconds=40),
) -> Iterator[Clock]:
    """Have every recording that is made meanwhile use one such clock."""
    clock = Clock(start, pause)
    defaults = AppendSteps.__init__.__kwdefaults__
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in ("clock", "timer"):
            assert name in defaults
            monkeypatch.setitem(defaults, name, clock)
        yield clock
