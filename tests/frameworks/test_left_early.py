"""Streams of frameworks that are left early end as interrupted, with what came."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runreel
from tests.frameworks.environments import interpreter
from tests.frameworks.howto_pages import COMMON
from tests.live import openai_script as script
from tests.live.sse_server import Answer, Pause, serving
from tests.logs import verify

if TYPE_CHECKING:
    from tests.live.sse_server import Asked

pytestmark = [pytest.mark.slow, pytest.mark.frameworks]

# The events up to the first delta of the text, which the server sends before it goes quiet.
TOLD = script.events([script.output_of(["Hello, ", "world"])])
READ = next(
    number for number, event in enumerate(TOLD, 1) if event["type"] == "response.output_text.delta"
)


@pytest.mark.parametrize(
    ("packages", "ways"),
    [(program.packages, ways) for program, ways in zip(COMMON, (2, 1, 2), strict=True)],
    ids=["openai-agents", "pydantic-ai", "langchain"],
)
def test_streams_that_are_left_early_are_interrupted(
    request: pytest.FixtureRequest, tmp_path: Path, packages: tuple[str, ...], ways: int
) -> None:
    python = interpreter(request.config, *packages)
    name = request.node.callspec.id
    ready = threading.Event()

    def answer(_asked: Asked) -> Answer:
        return Answer(events=[*TOLD[:READ], Pause(60, ready), *TOLD[READ:]])

    with serving() as server:
        server.say(*[answer] * ways)
        variables = {**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-secret"}
        program = Path(__file__).with_name("program_left_early.py")
        done = subprocess.run(
            [python, program, name, tmp_path / "log.db"],
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        ready.set()
        assert len(server.asked) == ways
    assert done.returncode == 0, done.stderr
    delta = TOLD[READ - 1]["delta"]
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        ["interrupted", READ, delta]
    ] * ways
    with runreel.open(tmp_path / "log.db") as reel:
        verify(reel)
        assert reel.rebuild(check=True) == []
