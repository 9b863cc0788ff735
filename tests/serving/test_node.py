"""The program of the how-to page on Node: recorded by the proxy, then served, unchanged.

The package of npm is taken from the directory that RUNREEL_TEST_NODE names (`npm install openai`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import runreel
from runreel.capture.http.hook import CallHook
from runreel.serving import proxy as proxies
from tests.docs.checkout import CHECKOUT
from tests.docs.snippets import blocks
from tests.frameworks import model_server
from tests.serving.conftest import running

PAGE = CHECKOUT / "docs" / "how-to" / "record-node.md"
MODULES = Path(os.environ.get("RUNREEL_TEST_NODE", "nowhere")) / "node_modules"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (MODULES / "openai").is_dir(),
    reason="needs node and RUNREEL_TEST_NODE, a directory with the npm package openai",
)


@pytest.fixture
def reel(tmp_path):
    """A log in a file: the database does not matter here."""
    with runreel.open(tmp_path / "log.db") as found:
        yield found


@pytest.fixture
def program(tmp_path):
    """Run the program of the page on a base URL; what it prints."""
    (block,) = (block for block in blocks(PAGE.read_text("utf-8")) if block.file == "weather.mjs")
    (tmp_path / block.file).write_text(block.text)
    (tmp_path / "node_modules").symlink_to(MODULES)

    def run(url, key="sk-secret-of-node"):
        environment = {**os.environ, "OPENAI_BASE_URL": url, "OPENAI_API_KEY": key}
        done = subprocess.run(
            ["node", block.file],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_it_is_recorded_by_the_proxy_and_served(reel, server_of_models, serve, program):
    server_of_models.say(model_server.answer, model_server.answer)
    url = proxies.upstream_url(server_of_models.url)
    hook = CallHook(reel.db)
    app = proxies.create_app(url, hook, "127.0.0.1", on_problem=pytest.fail)
    with running(app, has_lifespan=True) as origin:
        assert program(f"{origin}/v1") == f"{model_server.ANSWER}\n"
    (run,) = reel.runs()
    assert (run.status.name, run.usage.total_tokens) == ("COMPLETED", 2 * model_server.TOTAL)
    assert all("sk-secret" not in repr(event) for event in reel.events(run.run_id))
    with serve() as serving:
        assert program(serving.url, key="none") == f"{model_server.ANSWER}\n"
        assert serving.matcher.unused() == []
        assert serving.problems == []
