"""A log that fails never makes the client of openai ask twice: versions 2 and 3.

Version 2 takes every exception below it for a failed connection, and sends the request again.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.frameworks.environments import interpreter
from tests.frameworks.howto_pages import COMMON
from tests.live import openai_script as script
from tests.live.sse_server import Answer, serving

pytestmark = [pytest.mark.slow, pytest.mark.frameworks]

TOLD = script.events([script.output_of(["Hello, ", "world"])])


def answer(asked):
    return Answer(events=TOLD) if asked.body.get("stream") else Answer(body=TOLD[-1]["response"])


# openai-agents brings version 3.
@pytest.fixture(
    scope="module", params=[("2", ("openai<3",)), ("3", COMMON[0].packages)], ids=lambda way: way[0]
)
def outcomes(request, tmp_path_factory):
    """What the program got in each way, and how often the model was asked."""
    version, packages = request.param
    python = interpreter(request.config, *packages)
    with serving() as server:
        server.say(*[answer] * 64)
        log = tmp_path_factory.mktemp("logs") / "log.db"
        done = subprocess.run(
            [python, Path(__file__).with_name("program_failing_log.py"), server.url, log, version],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        asked = [request.body["model"] for request in server.asked]
    results = dict(map(json.loads, done.stdout.splitlines()))
    assert len(results) == 16
    return {name: (result, asked.count(name)) for name, result in results.items()}


def test_the_model_is_not_asked_if_the_log_fails_before(outcomes):
    for name, (result, asked) in outcomes.items():
        if name.endswith("raise-before"):
            assert "RecordingError" in result, name
            assert asked == 0, name


def test_the_model_is_asked_once_if_the_log_fails_later(outcomes):
    for name, (result, asked) in outcomes.items():
        if name.endswith("raise-later"):
            assert result[0] == "RecordingError", name
            assert asked == 1, name


def test_with_warn_the_program_gets_its_answer(outcomes):
    for name, (result, asked) in outcomes.items():
        if "-warn-" in name:
            assert result == (len(TOLD) if "stream" in name else 1), name
            assert asked == 1, name
