"""The disk is full, at every size, for a recording and for every command that writes."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.faults import disk

ROUNDS = {"sqlite": 25}


def run(url: str, rounds: int) -> dict[str, int]:
    """How each ended first; all of them went on once there was room, on a log that was intact."""
    place = Path(url).parent
    places = [(number, which) for number in range(rounds) for which in range(len(disk.COMMANDS))]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as child:
        ends = [*child.map(disk.fill, _folders(place, "fill", rounds), range(rounds))]
        folders = _folders(place, "command", len(places))
        ends += child.map(disk.command, folders, *zip(*places, strict=True))
    return dict(sorted(Counter(ends).items()))


def _folders(place: Path, name: str, count: int) -> list[str]:
    made = [place / f"{name}-{number}" for number in range(count)]
    for folder in made:
        folder.mkdir()
    return list(map(str, made))
