"""Benchmarks of runreel, the bare drivers and peers: ``python -m tests.benchmarks``.

Nothing here is a test: machines differ, and the same one differs from minute to minute. What is
compared is measured in turn, round by round, and the median round is reported. Peers are measured
if they are installed: ``pip install -e '.[peers]'``.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from tests.benchmarks import (
    browsing,
    concurrency,
    costing,
    files,
    great,
    growth,
    imports,
    live,
    pacing,
    page_file,
    reading,
    rebuild,
    recording,
    reporting,
    searching,
    seeking,
    several,
    startup,
    storage,
    verifying,
)
from tests.benchmarks.bench import QUICK, Bench, Sizes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.benchmarks.page import Section

SUBJECTS: dict[str, Callable[[Bench], Section]] = {
    "recording": recording.run,
    "concurrency": concurrency.run,
    "pacing": pacing.run,
    "live": live.run,
    "storage": storage.run,
    "reading": reading.run,
    "reporting": reporting.run,
    "costing": costing.run,
    "searching": searching.run,
    "browsing": browsing.run,
    "imports": imports.run,
    "files": files.run,
    "rebuild": rebuild.run,
    "verifying": verifying.run,
    "several": several.run,
    "growth": growth.run,
    "great": great.run,
    "seeking": seeking.run,
    "startup": startup.run,
}
_PLACES = ("--kept", "--page")


def main() -> None:
    arguments = _arguments()
    sizes = QUICK if arguments.quick else Sizes()
    given = {
        "runs": arguments.runs,
        "searched": arguments.runs,
        "events": arguments.events,
        "rounds": arguments.rounds,
    }
    sizes = replace(sizes, **{name: count for name, count in given.items() if count})
    start = time.perf_counter()
    command = _command(sys.argv[1:])
    with Bench(sizes, arguments.kept) as bench:
        for name, measured in SUBJECTS.items():
            if arguments.only and name not in arguments.only:
                continue
            bench.say(name)
            begin = time.perf_counter()
            section = measured(bench)
            bench.say(f"  {name} took {time.perf_counter() - begin:,.0f} s")
            sys.stdout.write(f"{section}\n")
            sys.stdout.flush()
            if arguments.write:
                made = f"Made by `{command}`: {bench.sizes.rounds} rounds, {_machine(bench)}."
                page_file.write(arguments.page, [section], made)
        bench.say(f"took {time.perf_counter() - start:,.0f} s")


def _command(words: list[str]) -> str:
    """What was typed, without the places of files on this machine."""
    said = ["python -m tests.benchmarks"]
    for before, word in pairwise(["", *words]):
        if word.split("=")[0] not in _PLACES and before not in _PLACES:
            said.append(word)
    return " ".join(said)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put what is measured into the page")
    parser.add_argument("--page", type=Path, default=page_file.PAGE, help="of other figures")
    parser.add_argument(
        "--quick", action="store_true", help="see that it works; figures say little"
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(SUBJECTS), metavar="NAME", help="of these, in our order"
    )
    parser.add_argument("--runs", type=int, help=f"in long lists and reports ({Sizes.runs:,})")
    parser.add_argument("--events", type=int, help=f"in the great log ({Sizes.events:,})")
    parser.add_argument("--rounds", type=int, help=f"how many rounds ({Sizes.rounds})")
    parser.add_argument(
        "--kept", type=Path, metavar="FOLDER", help="of great logs on SQLite, which are kept there"
    )
    arguments = parser.parse_args()
    if arguments.quick and arguments.write and arguments.page == page_file.PAGE:
        parser.error("figures of --quick say little: name another --page")
    return arguments


def _machine(bench: Bench) -> str:
    with psycopg.connect(bench.server) as connection:
        postgres = connection.info.server_version // 10_000
    return (
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, Postgres {postgres},"
        f" {os.cpu_count()} cores of {platform.machine()}"
    )


if __name__ == "__main__":
    main()
