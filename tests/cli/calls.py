"""Calling the command line: in this process, as a program, and on a terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runreel.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

PROGRAM = (sys.executable, "-m", "runreel")
CLEAR = (
    "RUNREEL_DB",
    "RUNREEL_PRICES",
    "NO_COLOR",
    "FORCE_COLOR",
    "COLUMNS",
    "LINES",
    "_RUNREEL_COMPLETE",
)

_SESSION = """
import json, os, sys
from runreel.cli.main import main
outer = dict(os.environ)
with open(sys.argv[1], encoding="ascii") as told:
    calls = json.load(told)
for arguments, env in calls:
    os.environ.clear()
    os.environ.update(outer | env)
    code = main(arguments)
    sys.stdout.write("\\n<<%d>>\\n" % code)
    sys.stdout.flush()
"""


@dataclass(frozen=True)
class Called:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Caller:
    """Calls the command line on one log."""

    def __init__(self, url: str, capture: pytest.CaptureFixture[str]) -> None:
        self.url = url
        self._capture = capture

    def __call__(self, *arguments: str) -> Called:
        return self.bare("--db", self.url, *arguments)

    def bare(self, *arguments: str) -> Called:
        """Without ``--db``."""
        self._capture.readouterr()
        code = main(arguments)
        return Called(code, *self._capture.readouterr())

    def good(self, *arguments: str) -> Called:
        """A call that has to succeed."""
        called = self(*arguments)
        assert called.code == 0, called.err
        return called


def program(
    *arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run the program."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        input=stdin,
        capture_output=True,
        env={**os.environ, **(env or {})},
        check=False,
        timeout=60,
    )


def on_terminal(
    *calls: tuple[str, ...],
    columns: int = 100,
    env: dict[str, str] | None = None,
    each: Sequence[dict[str, str]] | None = None,
    exact: bool = False,
) -> list[tuple[int, str]]:
    """Exit code and what a terminal gets, of each call in turn, stdout and stderr together.

    ``env`` is for the program, ``each`` for one call after the other. With ``exact`` the terminal
    adds no carriage returns of its own.
    """
    import fcntl
    import pty
    import struct
    import tempfile
    import termios

    told = list(zip(calls, each or [{}] * len(calls), strict=True))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    if exact:
        modes = termios.tcgetattr(theirs)
        modes[1] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
    plan = tempfile.NamedTemporaryFile("w", encoding="ascii")  # noqa: SIM115 - for the child
    json.dump(told, plan)
    plan.flush()
    # The terminal has a size of its own; pytest-xdist sets COLUMNS.
    inherited = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    child = subprocess.Popen(
        [sys.executable, "-c", _SESSION, plan.name],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**inherited, "TERM": "xterm-256color", **(env or {})},
    )
    os.close(theirs)
    got = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        got += piece
    os.close(ours)
    plan.close()
    assert child.wait(timeout=60) == 0, got.decode(errors="replace")
    text = got.decode() if exact else got.decode().replace("\r\n", "\n")
    seen = []
    for _ in calls:
        shown, _, rest = text.partition("\n<<")
        code, _, text = rest.partition(">>\n")
        seen.append((int(code), shown))
    return seen


def clean_environment(home: Path) -> dict[str, str | None]:
    """Variables to set (or, where None, to unset) so that nothing of the user's is seen."""
    return {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_DATA_HOME": str(home / "data"),
        "TZ": "UTC",
        "TERM": "xterm-256color",
        **dict.fromkeys(CLEAR),
    }
