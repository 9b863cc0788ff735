"""``replay -i`` on real terminals: what it draws, and how it leaves them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

import pytest

import runreel
from tests.cli.calls import PROGRAM
from tests.cli.test_interactive import tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cli.calls import Caller

# Only stops what hangs.
PATIENCE = 60.0
LEFT_SCREEN, SHOWN_CURSOR = b"\x1b[?1049l", b"\x1b[?25h"
# Colours of text or ground, other than the terminal's own.
COLOR = re.compile(rb"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7])[;m]")
MOUSE = re.compile(rb"\x1b\[\?100[0-3]h")
_START = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
_START += "os.execv(sys.argv[1], sys.argv[1:])"


class OnTerminal:
    """The program with a terminal of its own, which is ``theirs`` for the program."""

    def __init__(self, *arguments: str, **env: str) -> None:
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.modes = termios.tcgetattr(self.theirs)
        self.program = subprocess.Popen(
            [sys.executable, "-c", _START, *PROGRAM, *arguments],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm-256color", **env},
        )
        # All that it wrote, and the part after what was waited for.
        self.seen = self.output = b""

    def _read(self) -> None:
        piece = os.read(self.ours, 65536)
        self.output += piece
        self.seen += piece

    def read_until(self, true: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, self.output
            if select.select([self.ours], [], [], 0.05)[0]:
                self._read()

    def shows(self, text: str) -> None:
        """Wait until it has drawn a text after all that was waited for."""
        self.read_until(lambda: text.encode() in self.output)
        self.output = self.output.partition(text.encode())[2]

    def press(self, keys: str) -> None:
        os.write(self.ours, keys.encode())

    def end(self) -> int:
        """Its exit code, once all its output was read."""
        self.read_until(lambda: self.program.poll() is not None)
        while select.select([self.ours], [], [], 0)[0]:
            self._read()
        return self.program.returncode

    def is_sane(self) -> bool:
        drawn, _, after = self.output.rpartition(LEFT_SCREEN)
        return (
            bool(drawn) and SHOWN_CURSOR in after and termios.tcgetattr(self.theirs) == self.modes
        )

    def close(self) -> None:
        for end in (self.ours, self.theirs):
            if end >= 0:
                os.close(end)
        self.ours = self.theirs = -1


@pytest.fixture
def started(call_sqlite: Caller) -> Iterator[Callable[..., OnTerminal]]:
    """Starts the program, paused, on a run of two pages."""
    with runreel.open(call_sqlite.url) as reel:
        tell(reel, rows=300)
    made: list[OnTerminal] = []

    def start(**env: str) -> OnTerminal:
        options = ("--db", call_sqlite.url, "replay", "r", "-i", "--paused")
        made.append(OnTerminal(*options, **env))
        made[-1].shows("row 0/")
        return made[-1]

    yield start
    for one in made:
        one.program.kill()
        one.program.wait()
        one.close()


def test_ctrl_c_leaves_a_sane_terminal(started: Callable[..., OnTerminal]) -> None:
    terminal = started()
    terminal.press("G")
    terminal.shows("end")
    terminal.press("\x03")
    assert terminal.end() == 130
    assert terminal.is_sane()
    assert COLOR.search(terminal.seen)
    assert b"Interrupted." in terminal.output


def test_sigterm_too_and_without_colors(started: Callable[..., OnTerminal]) -> None:
    terminal = started(NO_COLOR="1")
    terminal.press("/")
    terminal.shows("text to search")
    terminal.press("\x1b")
    terminal.shows("paused")
    terminal.press("G")
    terminal.shows("end")
    terminal.program.send_signal(signal.SIGTERM)
    assert terminal.end() == 128 + signal.SIGTERM
    assert terminal.is_sane()
    assert b"Stopped by SIGTERM." in terminal.output
    assert not COLOR.search(terminal.seen)
    assert not MOUSE.search(terminal.seen)


def test_an_error_is_told_after_the_screen_was_left(
    started: Callable[..., OnTerminal], call_sqlite: Caller
) -> None:
    terminal = started()
    with runreel.open(call_sqlite.url) as reel:
        assert list(reel.prune("now"))
    terminal.press("G")
    assert terminal.end() == 2
    assert terminal.is_sane()
    _, _, after = terminal.output.rpartition(LEFT_SCREEN)
    assert b"pruned" in after
    assert b"Traceback" not in after


def test_it_ends_with_its_terminal(started: Callable[..., OnTerminal]) -> None:
    terminal = started()
    terminal.close()
    assert terminal.program.wait(PATIENCE) == 128 + signal.SIGHUP


@pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux")
def test_in_tmux_it_steps_and_leaves_everything_as_it_was(
    call_sqlite: Caller, tmp_path: Path
) -> None:
    with runreel.open(call_sqlite.url) as reel:
        tell(reel, rows=12)
    program = " ".join([*PROGRAM, "--db", call_sqlite.url, "replay", "r", "-i", "--paused"])
    script = tmp_path / "script"
    lines = ("set -m", "stty -a >before", program, "stty -a >stopped", "echo stopped", "read -r x")
    lines += ("fg; code=$?", "stty -a >after", "echo code=$code", "read -r x")
    script.write_text("\n".join(lines))

    def tmux(*words: str) -> str:
        command = ["tmux", "-S", str(tmp_path / "socket"), "-f", os.devnull, *words]
        return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout

    def shown(text: str) -> str:
        end = time.monotonic() + PATIENCE
        while text not in (screen := tmux("capture-pane", "-p")):
            assert time.monotonic() < end, screen
        return screen

    tmux("-u", "new-session", "-d", "-x", "80", "-y", "24", "-c", str(tmp_path), f"sh {script}")
    try:
        first = shown("row 0/")
        assert tmux("display", "-p", "#{alternate_on}") == "1\n"
        tmux("send-keys", ".")
        second = shown("row 1/")
        tmux("send-keys", ".")
        shown("row 2/")
        tmux("send-keys", ",")
        assert shown("row 1/") == second
        tmux("send-keys", ",")
        assert shown("row 0/") == first
        tmux("send-keys", "C-z")
        assert "row 0/" not in shown("stopped\n")
        tmux("send-keys", "Enter")
        assert shown("row 0/") == first
        tmux("send-keys", "q")
        shown("code=0")
        state = "#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{wrap_flag}"
        assert tmux("display", "-p", state) == "0 1 0 1\n"
        before, *others = [(tmp_path / name).read_text() for name in ("before", "stopped", "after")]
        assert others == [before, before]
    finally:
        tmux("kill-server")
