"""Processes that record a run, and are killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.live.assistants_script import Done, Partial, Pause, Script, Step
from tests.live.yandex import assert_copy, stream
from tests.logs import verify

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from tests.live.assistants_service import AssistantsService

ROOT = Path(__file__).parents[2]


class Program:
    """A process that records a run; ``seen`` are the events it has told that it saw."""

    def __init__(self, service: AssistantsService, url: str, run_id: str, *more: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.live.program", service.address, url, run_id, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.seen: list[list[Any]] = []
        self.begun = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def kill(self) -> None:
        self._process.kill()
        self._finish()

    def wait(self) -> None:
        assert self._process.wait(60) == 0, self._process.stderr and self._process.stderr.read()
        self._finish()

    def _finish(self) -> None:
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.endswith("\n"):
                self.seen.append(json.loads(line))
                self.begun.set()
        self.begun.set()


def slow(events: int, pause: float = 0.004) -> Script:
    texts = ["word " * (n + 1) for n in range(events - 1)]
    steps: list[Step] = []
    for text in texts:
        steps += [Partial(text), Pause(pause)]
    return Script([*steps, Done(texts[-1] + "end")])


def told(reel: Reel, run_id: str) -> list[list[Any]]:
    return [[row.type, row.text] for row in stream(reel, run_id)]


class Killed(NamedTuple):
    """What came of a run whose recorders were killed: events stored, and those acknowledged."""

    stored: int
    seen: int


def killing_round(reel: Reel, url: str, service: AssistantsService, seed: int) -> Killed:
    """Two recorders of a run are killed at random moments, a third finishes; all is there once."""
    moments = random.Random(seed)  # noqa: S311 - the same moments each time
    run_id = service.play(slow(150))
    seen = []
    for _ in range(2):
        program = Program(service, url, run_id)
        assert program.begun.wait(60)
        time.sleep(moments.uniform(0, 0.4))
        program.kill()
        seen += program.seen
    last = Program(service, url, run_id)
    last.wait()
    seen += last.seen
    assert_copy(reel, service, run_id)
    verify(reel)
    stored = told(reel, run_id)
    assert [event for event in seen if event not in stored] == []
    # No event is shown again; one that was stored and not yet shown is in the log.
    assert len({json.dumps(event) for event in seen}) == len(seen)
    assert reel.run(run_id).recording == "closed"
    assert reel.run(run_id).usage is not None
    return Killed(len(stored), len(seen))
