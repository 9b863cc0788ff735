"""Rounds of programs that record and fork, and what became of what they acknowledged."""

from __future__ import annotations

import json
import os
import random
import select
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import runreel
from tests.faults.fork_program import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SECONDS = 90.0
NAMES = tuple(SCENARIOS)


def rounds(url: str, count: int, *, seed: int = 0) -> Counter[str]:
    """Each scenario in turn, each time with other children; the counts that were seen."""
    seen: Counter[str] = Counter()
    for number in range(seed, seed + count):
        # Adding would drop what was seen zero times.
        seen.update(fork_round(url, NAMES[number % len(NAMES)], number))
    return seen


def fork_round(url: str, scenario: str, seed: int) -> Counter[str]:
    """One program, until the last of its processes has ended; what is wrong is said."""
    children = random.Random(seed).randint(2, 8)  # noqa: S311 - a test that can be repeated
    with TemporaryDirectory(prefix="rr-fork-") as name:
        folder = Path(name)
        hung = _run(url, folder, scenario, children, seed)
        errors = [path.read_text() for path in sorted(folder.glob("error-*"))]
        assert not errors, f"{scenario}: {errors[0]}"
        assert not hung, f"{scenario}: {hung} hang: {(folder / 'output').read_text()}"
        stored: dict[str, dict[int, str]] = defaultdict(dict)
        for path in folder.glob("stored-*"):
            for run_id, seq, text in map(json.loads, path.read_text().splitlines()):
                stored[run_id][seq] = text
    lost = [*_lost(url, stored)]
    assert not lost, f"{scenario}: {len(lost)} lost, of them {lost[0]}"
    return Counter(children=children, acknowledged=sum(map(len, stored.values())), lost=0, hung=0)


def _lost(url: str, stored: dict[str, dict[int, str]]) -> Iterator[tuple[str, int]]:
    with runreel.open(url) as reel:
        for run_id, told in stored.items():
            there = {event.seq: event.text for event in reel.events(run_id)}
            yield from ((run_id, seq) for seq, text in told.items() if there.get(seq) != text)
        findings = list(reel.verify(list(stored)))
        assert not findings, findings[0]


def _run(url: str, folder: Path, scenario: str, children: int, seed: int) -> int:
    """Run the program; how many of its processes had not ended in time."""
    alive, inherited = os.pipe()
    log = Path(url)
    place, where = (log.name, log.parent) if "://" not in url else (url, ROOT)
    argv = [sys.executable, "-m", "tests.faults.fork_program", place, str(folder), scenario]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONFAULTHANDLER": "1"}
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            [*argv, str(children), str(seed)],
            pass_fds=(inherited,),
            cwd=where,
            env=environment,
            stdout=output,
            stderr=output,
        )
    os.close(inherited)
    try:
        # The pipe ends when the last process that has inherited it does.
        ended, _, _ = select.select([alive], [], [], SECONDS)
        left = 0 if ended else _kill(folder)
    finally:
        os.close(alive)
    code = process.wait()
    expected = -signal.SIGKILL if scenario == "is_killed" else 0
    assert left or code == expected, f"{scenario}: {code} {(folder / 'output').read_text()}"
    return left


def _kill(folder: Path) -> int:
    killed = 0
    for path in folder.glob("pid-*"):
        with suppress(ProcessLookupError):
            # Each says where it was.
            os.kill(int(path.name.removeprefix("pid-")), signal.SIGABRT)
            killed += 1
    return killed
