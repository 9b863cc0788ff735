"""What whole passes over a log cost as it grows: the memory of their processes."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from tests.benchmarks import filling, raw, workload
from tests.benchmarks.bench import DATABASES, SQLITE, command
from tests.benchmarks.page import Goal, Row, Section, megabytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench

_SHORT = 200
_MEMORY = Goal(at_most=1.2)
# A small process starts the command: a child's peak is never less than its parent's was.
_PEAK = """
import os, sys
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ,
    file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
_, status, used = os.wait4(pid, 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def run(bench: Bench) -> Section:
    """Small logs compared with large ones."""
    section = Section("Growth")
    sizes = bench.sizes
    bench.say(f"  whole passes over {sizes.passed:,} events")
    # Memory use does not depend on concurrent work.
    with ThreadPoolExecutor(2) as pool:
        work: list[Callable[[], list[Row]]] = [
            *(partial(_passes, bench, database) for database in DATABASES),
            partial(_import, bench),
            partial(_events, bench),
        ]
        for rows in pool.map(lambda step: step(), work):
            section.rows += rows
    section.note(
        f"**Memory**: the peak of the command's process, in logs of {sizes.passed:,} and"
        f" {sizes.passed // 10:,} events. The rebuild starts without projections; the imported"
        " runs have short texts."
    )
    return section


def _passes(bench: Bench, database: str) -> list[Row]:
    peaks: dict[str, list[int]] = {"rebuild": [], "verify": []}
    for events in (bench.sizes.passed // 10, bench.sizes.passed):
        with bench.log(database, "normal") as reel:
            filling.streams(reel, events, projected=False)
            for name, found in peaks.items():
                found.append(_peak(reel, name))
    return [
        _row(f"memory of `{name}`, {database}", large, small, bench)
        for name, (small, large) in peaks.items()
    ]


def _import(bench: Bench) -> list[Row]:
    peaks = []
    path = bench.folder / "short.jsonl"
    for events in (bench.sizes.passed // 10, bench.sizes.passed):
        workload.write(path, (workload.run_data(n, _SHORT) for n in range(events // 43)))
        with bench.log(SQLITE, "normal") as reel:
            peaks.append(_peak(reel, "import", str(path)))
    path.unlink()
    return [_row(f"memory of `import`, {SQLITE}", peaks[1], peaks[0], bench)]


def _events(bench: Bench) -> list[Row]:
    peaks = []
    sizes = (bench.sizes.passed // 100, bench.sizes.passed // 10)
    for events in sizes:
        with bench.log(SQLITE, "normal") as reel:
            run_id = filling.long_run(reel, events)
            peaks.append(_peak(reel, "events", run_id, "--json"))
    small, large = peaks
    work = f"memory of `events RUN --json`, {sizes[1]:,} events, {SQLITE}"
    baseline, ratio = f"a run of {sizes[0]:,}", large / small
    return [Row(work, megabytes(large), baseline, megabytes(small), ratio, _MEMORY)]


def _row(work: str, large: int, small: int, bench: Bench) -> Row:
    baseline = f"a log of {bench.sizes.passed // 10:,}"
    return Row(work, megabytes(large), baseline, megabytes(small), large / small, _MEMORY)


def _peak(reel: Reel, *words: str) -> int:
    """The most memory that a command held at once, in bytes."""
    begin = ("-I", "-S", "-c", _PEAK, sys.executable, "-m", "runreel")
    # Kilobytes on Linux, bytes on macOS.
    peak = int(command(*begin, *words, url=raw.url_of(reel)))
    return peak * (1 if sys.platform == "darwin" else 1_024)
