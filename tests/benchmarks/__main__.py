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
    reading,
    rebuild,
    recording,
    reporting,
    searching,
    seeking,
    startup,
    storage,
    verifying,
)
from tests.benchmarks.bench import QUICK, Bench, Sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.benchmarks.page import Section

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
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
    "growth": growth.run,
    "great": great.run,
    "seeking": seeking.run,
    "startup": startup.run,
}


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
    sections = []
    with Bench(sizes, arguments.kept) as bench:
        for name in arguments.only or SUBJECTS:
            bench.say(name)
            sections.append(SUBJECTS[name](bench))
            sys.stdout.write(f"{sections[-1]}\n")
            sys.stdout.flush()
        bench.say(f"took {time.perf_counter() - start:,.0f} s")
        if arguments.write:
            PAGE.write_text(_page(sections, bench), encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "--write", action="store_true", help=f"put what is measured into docs/{PAGE.name}"
    )
    parser.add_argument(
        "--quick", action="store_true", help="see that it works; figures say little"
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(SUBJECTS), metavar="NAME", help="of these"
    )
    parser.add_argument("--runs", type=int, help=f"in long lists and reports ({Sizes.runs:,})")
    parser.add_argument("--events", type=int, help=f"in the great log ({Sizes.events:,})")
    parser.add_argument("--rounds", type=int, help=f"how many rounds ({Sizes.rounds})")
    parser.add_argument(
        "--kept", type=Path, metavar="FOLDER", help="of great logs on SQLite, which are kept there"
    )
    return parser.parse_args()


def _page(sections: Sequence[Section], bench: Bench) -> str:
    """The page with these sections in it; those that were not measured now stay as they are."""
    command = " ".join(["python -m tests.benchmarks", *sys.argv[1:]])
    made = f"Made by `{command}`: {bench.sizes.rounds} rounds, {_machine(bench)}."
    parts = _parts(PAGE.read_text(encoding="utf-8")) if PAGE.exists() else {}
    for section in sections:
        head, _, rest = str(section).strip().partition("\n")
        parts[head] = f"{made}\n\n{rest.strip()}"
    return _HEAD + "".join(f"\n{head}\n\n{text}\n" for head, text in parts.items())


def _parts(page: str) -> dict[str, str]:
    """The texts of the sections of a page by their headings."""
    parts = page.split("\n## ")[1:]
    split = (part.partition("\n") for part in parts)
    return {f"## {title}": text.strip() for title, _, text in split}


_HEAD = """# Benchmarks

Each figure is the median over several rounds; in each round the compared programs ran in turn.
Compare figures only within a section, not with those of another machine or another day.

A ratio is how many times as fast (or as small) runreel is compared with the baseline, unless stated
otherwise: 1 is equal, higher is better. With `full`, committed events survive a power loss; with
`normal`, the last moments may be lost. Peers are other libraries, used in the closest way that
their API allows, as described below each table; install them with `pip install -e '.[peers]'`.
"""


def _machine(bench: Bench) -> str:
    with psycopg.connect(bench.server) as connection:
        postgres = connection.info.server_version // 10_000
    return (
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, Postgres {postgres},"
        f" {os.cpu_count()} cores of {platform.machine()}"
    )


if __name__ == "__main__":
    main()
