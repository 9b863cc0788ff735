"""Suites of tests in a folder of their own, which the plugin is loaded for."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from tests.docs.snippets import load_plugin
from tests.live import openai_script as script
from tests.live import sse_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FILE = "hat.reel.jsonl"
_QUIET = ["-p", "no:randomly", "-p", "no:cacheprovider", "--import-mode=importlib"]
_VARIABLES = (
    "PYTEST_ADDOPTS",
    # Where one of these is set, pytest prints its summary in full.
    "CI",
    "BUILD_NUMBER",
    "OPENAI_BASE_URL",
    "OPENAI_API_KEY",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_API_KEY",
)

PROGRAM = """
import asyncio
import openai
import pytest


def asked(client, city, **more):
    return client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": f"Do I need a hat in {city}?"}], **more
    )


def ask(city):
    with openai.OpenAI(max_retries=0) as client:
        return asked(client, city)


def text(city):
    with openai.OpenAI(max_retries=0) as client, asked(client, city, stream=True) as stream:
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

"""


class Suite:
    """A folder with a suite of tests, and recordings for it."""

    def __init__(self, path: Path, server: sse_server.Script) -> None:
        self.path = path
        self.server = server
        (path / "pytest.ini").write_text("[pytest]\n")

    def write(self, tests: str, name: str = "test_hat.py") -> None:
        """Write a file of tests, after the program that they test."""
        (self.path / name).write_text(PROGRAM + textwrap.dedent(tests), "utf-8")

    def record(self, *calls: tuple[str, str], file: str = FILE) -> None:
        """Record what the model says about cities, as streams."""
        names: dict[str, Any] = {}
        exec(PROGRAM, names)  # noqa: S102 - the same program as in the tests
        with pytest.MonkeyPatch.context() as patch, runreel.open(self.path / "log.db") as reel:
            patch.setenv("OPENAI_BASE_URL", self.server.url)
            patch.setenv("OPENAI_API_KEY", "k")
            before = {run.run_id for run in reel.runs()}
            with reel.watch():
                for city, answer in calls:
                    self.says(answer)
                    assert names["text"](city) == answer
            made = [run.run_id for run in reel.runs() if run.run_id not in before]
            reel.export(self.path / file, made[::-1], mask=["secrets"])

    def says(self, *answers: str) -> None:
        """Have the model answer the next requests."""
        for answer in answers:
            self.server.stream(script.chunks(answer), done=True)

    def run(self, *options: str, apart: bool = False) -> pytest.RunResult:
        """Run the suite, ``apart`` in a process of its own, which takes a second longer."""
        given = [*load_plugin(), *_QUIET, *options]
        if apart:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", *given],
                cwd=self.path,
                capture_output=True,
                encoding="utf-8",
                check=False,
            )
            return pytest.RunResult(done.returncode, done.stdout.splitlines(), [], 0.0)
        printed = io.StringIO()
        # The modules that the suite imports stay: parts of SQLAlchemy cannot be loaded twice.
        with contextlib.chdir(self.path), contextlib.redirect_stdout(printed):
            try:
                code = pytest.main(["-p", "no:xdist", "-p", "no:faulthandler", *given])
            finally:
                sys.modules.pop("test_hat", None)
        print(printed.getvalue())
        return pytest.RunResult(code, printed.getvalue().splitlines(), [], 0.0)


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    """A suite without any tests; no variable leads to a model."""
    for name in _VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with sse_server.serving() as server:
        yield Suite(tmp_path, server)


@pytest.fixture
def recorded(suite: Suite) -> Callable[[str], Suite]:
    """Writes tests for a recording of two answers."""

    def write(tests: str) -> Suite:
        suite.record(("Paris", "Yes, it rains."), ("Rome", "No, never."))
        suite.write(tests)
        return suite

    return write
