"""A command line to call, on logs with something to see in them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

import runreel
from tests.cli import stories
from tests.cli.calls import Caller, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.api.reel import Reel


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the user's: no configuration, no data directory, no colours, no project."""
    for name, value in clean_environment(tmp_path).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)


@pytest.fixture
def call(db_url: str, capfd: pytest.CaptureFixture[str]) -> Caller:
    """``call("runs", "--json")`` on an empty log."""
    return Caller(db_url, capfd)


@pytest.fixture
def told(call: Caller) -> Caller:
    """``call`` on a log with a run of every kind."""
    with runreel.open(call.url) as reel:
        stories.tell_all(reel)
    return call


@pytest.fixture
def call_sqlite(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Caller:
    """``call`` where the database does not matter: on a SQLite file that is not there yet."""
    return Caller(str(tmp_path / "log.db"), capfd)


@pytest.fixture(scope="session")
def every_kind(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with a run of every kind, to be copied."""
    file = tmp_path_factory.mktemp("every-kind") / "log.db"
    with runreel.open(file) as reel:
        stories.tell_all(reel)
    assert [found.name for found in file.parent.iterdir()] == [file.name]
    return file


@pytest.fixture
def told_sqlite(call_sqlite: Caller, every_kind: Path) -> Caller:
    """``call_sqlite`` with a run of every kind."""
    shutil.copyfile(every_kind, call_sqlite.url)
    return call_sqlite


@pytest.fixture
def small_reel(call_sqlite: Caller) -> Iterator[Reel]:
    """The log of ``call_sqlite``."""
    with runreel.open(call_sqlite.url) as reel:
        yield reel
