"""Recorders in processes of their own, and follows whose pauses a test fills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from runreel.query import follow
from runreel.query.follow import FollowRequest
from tests.cli.calls import PROGRAM
from tests.docs.checkout import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.api.reel import Reel
    from runreel.query.followed_run import End

# Records so many events, waits for a line after half of them, and closes unless told to hold.
_RECORDER = """
import sys, time
import runreel
from tests.cli.stories import partial
url, run_id, count, holds = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] == "hold"
recording, text = runreel.open(url).recording(run_id), ""
for number in range(count):
    text += f"{number} \\N{FOX FACE} "
    recording.append(partial(text))
    if number == count // 2:
        print("half", flush=True)
        sys.stdin.readline()
if holds:
    print("done", flush=True)
    sys.stdin.readline()
recording.close()
"""


class _Enough(Exception):
    """Nothing more will happen."""


class Recorder:
    """A process that records a run."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child

    def wait_for(self, word: str) -> None:
        assert self._child.stdout is not None
        assert self._child.stdout.readline() == f"{word}\n"

    def go_on(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write("\n")
        self._child.stdin.flush()

    def kill(self) -> None:
        """End it as a crash does."""
        self._child.send_signal(signal.SIGKILL)
        self._child.wait(timeout=30)


@contextmanager
def recorder(url: str, run_id: str, count: int, *, holds: bool = False) -> Iterator[Recorder]:
    """A recorder that is half done."""
    child = subprocess.Popen(
        [sys.executable, "-c", _RECORDER, url, run_id, str(count), "hold" if holds else ""],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )
    with child:
        try:
            found = Recorder(child)
            found.wait_for("half")
            yield found
        finally:
            child.kill()


@contextmanager
def tail(url: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """``runreel tail`` in a process of its own, with its output in pipes."""
    child = subprocess.Popen(
        [*PROGRAM, "--db", url, "tail", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


def lines(child: subprocess.Popen[str], most: int = 10**9) -> list[dict[str, Any]]:
    """The next lines of JSON that a process prints, up to its end."""
    assert child.stdout is not None
    found: list[dict[str, Any]] = []
    while len(found) < most and (line := child.stdout.readline()):
        found.append(json.loads(line))
    return found


def stepwise(
    reel: Reel,
    *steps: Callable[[], object],
    run_id: str | None = None,
    **request: Any,
) -> tuple[list[Any], list[End]]:
    """Follow, and take the next step whenever there is nothing new; the events and the ends.

    A follow of all runs is left after the last step, and what is new after it.
    """
    remaining = iter(steps)
    find = None if run_id is None else follow.exactly(run_id)
    items: list[Any] = []

    def sleep(_seconds: float) -> None:
        step = next(remaining, None)
        if step is not None:
            step()
        elif find is None:
            raise _Enough

    with suppress(_Enough):
        for item in follow.follow(reel.db, FollowRequest(find, **request), sleep=sleep):
            items.append(item)  # noqa: PERF402 - to keep those before the last step
    events = [item for item in items if isinstance(item, follow.StoredEvent)]
    return events, [item for item in items if not isinstance(item, follow.StoredEvent)]
