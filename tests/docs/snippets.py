"""Run the snippets of a page in order and compare their output with the page.

``python`` blocks run one after the other in one namespace; a ``text`` block after one is its
expected output. ``console`` blocks are commands after ``$``, each with its expected output. A block
with a title is a file of that name. Other blocks are not run. In expected output ``...`` matches
anything, and numbers and whitespace are not compared, except schema revisions.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


_BLOCK = re.compile(r"^```(\w+)(?: title=\"(\S+)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"\d+")
_PROMPT = "$ "


class Block(NamedTuple):
    """A fenced block: its language, its file name (or ``""``) and its text."""

    language: str
    file: str
    text: str


class Command(NamedTuple):
    """A command of a ``console`` block, and its expected output."""

    line: str
    output: str


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [Block(*found) for found in _BLOCK.findall(page)]


def commands(block: str) -> Iterator[Command]:
    """The commands of a ``console`` block."""
    command, output = "", ""
    for line in block.splitlines():
        if line.startswith(_PROMPT):
            if command:
                yield Command(command, output)
            command, output = line.removeprefix(_PROMPT), ""
        else:
            output += line + "\n"
    yield Command(command, output)


def agree(expected: str, got: str) -> bool:
    """Whether the output on a page matches the real one."""
    pattern = ".*?".join(re.escape(_plain(part)) for part in expected.split("..."))
    return re.fullmatch(pattern, _plain(got), re.DOTALL) is not None


def load_plugin() -> list[str]:
    """The options with which pytest loads the plugin; none where it does so by itself."""
    installed = entry_points(group="pytest11")
    if any(one.value == "runreel.pytest_plugin" for one in installed):
        return []
    return ["-p", "runreel.pytest_plugin"]


class Runner:
    """Runs the blocks of one page in its own folder."""

    def __init__(self, folder: Path, *, meant: dict[str, str], printed: dict[str, str]) -> None:
        """``meant`` maps placeholders of a page to real values; ``printed`` maps output back."""
        self._folder = folder
        self._meant = meant
        self._printed = printed
        self._names: dict[str, Any] = {"__name__": "__page__"}
        scripts = str(Path(sys.executable).parent)
        self._environment = {
            "PATH": os.pathsep.join((scripts, os.environ["PATH"])),
            "HOME": str(folder),
            "TZ": "UTC",
            "LANG": "C.UTF-8",
            "PYTHONWARNINGS": "error",
            # Pages show the plugin where runreel is installed; here it may be a checkout.
            "PYTEST_ADDOPTS": " ".join(load_plugin()),
        }

    def run(self, page: str) -> None:
        """Run every block; an AssertionError names the one that differs."""
        found = blocks(page)
        for place, (language, file, text) in enumerate(found):
            if file:
                (self._folder / file).write_text(text, encoding="utf-8")
            elif language == "console":
                for command in commands(text):
                    self._shell(command)
            elif language == "python":
                after = found[place + 1] if place + 1 < len(found) else Block("", "", "")
                self._python(text, after.text if after.language == "text" else None)

    def _shell(self, command: Command) -> None:
        # An exported variable is set for all later blocks.
        if found := re.fullmatch(r"export (\w+)=(\S+)", command.line):
            self._environment[found[1]] = self._real(found[2])
            return
        done = subprocess.run(
            ["bash", "-c", self._real(command.line)],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            check=False,
        )
        printed = self._shown(done.stdout)
        assert done.returncode == 0, f"$ {command.line}\n{printed}"
        assert agree(command.output, printed), f"$ {command.line}\n{printed}"

    def _python(self, text: str, expected: str | None) -> None:
        printed = io.StringIO()
        with self._inside(), contextlib.redirect_stdout(printed):
            code = compile(self._real(text), "snippet", "exec")
            exec(code, self._names)  # noqa: S102 - the pages are our own
        output = self._shown(printed.getvalue())
        assert agree(expected or "", output), f"{text}\n{output}"

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        before, old = Path.cwd(), dict(os.environ)
        os.chdir(self._folder)
        os.environ.update(self._environment)
        try:
            yield
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ.update(old)

    def _real(self, text: str) -> str:
        for shown, real in self._meant.items():
            text = text.replace(shown, real)
        return text

    def _shown(self, text: str) -> str:
        for real, shown in self._printed.items():
            text = text.replace(real, shown)
        return text


def _plain(text: str) -> str:
    return " ".join(_NUMBER.sub(_any_number, text).split())


def _any_number(found: re.Match[str]) -> str:
    # A schema revision is a name, not a count.
    return found[0] if re.fullmatch(r"00\d\d", found[0]) else "0"
