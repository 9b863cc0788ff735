"""Programs that record, redact and prune until the power goes, and what is there when it is back.

Their diary is kept once and cut in many places. What a cut leaves is opened as anybody would:
through Python's driver, with the SQLite that is linked to it.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import runreel
from runreel import RunResult, RunStatus, RunStreamEvent, StreamEvent, Usage
from runreel.model.errors import RunNotFound, RunreelError
from runreel.model.events import CLOSED, PRUNED
from runreel.recording.recorder import Recorder
from runreel.store.drivers.sqlite import connecting
from tests.cli.stories import partial
from tests.faults.power_disk import Disk, Entry, after_cut
from tests.faults.power_driver import driven_by

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runreel.api.reel import Reel
    from runreel.model.events import StoredEvent

CARD = "4111-1111-1111-1111"
# So few that a program of a few commits meets checkpoints in the middle of them.
WAL_CHECKPOINT_PAGES = 24
CUTS_PER_DIARY = 25


class Told(NamedTuple):
    """What a program was told is stored, or gone: ``what`` it holds the log to."""

    what: str
    run_id: str
    seq: int = -1
    raw: Any = None

    def holds(self, reel: Reel) -> bool:
        """Whether the log is as it was told."""
        try:
            found = {event.seq: event for event in reel.events(self.run_id)}
        except RunNotFound as answer:
            return self.what == PRUNED and "was pruned" in str(answer)
        if self.what == "stored":
            return self.seq in found and found[self.seq].raw == self.raw
        if self.what == "erased":
            return not any(CARD in str(event.raw) for event in found.values())
        return self.what == CLOSED and found[max(found)].type == CLOSED


class Program:
    """What somebody does with a log, one thing after the other."""

    def __init__(self, reel: Reel, disk: Disk, chance: random.Random, name: str) -> None:
        self._reel, self._disk, self._chance = reel, disk, chance
        self._name = name
        self._runs = 0

    def work(self, turns: int) -> None:
        """So many things, most of them recordings."""
        doings = (self.listen, self.listen, self.report, self.gather, self.redact, self.prune)
        for _ in range(turns):
            self._chance.choice(doings)()

    def listen(self) -> None:
        """One row, one commit; some longer than a page."""
        run_id = self._run("listened")
        with self._reel.recording(run_id, labels={"team": "search"}) as recording:
            for n in range(self._chance.randrange(1, 9)):
                words = "word " * self._chance.choice((n, n, 900 * n))
                self._stored(run_id, recording.append(partial(words)))
        self._disk.tell(Told(CLOSED, run_id))

    def report(self) -> None:
        """Rows together with what lists show."""
        run_id = self._run("reported")
        with self._reel.recording(run_id) as recording:
            for n in range(self._chance.randrange(1, 5)):
                result = RunResult(RunStatus.IN_PROGRESS, usage=Usage(n, 2 * n, n))
                self._stored(run_id, recording.result(result))
        self._disk.tell(Told(CLOSED, run_id))

    def gather(self) -> None:
        """Several runs that share their commits."""
        asyncio.run(self._gather())

    async def _gather(self) -> None:
        async def one(run_id: str) -> None:
            recorder = Recorder(self._reel.db, run_id, source="plain", via="program")
            for n in range(3):
                event = {"type": "PARTIAL_MESSAGE", "text": "a" * n}
                self._stored(run_id, await recorder.aappend("stream_event", event))
            await recorder.aclose()
            self._disk.tell(Told(CLOSED, run_id))

        await asyncio.gather(*(one(self._run("gathered")) for _ in range(4)))

    def redact(self) -> None:
        """Something that must not stay; sometimes the file is written anew."""
        run_id = self._run("redacted")
        with self._reel.recording(run_id) as recording:
            for n in (8, 12, 19):
                recording.append(partial(f"My card is {CARD[:n]}"))
        list(self._reel.redact([run_id], CARD, reason="a card", actor="me"))
        self._disk.tell(Told("erased", run_id))
        if self._chance.random() < 0.5:
            self._reel.release(purge=True)

    def prune(self) -> None:
        """Whatever failed goes."""
        run_id = self._run("pruned")
        with self._reel.recording(run_id) as recording:
            recording.append(RunStreamEvent(StreamEvent.ERROR, error="no more quota"))
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        list(self._reel.prune(tomorrow, statuses=["FAILED"]))
        self._disk.tell(Told(PRUNED, run_id))

    def _run(self, what: str) -> str:
        self._runs += 1
        return f"{what}-{self._name}-{self._runs}"

    def _stored(self, run_id: str, event: StoredEvent | None) -> None:
        assert event is not None
        self._disk.tell(Told("stored", run_id, event.seq, event.raw))


def diary(path: Path, durability: str, chance: random.Random, *, lies: bool = False) -> list[Entry]:
    """What two programs, one after the other, do to the disk with a log that is not there yet."""
    disk = Disk(lies=lies)
    often = mock.patch.object(connecting, "WAL_CHECKPOINT_PAGES", WAL_CHECKPOINT_PAGES)
    with driven_by(disk.name), often:
        for name in ("first", "second"):
            with runreel.open(path, durability=durability) as reel:
                Program(reel, disk, chance, name).work(chance.randrange(2, 7))
    return disk.diary


def cut_power(
    folder: Path,
    cuts: int,
    *,
    durability: str = "full",
    seed: int = 0,
    lies: bool = False,
    on_loss: Callable[[str], None] = lambda _: None,
) -> Counter[str]:
    """Cut the power at so many moments; how often came what. ``on_loss`` hears of each."""
    seen: Counter[str] = Counter()
    chance = random.Random(seed)  # noqa: S311 - repeatable
    while seen["cuts"] < cuts:
        place = folder / "at work"
        place.mkdir()
        written = diary(place / "log.db", durability, chance, lies=lies)
        shutil.rmtree(place)
        for _ in range(min(CUTS_PER_DIARY, cuts - seen["cuts"])):
            until = chance.randrange(len(written) + 1)
            seen += _cut(folder / "back", written[:until], chance, on_loss)
    return seen


def _cut(
    folder: Path, written: list[Entry], chance: random.Random, on_loss: Callable[[str], None]
) -> Counter[str]:
    folder.mkdir()
    for name, data in after_cut(written, chance).items():
        (folder / name).write_bytes(data)
    told = [entry.told for entry in written if entry.did == "told"]
    seen = Counter({"cuts": 1, "told": len(told)})
    try:
        with runreel.open(folder / "log.db") as reel:
            lost = [one for one in told if not one.holds(reel)]
            wrong = list(reel.verify())
            _resume(reel, told)
            wrong += list(reel.verify())
    except RunreelError as error:
        on_loss(repr(error))
        return seen + Counter({"cuts that left no log": 1})
    finally:
        shutil.rmtree(folder)
    for one in (*lost, *wrong):
        on_loss(repr(one))
    seen["lost"] += len(lost)
    seen["cuts that lost"] += bool(lost)
    seen["cuts that damaged"] += bool(wrong)
    return seen


def _resume(reel: Reel, told: list[Told]) -> None:
    """Go on with what was recorded last."""
    recorded = [one.run_id for one in told if one.what == "stored"] or ["new"]
    with reel.recording(recorded[-1]) as recording:
        again = recording.append(partial("Where was I?"))
    *_, event, end = reel.events(recorded[-1])
    assert again is not None
    assert (event.seq, event.text, end.type) == (again.seq, "Where was I?", CLOSED)
