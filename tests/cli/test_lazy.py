from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel import RunStreamEvent, StreamEvent
from tests.prices.lines import data, line

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = (
    "sqlalchemy",
    "alembic",
    "msgspec",
    "rich",
    "platformdirs",
    "importlib.metadata",
    "queue",
    "zoneinfo",
)
# What only migrations, Postgres, programs that await, and work on several cores need.
FOREIGN = ("sqlalchemy", "alembic", "psycopg", "asyncio", "multiprocessing", "rich.table")

_CODE = """
import sys
from runreel.cli.main import main
code = main(sys.argv[1:])
sys.stdout.flush()
print(code, *sorted(name for name in sys.modules if name in %r), file=sys.stderr)
"""


def loaded(*arguments: str, of: tuple[str, ...] = HEAVY, **env: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _CODE % (of,), *arguments],
        capture_output=True,
        env={**os.environ, **env},
        check=True,
        timeout=60,
    )
    assert done.stdout
    return done.stderr.decode().strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("runs", "--help"),
        ("events", "-h"),
        ("db", "--help"),
        ("completion", "bash"),
        ("completion", "zsh"),
        ("completion", "fish"),
    ],
    ids=" ".join,
)
def test_what_asks_no_log_loads_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments) == "0"


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("runreel ", "1"),
        ("runreel r", "1"),
        ("runreel events --", "2"),
        ("runreel runs --status ", "3"),
    ],
)
def test_completing_words_loads_nothing_heavy(words: str, place: str) -> None:
    told = loaded(_RUNREEL_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=place)
    assert told == "0"


@pytest.mark.parametrize(
    "words",
    ["show ", "show r", "runs --model ", "runs --label ", "runs --label k=", "usage --by label:"],
)
def test_completing_values_from_a_file_loads_no_more_than_it_takes(
    words: str, tmp_path: Path
) -> None:
    log = str(tmp_path / "log.db")
    with runreel.open(log) as reel, reel.recording("run", model="m", labels={"k": "v"}) as run:
        run.append(RunStreamEvent(StreamEvent.DONE))
    words = f"runreel --db {log} {words}"
    place = str(words.count(" "))
    env = {"_RUNREEL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": place}
    assert loaded(of=FOREIGN, **env) == "0"


def test_completing_time_zones_loads_nothing_heavy() -> None:
    words = "runreel usage --tz Europe/"
    env = {"_RUNREEL_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "3"}
    assert loaded(**env) == "0"


def test_the_schemas_load_no_database() -> None:
    assert "sqlalchemy" not in loaded("schema")


@pytest.mark.parametrize(
    "arguments",
    [("runs", "--json"), ("show", "run"), ("events", "run"), ("usage", "-o", "csv")],
    ids=" ".join,
)
def test_asking_a_file_loads_no_more_than_it_takes(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    log = str(tmp_path / "log.db")
    with runreel.open(log) as reel, reel.recording("run") as recording:
        recording.append(RunStreamEvent(StreamEvent.DONE))
    assert loaded("--db", log, *arguments, of=FOREIGN) == "0"


@pytest.mark.parametrize(
    ("model", "found"), [("tin-1", "0"), (None, "0"), ("gpt-4o", "0 genai_prices")]
)
def test_the_prices_of_a_package_are_read_for_what_the_own_book_lacks(
    model: str | None, found: str, tmp_path: Path
) -> None:
    log, book = str(tmp_path / "log.db"), tmp_path / "own.jsonl"
    book.write_bytes(data(line()))
    with runreel.open(log) as reel, reel.recording("run", model=model) as recording:
        # A run without usage has no cost.
        usage = None if model is None else runreel.Usage(1_000, 0, 1_000)
        recording.result(runreel.RunResult(runreel.RunStatus.COMPLETED, usage=usage))
    for command in (("runs", "--json"), ("runs", "-o", "csv"), ("show", "run", "--json")):
        told = loaded("--db", log, *command, of=("genai_prices",), RUNREEL_PRICES=str(book))
        assert told == found, command
    assert loaded("--db", log, "usage", of=("genai_prices",), RUNREEL_PRICES=str(book)) == "0"


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "arguments",
    [
        ("runs",),
        ("show", "run"),
        ("events", "run"),
        ("usage",),
        ("db", "status"),
        ("db", "current"),
    ],
    ids=" ".join,
)
def test_commands_on_postgres_need_the_driver_only(arguments: tuple[str, ...], db_url: str) -> None:
    with runreel.open(db_url) as reel, reel.recording("run") as recording:
        recording.append(RunStreamEvent(StreamEvent.PARTIAL_MESSAGE))
    found = loaded("--db", db_url, *arguments, of=("sqlalchemy", "alembic", "psycopg"))
    assert found == "0 psycopg"
