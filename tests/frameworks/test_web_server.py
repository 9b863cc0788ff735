"""A web server that asks a model is recorded as it is, and stopped by a signal."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runreel
from tests.frameworks import model_server
from tests.frameworks.environments import interpreter
from tests.frameworks.howto_pages import COMMON
from tests.live.sse_server import serving
from tests.logs import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.sse_server import Script

pytestmark = [pytest.mark.slow, pytest.mark.frameworks]


@pytest.fixture
def model() -> Iterator[Script]:
    with serving() as script:
        script.say(model_server.answer)
        yield script


def test_a_web_server_is_recorded_and_stopped_by_a_signal(
    model: Script, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """uvicorn and starlette come with openai-agents."""
    python = interpreter(request.config, *COMMON[0].packages)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    here = Path(__file__).parent
    server = [python.with_name("uvicorn"), "--app-dir", here, "--port", port, "program_web:app"]
    watch = [python, "-m", "runreel", "--db", "log.db", "watch", "--"]
    variables = {**os.environ, "OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "sk-secret"}
    with subprocess.Popen([*watch, *server], env=variables, cwd=tmp_path) as process:
        try:
            assert asked(f"http://127.0.0.1:{port}/ask") == model_server.ANSWER
        finally:
            process.send_signal(signal.SIGTERM)
        # uvicorn shuts down, and then ends by the signal.
        assert process.wait(60) in (0, 128 + signal.SIGTERM)
    with runreel.open(tmp_path / "log.db") as reel:
        (found,) = reel.runs()
        assert (found.recording, reel.result(found.run_id).text) == ("closed", model_server.ANSWER)
        verify(reel)
        assert reel.rebuild(check=True) == []


def asked(url: str) -> str:
    """Ask a server that is starting, for minutes on a busy machine."""
    for _ in range(3000):
        with (
            contextlib.suppress(urllib.error.URLError),
            urllib.request.urlopen(url, timeout=30) as answer,  # noqa: S310 - our own
        ):
            return str(answer.read().decode())
        time.sleep(0.1)
    raise AssertionError("the server has not started")
