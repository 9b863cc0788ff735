"""Where a log may be: paths of every kind end in words, never in a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.calls import PROGRAM, program

if TYPE_CHECKING:
    from tests.cli.calls import Caller

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
COMMANDS = (
    ("runs",),
    ("show", "latest"),
    ("verify",),
    ("doctor",),
    ("recover", "--list"),
    ("rebuild", "--check"),
    ("db", "current"),
    ("db", "status"),
    ("db", "sql"),
    ("db", "upgrade"),
    ("backup", "copy.db"),
    ("demo", "--fast"),
)


def place_names() -> dict[str, bytes]:
    return {
        "unknown user": b"~nosuchuser/log.db",
        "long name": b"a" * 300,
        "below a file": b"file/log.db",
        "directory": b".",
        "loop": b"loop",
    }


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", place_names())
def test_a_place_where_no_log_can_be_is_refused_in_words(
    name: str, command: tuple[str, ...], call_sqlite: Caller
) -> None:
    Path("file").touch()
    Path("loop").symlink_to("loop")
    called = call_sqlite.bare("--db", os.fsdecode(place_names()[name]), *command)
    if command != ("db", "sql") or name == "unknown user":
        assert called.code == 3, called.err
    assert "Traceback" not in called.err


@LINUX
@pytest.mark.slow
def test_a_log_may_have_a_name_that_is_not_utf_8() -> None:
    name = os.fsdecode(b"bytes-\xff%20.db")
    for command in (*COMMANDS[::-1], ("doctor", "--json")):
        done = program("--db", name, *command)
        assert done.returncode in (0, 1), done.stderr
    assert {name, "copy.db"} <= {found.name for found in Path().iterdir()}
    assert program("--db", "copy.db", "backup", os.fsdecode(b"\xfe.db")).returncode == 0
    assert program("--db", "copy.db", "backup", "b" * 300).returncode == 2


@pytest.mark.skipif(sys.platform == "win32", reason="a directory in use cannot be removed there")
@pytest.mark.parametrize("database", [(), ("--db", "log.db")])
@pytest.mark.parametrize("command", [("runs",), ("doctor",), ("backup", "b"), ("demo", "--fast")])
def test_the_working_directory_may_be_gone(
    command: tuple[str, ...], database: tuple[str, ...], tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    remove = f"import os, sys; os.rmdir({str(gone)!r}); os.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", remove, *PROGRAM, *database, *command],
        cwd=gone,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode in (0, 2, 3), done.stderr
    assert b"Traceback" not in done.stderr
    assert b"bug in runreel" not in done.stderr
