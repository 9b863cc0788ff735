"""What a log costs: bytes on disk, and memory while it is filled."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.importing.batch import Batch
from runreel.recording.recorder import Recorder
from tests import logs, traffic

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CYRILLIC = "абвгдежзийклмнопрстуфхцчшщъыьэюя"
LATIN = "abcdefghijklmnopqrstuvwxyz"
KB = 1024


def _words() -> list[str]:
    """A vocabulary, two thirds of it Cyrillic."""
    chance = random.Random(6)  # noqa: S311 - the same words each time
    alphabets = (CYRILLIC, CYRILLIC, LATIN)
    return [
        "".join(chance.choices(alphabets[n % 3], k=chance.randint(2, 11))) for n in range(5_000)
    ]


WORDS = _words()
# As in a language: the second word is half as frequent as the first, and so on.
FREQUENCIES = [1 / rank for rank in range(1, len(WORDS) + 1)]


def answered(run_id: str, events: int, characters: int, chance: random.Random) -> Iterator[dict]:
    """A run whose answer grows evenly to so many characters, 65% of them Cyrillic."""
    run = traffic.Run(run_id, assistant="fvtr20dvn9joodimiih7", thread=f"thr{run_id[3:]}")
    text = " ".join(chance.choices(WORDS, FREQUENCIES, k=characters))[:characters]
    yield run.pending()
    for n in range(1, events):
        yield run.partial(text[: characters * n // events])
    yield run.done(text)
    yield run.completed(text, usage=(1_200, 640))


def bytes_per_run(folder: Path, ids: list[str], events: int, characters: int) -> float:
    """The size of a file with these runs, indexes included."""
    chance = random.Random(7)  # noqa: S311 - the same text each time
    with runreel.open(folder / "log.db", durability="normal") as reel:
        batch = Batch(reel.db)
        for run_id in ids:
            recorder = Recorder(
                reel.db, run_id, source="yandex-assistants", via="program", batch=batch
            )
            for line in answered(run_id, events, characters, chance):
                recorder.offer(line["type"], line["data"])
            recorder.close()
            if batch.is_full:
                batch.flush()
        batch.flush()
        assert reel.result(ids[-1]).text
        logs.execute(reel, "PRAGMA wal_checkpoint(TRUNCATE)")
    return (folder / "log.db").stat().st_size / len(ids)


def in_order(count: int) -> list[str]:
    return [f"fvt{n:017d}" for n in range(count)]


def at_random(count: int) -> list[str]:
    chance = random.Random(8)  # noqa: S311 - the same ids each time
    return [f"fvt{chance.getrandbits(68):017x}" for _ in range(count)]


def test_an_answer_of_forty_events_and_two_thousand_characters_costs_fourteen_kilobytes(tmp_path):
    assert bytes_per_run(tmp_path, in_order(1_000), 40, 2_000) <= 14 * KB


def test_ids_that_come_in_no_order_leave_pages_emptier(tmp_path):
    assert bytes_per_run(tmp_path, at_random(1_000), 40, 2_000) <= 15 * KB


def test_an_answer_of_sixteen_times_the_events_costs_less_than_sixteen_times_that(tmp_path):
    # The texts for search compress better, which pays for the key-frames.
    assert bytes_per_run(tmp_path, at_random(25), 640, 32_000) <= 15 * 14 * KB


def test_projections_hold_no_copy_of_the_text(tmp_path):
    bytes_per_run(tmp_path, in_order(1), 40, 40_000)
    with runreel.open(tmp_path / "log.db") as reel:
        ((size,),) = logs.execute(reel, "SELECT length(result) FROM runs")
        assert size < 400
        assert len(reel.result(in_order(1)[0]).text) == 40_000


MEASURED = """
import pathlib, resource, sys
import runreel
from runreel.importing.import_files import import_files
reel = runreel.open("log.db", durability="normal")
report = import_files(reel.db, sys.argv[1:])
kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if (status := pathlib.Path("/proc/self/status")).exists():
    # What Linux answers above begins with what the parent held when it forked.
    kilobytes = int(status.read_text().partition("VmHWM:")[2].split()[0])
print(report.events_new, len(report.problems), kilobytes // 1024)
"""


def files(folder: Path, count: int) -> Iterator[str]:
    """What could fill the memory: many runs, one run, events without numbers, many messages."""
    short = (line for n in range(count // 5) for line in traffic.listened_late(f"run-{n}"))
    yield traffic.write(folder / "runs.jsonl", short)
    run = traffic.Run("long")
    events = (run.partial(f"text {n}") for n in range(count - 1))
    yield traffic.write(folder / "long.jsonl", [run.pending(), *events])
    plain = (
        {"type": "PARTIAL_MESSAGE", "run_id": f"plain-{n // 1_000}", "text": f"text {n}"}
        for n in range(count)
    )
    yield traffic.write(folder / "plain.jsonl", plain)
    asked = (
        line
        for n in range(count // 10)
        for line in (
            *(traffic.question("x" * 10_000, id_=f"m-{n}-{k}", thread=f"t-{n}") for k in range(5)),
            *traffic.listened_late(f"asked-{n}", thread=f"t-{n}"),
        )
    )
    yield traffic.write(folder / "asked.jsonl", asked)


def imported(folder: Path, paths: list[str]) -> list[int]:
    """New events, problems, and the most memory that an import of these files took, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *paths],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(number) for number in done.stdout.split()]


@pytest.mark.slow
def test_an_import_holds_little_in_memory_however_much_it_reads(tmp_path):
    events, problems, megabytes = imported(tmp_path, list(files(tmp_path, 12_000)))

    assert (events, problems) == (48_000, 0)
    assert megabytes < 110, "the program itself takes fifty, the messages are sixty"


def test_long_lines_are_not_held_by_the_thousand(tmp_path):
    text = json.dumps({"type": "DONE", "run_id": "run", "text": "x" * 2_000_000})
    lines = (text.replace("x", "y", n) for n in range(60))
    events, problems, megabytes = imported(
        tmp_path, [traffic.write(tmp_path / "long.jsonl", lines)]
    )
    assert (events, problems) == (60, 0)
    assert megabytes < 150
