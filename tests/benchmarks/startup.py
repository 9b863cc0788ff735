"""How long a command takes before it does anything."""

from __future__ import annotations

from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING

from tests.benchmarks import filling, measure, raw
from tests.benchmarks.bench import SQLITE, command
from tests.benchmarks.measure import Sample, whole
from tests.benchmarks.page import Goal, Row, Section, duration, quicker

if TYPE_CHECKING:
    from tests.benchmarks.bench import Bench

_IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
_HELP = "`runreel --help`"
_PEERS = {"sqlite-utils": "sqlite_utils", "llm": "llm", "mlflow-skinny": "mlflow"}
_CLICK = Goal(at_most=1.5)


def run(bench: Bench) -> Section:
    """Imports, and commands as a whole."""
    section = Section("Start-up")
    section.rows.append(_imports(bench))
    section.rows += _commands(bench)
    section.note(
        "**Import** is the time of that statement in a new interpreter; the ratio is ours over"
        " that of click."
    )
    section.note(
        "**Commands** are whole processes, interpreter included; the ratio is theirs over ours."
    )
    return section


def _imports(bench: Bench) -> Row:
    works = {name: partial(_import, name) for name in ("runreel", "click")}
    found = measure.interleaved(bench.sizes.rounds * 3, works)
    ours, theirs = (measure.seconds(found[name]) for name in ("runreel", "click"))
    return Row(
        "`import runreel`",
        duration(ours),
        "`import click`",
        duration(theirs),
        1 / measure.ratio(found["runreel"], found["click"]),
        _CLICK,
    )


def _import(name: str) -> Sample:
    return Sample(float(command("-c", _IMPORT.format(name), url="")), 1)


def _commands(bench: Bench) -> list[Row]:
    commands = {
        _HELP: ["-m", "runreel", "--help"],
        "`python -c pass`": ["-c", "pass"],
        "`import click` alone": ["-c", "import click"],
    }
    absent = []
    for package, module in _PEERS.items():
        try:
            title = f"`{module.replace('_', '-')} --help` {metadata.version(package)}"
            commands[title] = ["-m", module, "--help"]
        except metadata.PackageNotFoundError:
            absent.append(Row(_HELP, "", package, "not installed"))
    with bench.log(SQLITE) as reel:
        filling.lists(reel, 100)
        listed = "`runreel runs`, SQLite"
        commands[listed] = ["-m", "runreel", "runs"]
        url = raw.url_of(reel)
        works = {
            title: partial(whole, partial(command, *words, url=url))
            for title, words in commands.items()
        }
        for work in works.values():
            # Warm up: compile and cache.
            work()
        found = measure.interleaved(bench.sizes.rounds, works)
    ours = found.pop(_HELP)
    rows = [
        quicker(_HELP, ours, title, theirs) for title, theirs in found.items() if title != listed
    ]
    bare = found["`python -c pass`"]
    return [*rows, *absent, quicker(listed, found[listed], "`python -c pass`", bare)]
