"""Alembic's own command line on our migrations: errors are one line and change nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runreel.store.database import Database
from runreel.store.schema.migrations import HEAD

INI = Path(__file__).parents[2] / "alembic.ini"


def alembic(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(INI), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "RUNREEL_DB": url},
        check=False,
        timeout=60,
    )


def test_a_downgrade_is_refused_without_a_traceback(db_url: str) -> None:
    done = alembic(db_url, "downgrade", "-1")
    assert done.returncode != 0
    assert "runreel has no downgrades" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    database = Database(db_url)
    assert database.current() == HEAD
    database.close()


@pytest.mark.parametrize("arguments", [("upgrade", "head"), ("upgrade", "head", "--sql")])
@pytest.mark.parametrize("url", ["postgresql:log", "~nosuchuser/log.db", "mysql://h/log"])
def test_a_bad_url_is_refused_without_a_traceback(url: str, arguments: tuple[str, ...]) -> None:
    done = alembic(url, *arguments)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr


def test_a_server_that_is_not_there_is_no_traceback() -> None:
    done = alembic("postgresql://me:hunter2@localhost:1/log", "current")
    assert done.returncode != 0
    assert "cannot use" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "hunter2" not in done.stdout + done.stderr
