"""`runreel proxy` as a program: its lines, its end, and what remains when it is killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from contextlib import closing, contextmanager

import openai
import pytest

import runreel
from runreel.cli.main import main
from runreel.model.events import STREAM_EVENT
from tests import missing_packages
from tests.cli.calls import PROGRAM, clean_environment
from tests.live.callers import ASKED, TOLD, ask, client_of
from tests.live.sse_server import Pause
from tests.logs import verify
from tests.serving.test_programs import httpx_error

KEY = "sk-very-secret-0123456789"


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    for name, value in clean_environment(tmp_path).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


@contextmanager
def running(log, upstream, *arguments):
    """The program, and the lines that it has printed."""
    program = subprocess.Popen(
        [*PROGRAM, "--db", str(log), "proxy", "--upstream", upstream, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield program, [program.stdout.readline().strip() for _ in range(2)]
    finally:
        program.kill()
        program.communicate()


def test_it_records_until_ctrl_c_and_ends_open_recordings(tmp_path, server_of_models):
    log, over = tmp_path / "log.db", threading.Event()
    server_of_models.stream(TOLD)
    server_of_models.stream([*TOLD[:5], Pause(30, over)], cut="chunk")
    with running(log, server_of_models.url, "--label", "a=b") as (program, (url, other)):
        assert url == f"{other}/v1"
        client = openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)
        with client, pytest.raises(httpx_error()):
            assert len(ask(client, stream=True)) == len(TOLD)
            stream = iter(client.responses.create(**ASKED, stream=True))
            for _ in range(5):
                next(stream)
            program.send_signal(signal.SIGINT)
            list(stream)
        over.set()
        out, err = program.communicate(timeout=30)
        assert (program.returncode, out, err) == (130, "", "\nInterrupted.\n")
    with runreel.open(log) as reel:
        assert [run.recording for run in reel.runs()] == ["interrupted", "closed"]
        assert [run.labels for run in reel.runs()] == [{"a": "b"}] * 2
        verify(reel)
    files = [path for path in tmp_path.iterdir() if path.name.startswith("log.db")]
    assert all(KEY.encode() not in path.read_bytes() for path in files)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 7, len(TOLD) - 1])
def test_what_a_client_saw_is_in_the_log_of_a_killed_proxy(tmp_path, server_of_models, number):
    log, over = tmp_path / "log.db", threading.Event()
    server_of_models.stream([*TOLD[:number], Pause(30, over)], cut="chunk")
    with running(log, server_of_models.url, "--durability", "normal") as (program, (url, _)):
        seen = []
        with client_of(url) as client, closing(client.responses.create(**ASKED, stream=True)) as s:
            for event in s:
                seen.append(event.sequence_number)
                if len(seen) == number:
                    break
            os.kill(program.pid, signal.SIGKILL)
        program.wait(30)
    over.set()
    with runreel.open(log) as reel:
        (run,) = reel.runs()
        events = [event for event in reel.events(run.run_id) if event.kind == STREAM_EVENT]
        assert [event.raw["sequence_number"] for event in events] == seen == list(range(number))
        verify(reel)
        assert reel.rebuild(check=True) == []


def test_what_it_cannot_begin_with_is_refused(tmp_path, capfd):
    def refused(*arguments, log="log.db"):
        code = main(["--db", str(tmp_path / log), "proxy", *arguments])
        out, err = capfd.readouterr()
        assert out == ""
        assert "Traceback" not in err
        return code, err

    good = ("--upstream", "http://127.0.0.1:1/v1")
    assert refused()[0] == 2
    assert refused("--upstream", "nonsense")[0] == 2
    assert refused(*good, "--label", "a")[0] == 2
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, err = refused(*good, "--port", str(port))
        assert (code, "Address already in use" in err) == (2, True)
    (tmp_path / "other.db").write_text("not a log " * 100)
    assert refused(*good, log="other.db")[0] == 3


@pytest.mark.parametrize("package", ["httpx", "uvicorn", "starlette.middleware.trustedhost"])
def test_a_missing_package_is_named(tmp_path, capfd, monkeypatch, package):
    missing_packages.hide(monkeypatch, package, "runreel.serving", "runreel.system.http_server")
    code = main(["--db", str(tmp_path / "log.db"), "proxy", "--upstream", "http://127.0.0.1:1/v1"])
    err = capfd.readouterr().err
    assert (code, package.split(".")[0] in err) == (4, True)
    assert "pip install 'runreel[serve]'" in err
