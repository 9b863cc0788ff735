"""A program that records and forks: ``python -m tests.faults.fork_program``, run by ``forks``.

Every process of it acknowledges each event that it stored, in a file of its own.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent
from runreel.recording.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.api.reel import Reel
    from runreel.recording.session import Recording

EVENTS = 12
LONG = 1_100
_TASKS = 12


class ChildDone(BaseException):
    """Leaves every block that a child has inherited."""


class Program:
    """One process of the program, and what its children do."""

    def __init__(self, url: str, folder: Path, children: int, seed: int) -> None:
        self.folder = folder
        self.children = children
        self.seed = seed
        self.random = random.Random(seed)  # noqa: S311 - a test that can be repeated
        self.reel: Reel = runreel.open(url)
        self.begin()

    def begin(self) -> None:
        """Be known by a process id, with a file to acknowledge events in."""
        (self.folder / f"pid-{os.getpid()}").touch()
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
        self._told = os.open(self.folder / f"stored-{os.getpid()}", flags)

    def acknowledge(self, run_id: str, seq: int, text: str) -> None:
        os.write(self._told, (json.dumps([run_id, seq, text]) + "\n").encode())

    def name(self, what: str) -> str:
        return f"{self.seed}-{what}"

    def append(self, recording: Recording, text: str) -> None:
        event = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((text,)))
        stored = recording.append(event)
        assert stored is not None
        self.acknowledge(recording.run_id, stored.seq, text)

    def record(self, name: str, events: int = EVENTS, pause: float = 0.004) -> None:
        with self.reel.recording(self.name(name)) as recording:
            for number in range(events):
                self.append(recording, f"{name} " * (number + 1))
                time.sleep(self.random.random() * pause)
        assert len(list(self.reel.events(self.name(name)))) == events + 2

    def fork(self, work: Callable[[int], object]) -> list[int]:
        """The ids of new children, each of which works and ends in one way or another."""
        return [self._fork(work, number) for number in range(self.children)]

    def _fork(self, work: Callable[[int], object], number: int) -> int:
        pid = os.fork()
        if pid:
            return pid
        self.begin()
        self.random = random.Random(self.seed * 100 + number)  # noqa: S311 - as above
        try:
            work(number)
        except BaseException:  # noqa: BLE001 - whoever runs the program reads it
            self.failed()
            os._exit(1)
        if self.random.random() < 0.5:
            os._exit(0)
        raise ChildDone

    def failed(self) -> None:
        (self.folder / f"error-{os.getpid()}").write_text(traceback.format_exc())

    def records(self, number: int) -> None:
        for turn in range(2):
            self.record(f"child-{number}-{turn}")

    def wait(self, pids: list[int]) -> None:
        for pid in pids:
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def closes(program: Program) -> None:
    with program.reel, program.reel.recording(program.name("parent")) as recording:
        program.append(recording, "before")
        pids = program.fork(program.records)
        program.append(recording, "after")
    program.wait(pids)


def exits(program: Program) -> None:
    with program.reel:
        program.record("parent")
        program.fork(program.records)
        if program.random.random() < 0.5:
            os._exit(0)


def is_killed(program: Program) -> None:
    program.record("parent")
    program.fork(program.records)
    os.kill(os.getpid(), signal.SIGKILL)


def writes(program: Program) -> None:
    """Threads append before, while and after children are made."""
    over = threading.Event()

    def write(number: int) -> None:
        turn = 0
        while not over.is_set():
            try:
                program.record(f"thread-{number}-{turn}", pause=0.001)
            except BaseException:
                program.failed()
                raise
            turn += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(program.random.random() * 0.05)
        program.wait(program.fork(program.records))
    finally:
        over.set()
        if threading.active_count() > 1:
            for thread in threads:
                thread.join()
    program.reel.close()


def reads(program: Program) -> None:
    """Iterators are half read, here and in threads, while children are made."""
    run_id = program.name("long")
    recorder = Recorder(program.reel.db, run_id, source="plain", via="program")
    asyncio.run(_long(recorder))
    half = program.reel.events(run_id)
    assert next(half).seq == 0
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            count = len(list(program.reel.events(run_id)))
            if count != LONG + 2:
                (program.folder / f"error-{os.getpid()}").write_text(f"read {count}")

    def child(number: int) -> None:
        if number % 2:
            assert len(list(half)) == LONG + 1
        program.records(number)
        if number % 2 == 0:
            assert len(list(half)) == LONG + 1

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        pids = program.fork(child)
        assert len(list(half)) == LONG + 1
        program.wait(pids)
    finally:
        over.set()
        if threading.active_count() > 1:
            for thread in threads:
                thread.join()
    program.reel.close()


async def _long(recorder: Recorder) -> None:
    value = {"type": "PARTIAL_MESSAGE", "text": "word"}
    for _ in range(LONG):
        await recorder.aappend("stream_event", value)
    await recorder.aclose()


def groups(program: Program) -> None:
    """Tasks of an event loop share commits; one of them forks."""
    asyncio.run(_group(program))


async def _group(program: Program) -> None:
    async def task(number: int) -> None:
        run_id = program.name(f"task-{number}")
        recorder = Recorder(program.reel.db, run_id, source="plain", via="program")
        for turn in range(EVENTS):
            text = "word " * (turn + 1)
            stored = await recorder.aappend(
                "stream_event", {"type": "PARTIAL_MESSAGE", "text": text}
            )
            program.acknowledge(run_id, stored.seq, text)
        await recorder.aclose()

    async def forks() -> None:
        await asyncio.sleep(program.random.random() * 0.01)
        for number in range(program.children):
            pid = os.fork()
            if not pid:
                # The loop is the parent's.
                program.begin()
                try:
                    program.records(number)
                    os._exit(0)
                except BaseException:  # noqa: BLE001 - as above
                    program.failed()
                    os._exit(1)
            pids.append(pid)
            await asyncio.sleep(0)

    pids: list[int] = []
    await asyncio.gather(forks(), *(task(number) for number in range(_TASKS)))
    await asyncio.to_thread(program.wait, pids)


def becomes_daemon(program: Program) -> None:
    """Twice forked, in another directory; whoever began is gone."""
    recording = program.reel.recording(program.name("daemon"))
    program.append(recording, "before")
    if os.fork():
        os._exit(0)
    os.chdir("/")
    if os.fork():
        os._exit(0)
    program.begin()
    program.append(recording, "after")
    pids = program.fork(program.records)
    program.wait(pids)
    program.append(recording, "at last")
    recording.close()
    program.reel.close()


def pools(program: Program) -> None:
    """Workers of ``multiprocessing``, as long as one task each."""
    global _program  # noqa: PLW0603 - a worker has it from its parent
    _program = program
    program.record("parent")
    with multiprocessing.get_context("fork").Pool(program.children, maxtasksperchild=1) as pool:
        found = pool.map_async(_task, range(2 * program.children), chunksize=1)
        program.record("meanwhile")
        program.reel.close()
        found.get(60)


def _task(number: int) -> None:
    assert _program is not None
    _program.begin()
    _program.random = random.Random(_program.seed * 100 + number)  # noqa: S311 - as above
    _program.record(f"task-{number}")


def shares(program: Program) -> None:
    """Children go on with the recording of their parent, as it does itself."""
    recording = program.reel.recording(program.name("shared"))
    program.append(recording, "parent")
    lasting = threading.Thread(target=_goes_on, args=(program, recording))
    lasting.start()

    def child(number: int) -> None:
        for turn in range(EVENTS):
            program.append(recording, f"child {number} turn {turn}")

    pids = program.fork(child)
    lasting.join()
    program.wait(pids)
    recording.close()


def _goes_on(program: Program, recording: Recording) -> None:
    try:
        for turn in range(EVENTS):
            program.append(recording, f"thread {turn}")
    except BaseException:
        program.failed()
        raise


_program: Program | None = None
SCENARIOS: dict[str, Callable[[Program], None]] = {
    one.__name__: one
    for one in (
        closes,
        exits,
        is_killed,
        writes,
        reads,
        groups,
        becomes_daemon,
        pools,
        shares,
    )
}


def main(url: str, folder: str, scenario: str, children: str, seed: str) -> None:
    program = Program(url, Path(folder), int(children), int(seed))
    try:
        SCENARIOS[scenario](program)
    except ChildDone:
        # As of a child that ends like any program.
        sys.exit()
    except BaseException:
        program.failed()
        raise


if __name__ == "__main__":
    main(*sys.argv[1:])
