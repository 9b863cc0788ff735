"""The disk is full: a clean error, everything that was told is kept, and recording goes on."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.faults import disk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZES = range(25)


@pytest.fixture
def child() -> Iterator[ProcessPoolExecutor]:
    """A process of its own, whose files alone are limited."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.fixture
def folders(tmp_path: Path) -> list[str]:
    made = [tmp_path / str(number) for number in SIZES]
    for folder in made:
        folder.mkdir()
    return list(map(str, made))


def test_a_recording_keeps_what_was_told_and_goes_on(
    child: ProcessPoolExecutor, folders: list[str]
) -> None:
    seen = Counter(child.map(disk.fill, folders, SIZES))
    assert {what.partition(":")[0] for what in seen} == {"making it", "recording"}
    assert seen.total() == len(SIZES)


def test_a_command_ends_cleanly_and_succeeds_once_there_is_room(
    child: ProcessPoolExecutor, folders: list[str]
) -> None:
    each = range(len(disk.COMMANDS))
    sizes = [*(0 for _ in each), *SIZES[len(each) :]]
    seen = Counter(
        child.map(disk.command, folders, sizes, [number % len(each) for number in SIZES])
    )
    assert {what[-1] for what in seen} >= {"0", "3"}
    assert seen.total() == len(SIZES)


def test_tables_are_whole_or_not_there(child: ProcessPoolExecutor, tmp_path: Path) -> None:
    child.submit(disk.tables, str(tmp_path)).result()
