"""Unmodified programs of agent frameworks, each in an environment of its own, are recorded.

RUNREEL_TEST_ENVS names a directory that keeps the environments from one run of the tests to the
next.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

import runreel
from runreel.model.status import RunStatus
from tests.frameworks import model_server
from tests.live.sse_server import serving
from tests.logs import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from tests.live.sse_server import Script

pytestmark = [pytest.mark.slow, pytest.mark.frameworks]

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DEPENDENCIES = ("sqlalchemy>=2.1", "alembic", "click", "msgspec", "platformdirs", "tzdata")


class Framework(NamedTuple):
    """A program, and the packages that it needs."""

    name: str
    packages: tuple[str, ...]

    @property
    def program(self) -> Path:
        return HERE / f"program_{self.name}.py"


FRAMEWORKS = [
    Framework("openai_agents", ("openai-agents",)),
    Framework("pydantic_ai", ("pydantic-ai-slim[openai]",)),
    Framework("langchain", ("langchain-openai", "langgraph")),
]


@pytest.fixture(scope="module", params=FRAMEWORKS, ids=lambda framework: framework.name)
def framework(request: pytest.FixtureRequest) -> Framework:
    return request.param


@pytest.fixture(scope="module")
def python(framework: Framework, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the framework, and runreel as it is here."""
    folder = kept_environments(tmp_path_factory)
    return environment(folder, framework.name, framework.packages)


def kept_environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = os.environ.get("RUNREEL_TEST_ENVS")
    return Path(kept) if kept else tmp_path_factory.mktemp("envs")


def environment(folder: Path, name: str, packages: tuple[str, ...]) -> Path:
    """Make an environment unless it is there; return its interpreter."""
    place = folder / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python = place / "bin" / "python"
    if not (place / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        done = subprocess.run([*command, *packages, *DEPENDENCIES], check=False)
        if done.returncode and not os.environ.get("CI"):
            pytest.skip(f"{', '.join(packages)} cannot be installed here")
        assert done.returncode == 0
        (place / "complete").touch()
    (library,) = (place / "lib").glob("python*/site-packages")
    (library / "runreel_checkout.pth").write_text(f"{ROOT / 'src'}\n")
    return python


@pytest.fixture
def model() -> Iterator[Script]:
    with serving() as script:
        script.say(*[model_server.answer] * 64)
        yield script


def variables(model: Script) -> dict[str, str]:
    return {
        **os.environ,
        "OPENAI_BASE_URL": model.url,
        "OPENAI_API_KEY": "sk-secret",
        "OPENAI_AGENTS_DISABLE_TRACING": "1",
        "PYTHONWARNINGS": "ignore",
    }


def run(python: Path, program: Path, url: str, model: Script) -> str:
    """Run a program as a user would, with the variables of the vendor's client only."""
    watch = [python, "-m", "runreel", "--db", url, "watch", "--"]
    done = subprocess.run(
        [*watch, python, program],
        env=variables(model),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Reel]:
    with runreel.open(tmp_path / "log.db") as reel:
        yield reel
        verify(reel)
        assert reel.rebuild(check=True) == []


def test_each_agent_run_is_recorded(
    python: Path, framework: Framework, log: Reel, model: Script
) -> None:
    """The program runs an agent at once and streamed, by Responses and by chat completions."""
    out = run(python, framework.program, log.url_shown, model)
    assert out.splitlines() == [model_server.ANSWER] * 4
    assert len(model.asked) == 8
    for source in ("openai-responses", "openai-chat"):
        runs = list(log.runs(source=source, limit=0))
        # The calls of an agent run are joined by the ids of their tools.
        assert [run.recording for run in runs] == ["closed"] * 2
        assert [run.status for run in runs] == [RunStatus.COMPLETED] * 2
        assert [log.result(run.run_id).text for run in runs] == [model_server.ANSWER] * 2
        assert {run.usage and run.usage.total_tokens for run in runs} <= {None, 30}
        for found in runs:
            kinds = [row.kind for row in log.events(found.run_id)]
            assert (kinds.count("context"), kinds.count("tool_results")) == (2, 1)
            assert found.requested_at <= found.started_at
            assert found.thread_id


@pytest.mark.parametrize("framework", FRAMEWORKS[:1], indirect=True, ids=["openai_agents"])
def test_sixteen_agents_at_once_are_sixteen_runs(python: Path, log: Reel, model: Script) -> None:
    out = run(python, HERE / "program_many_agents.py", log.url_shown, model)
    assert out.splitlines() == [model_server.ANSWER] * 16
    runs = list(log.runs())
    assert len(runs) == 16
    for found in runs:
        assert (found.status, found.recording) == (RunStatus.COMPLETED, "closed")
        assert found.usage.total_tokens == 30
        assert log.result(found.run_id).text == model_server.ANSWER
        (results,) = log.events(found.run_id, type="tool_results")
        (result,) = results.raw["tool_results"]
        assert result["output"] == "Sunny in Berlin"


@pytest.mark.parametrize("framework", FRAMEWORKS[:1], indirect=True, ids=["openai_agents"])
def test_a_web_server_is_recorded_and_stopped_by_a_signal(
    python: Path, log: Reel, model: Script
) -> None:
    """uvicorn and starlette come with this framework."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    server = [python.with_name("uvicorn"), "--app-dir", HERE, "--port", port, "program_web:app"]
    watch = [python, "-m", "runreel", "--db", log.url_shown, "watch", "--"]
    with subprocess.Popen([*watch, *server], env=variables(model)) as process:
        assert asked(f"http://127.0.0.1:{port}/ask") == model_server.ANSWER
        process.send_signal(signal.SIGTERM)
        # uvicorn shuts down, and then ends by the signal.
        assert process.wait(60) in (0, 128 + signal.SIGTERM)
    (found,) = log.runs()
    assert (found.recording, log.result(found.run_id).text) == ("closed", model_server.ANSWER)


def asked(url: str) -> str:
    """Ask a server that is starting."""
    for _ in range(300):
        with (
            contextlib.suppress(urllib.error.URLError),
            urllib.request.urlopen(url, timeout=30) as answer,  # noqa: S310 - our own
        ):
            return str(answer.read().decode())
        time.sleep(0.1)
    raise AssertionError("the server has not started")
