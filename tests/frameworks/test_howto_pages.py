"""The programs of the pages on frameworks are recorded as the pages say, by a local model.

Those that need an environment of their own run for the first three frameworks;
RUNREEL_TEST_FRAMEWORKS=all adds the others.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.model.status import RunStatus
from tests.docs.snippets import agree
from tests.frameworks import model_server
from tests.frameworks.environments import interpreter
from tests.frameworks.howto_pages import COMMON, FOLDER, HERE, OTHERS, Program, Run
from tests.live.sse_server import serving
from tests.logs import verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.api.reel import Reel
    from tests.live.sse_server import Script

pytestmark = pytest.mark.slow

AT_ONCE = 16
FOUND = [*HERE, *COMMON, *(OTHERS if os.environ.get("RUNREEL_TEST_FRAMEWORKS") == "all" else [])]
# The SDK has no variable for the address of its service. It loads all certificates for each call,
# which takes 16 calls at once beyond their time-out on a busy machine.
LOCAL = {
    "AIStudio()": "AIStudio(endpoint=None, verify=False, service_map="
    '{"http_completions": __import__("os").environ["OPENAI_BASE_URL"]})'
}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(program, marks=pytest.mark.frameworks if program.packages else ())
        for program in FOUND
    ],
    ids=lambda program: "-".join((program.file.removesuffix(".py"), *program.packages[:1])),
)
def program(request: pytest.FixtureRequest) -> Program:
    return request.param


@pytest.fixture(scope="module")
def python(program: Program, request: pytest.FixtureRequest) -> Path:
    return interpreter(request.config, *program.packages)


@pytest.fixture
def model() -> Iterator[Script]:
    with serving() as script:
        script.say(*[model_server.answer] * 10 * (AT_ONCE + 1))
        yield script


def run(command: Sequence[str | Path], python: Path, folder: Path, model: Script) -> str:
    """What a command prints in a shell with the environment of the framework."""
    paths = (python.parent, Path(sys.executable).parent, os.environ["PATH"])
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            **os.environ,
            "PATH": os.pathsep.join(map(str, paths)),
            "TZ": "UTC",
            "PYTHONWARNINGS": "ignore",
            "OPENAI_BASE_URL": model.url,
            "OPENAI_API_KEY": "sk-secret",
            "YC_FOLDER_ID": "folder",
            "YC_API_KEY": "AQVNsecret",
            # It asks another server otherwise.
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def written(program: Program, text: str, folder: Path) -> Path:
    """The file of a program that asks the local model."""
    for shown, local in LOCAL.items():
        text = text.replace(shown, local)
    folder.mkdir(exist_ok=True)
    path = folder / program.file
    path.write_text(text, "utf-8")
    return path


def check(reel: Reel, expected: Sequence[Run], times: int, model: Script) -> None:
    """The log has these runs, so often, each with all that it says."""
    runs = list(reel.runs(limit=0))
    assert len(model.asked) == times * sum(run.calls for run in expected)
    found = Counter()
    for run in runs:
        assert (run.status, run.recording) == (RunStatus.COMPLETED, "closed")
        assert run.requested_at <= run.started_at
        assert run.thread_id
        rows = list(reel.events(run.run_id))
        kinds = Counter(row.kind for row in rows)
        calls = kinds["context"]
        text = model_server.ANSWER if calls > 1 else model_server.WITHOUT_TOOLS
        assert reel.result(run.run_id).text == text
        results = [row.raw["tool_results"] for row in rows if row.kind == "tool_results"]
        assert [len(each) for each in results] == [1] * (calls - 1)
        assert all(model_server.RESULT in json.dumps(each) for each in results)
        found[Run(run.source, run.usage and run.usage.total_tokens, calls)] += 1
        # The keys are not in it.
        assert "secret" not in str([row.raw for row in rows])
    assert found == Counter(expected * times)
    verify(reel)
    assert reel.rebuild(check=True) == []


def test_the_page_shows_what_its_program_prints(
    program: Program, python: Path, model: Script, tmp_path: Path
) -> None:
    text, commands, expected = program.blocks
    written(program, text.text, tmp_path)
    printed = run(["bash", "-euc", commands.text], python, tmp_path, model)
    assert agree(expected.text, printed), printed
    with runreel.open(tmp_path / "log.db") as reel:
        check(reel, program.runs, 1, model)
        runs = list(reel.runs())
        assert set(runs[0].labels or ()) == program.labels
        assert len({run.thread_id for run in runs}) == program.threads


def test_without_a_line_of_runreel_events_are_committed_first_and_sixteen_run_at_once(
    program: Program, python: Path, model: Script, tmp_path: Path
) -> None:
    texts = program.unmodified
    paths = [written(program, text, tmp_path / str(place)) for place, text in enumerate(texts)]
    observer = [python, Path(__file__).with_name("observer.py"), "log.db", *paths]
    watch = [python, "-m", "runreel", "--db", "log.db", "watch", "--"]
    printed = run([*watch, *observer], python, tmp_path, model)
    observed = json.loads(printed.splitlines()[-1])
    assert len(observed) == len(texts)
    for counts in observed:
        assert [each for each in counts if each[0] > each[1]] == []
        given, committed = counts[-1]
        assert given == committed > 0
    with runreel.open(tmp_path / "log.db") as reel:
        check(reel, [*program.runs, *program.others], AT_ONCE + 1, model)


def test_each_page_on_a_framework_is_run() -> None:
    pages = {program.page for program in [*HERE, *COMMON, *OTHERS]}
    overview = (FOLDER / "record-programs.md").read_text("utf-8")
    assert [page for page in sorted(pages) if f"({page})" not in overview] == []
