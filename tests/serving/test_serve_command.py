"""`runreel serve` as a program: its lines, its end, and what it refuses."""

from __future__ import annotations

import signal
import socket
import subprocess
from contextlib import contextmanager

import httpx
import pytest
from yandex_ai_studio_sdk import AIStudio

import runreel
from runreel.cli.main import main
from tests import missing_packages
from tests.cli import stories
from tests.cli.calls import PROGRAM, clean_environment
from tests.live import openai_script as script
from tests.live import sse_server
from tests.live.assistants_service import AssistantsService
from tests.live.callers import TOLD, ask, client_of
from tests.live.yandex import sdk
from tests.live.yandex_programs import STREAMED
from tests.live.yandex_programs import ask as ask_assistant


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    for name, value in clean_environment(tmp_path).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A log with one recorded call, and runs of other kinds."""
    file = tmp_path_factory.mktemp("serve") / "log.db"
    with sse_server.serving() as server, runreel.open(file) as reel:
        server.stream(TOLD)
        with reel.watch(labels={"suite": "hello"}), client_of(server.url) as client:
            ask(client, stream=True)
        stories.tell_all(reel)
        with AssistantsService() as service:
            service.scripts.append(STREAMED)
            list(reel.record(ask_assistant(sdk(service), stream=True)))
    return str(file)


@contextmanager
def running(*arguments):
    """The program, and the lines that it has printed."""
    program = subprocess.Popen(
        [*PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield program, [program.stdout.readline().strip() for _ in range(2)]
    finally:
        program.kill()
        program.communicate()


def test_it_prints_its_urls_and_ctrl_c_ends_it_with_open_streams(log):
    with running("--db", log, "serve", "--label", "suite=hello", "--speed", "0.0001") as (
        program,
        (url, other),
    ):
        assert url == f"{other}/v1"
        with httpx.Client() as client:
            body = {"model": script.MODEL, "input": "Hello?", "stream": True}
            with client.stream("POST", f"{url}/responses", json=body) as answer:
                assert answer.status_code == 200
                missed = client.post(f"{url}/responses", json={**body, "input": "\x1b[31mHullo?"})
                assert missed.status_code == 404
                program.send_signal(signal.SIGINT)
                out, err = program.communicate(timeout=30)
        assert (program.returncode, out) == (130, "")
        said, _, end = err.partition("\n")
        assert "no recording answers this request" in said
        assert "\x1b" not in said
        assert end.strip() == "Interrupted."


def test_files_are_served_and_sigterm_ends_it(log, tmp_path):
    file = str(tmp_path / "all.reel.jsonl")
    with runreel.open(log) as reel:
        reel.export(file)
    with running("serve", file, "--instant") as (program, (url, _)):
        # The file has a run of the Assistants service, too.
        endpoint = program.stdout.readline().strip().removeprefix("grpc://")
        studio = AIStudio(folder_id="folder", endpoint=endpoint, auth="key", verify=False)
        run = ask_assistant(studio, stream=True)
        assert [event.text for event in run][-1] == run.wait().text
        with client_of(url) as client:
            assert len(ask(client, stream=True)) == len(TOLD)
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 143


@pytest.fixture
def refused(capfd, log):
    """Call ``serve`` with arguments that it refuses: its exit code, and what stderr gets."""

    def call(*arguments, db=log):
        code = main(["--db", str(db), "serve", *arguments])
        out, err = capfd.readouterr()
        assert out == ""
        assert "Traceback" not in err
        return code, err

    return call


def test_what_cannot_be_served_is_refused_in_words(refused, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, err = refused("--port", str(port))
        assert (code, f"port {port}: Address already in use" in err) == (2, True)
    for arguments in (
        ("none",),
        ("latest", "--model", "m"),
        ("--model", "none"),
        ("--speed", "0"),
        ("--max-gap", "-1"),
        ("--fail-at", "-1"),
        ("--match", "any"),
        ("latest", str(tmp_path / "none.reel.jsonl")),
    ):
        assert refused(*arguments)[0] == 2, arguments
    code, err = refused("--source", "plain")
    assert (code, "nothing to serve" in err) == (2, True)
    assert refused(db=tmp_path / "none.db")[0] == 3
    assert not (tmp_path / "none.db").exists()


def test_another_host_is_warned_of(refused, monkeypatch):
    monkeypatch.setattr("runreel.serving.server.run", lambda *_, **__: None)
    code, err = refused("--host", "0.0.0.0")  # noqa: S104
    assert (code, "other machines reach 0.0.0.0" in err) == (130, True)
    code, err = refused("--host", "127.0.0.1")
    assert (code, "other machines" in err) == (130, False)


@pytest.mark.parametrize("package", ["uvicorn", "starlette.applications"])
def test_a_missing_package_is_named(refused, monkeypatch, package):
    missing_packages.hide(monkeypatch, package, "runreel.serving", "runreel.system.http_server")
    code, err = refused()
    assert (code, package.split(".")[0] in err) == (4, True)
    assert "pip install 'runreel[serve]'" in err


def test_runs_of_assistants_need_the_extra_of_their_sdk(refused, monkeypatch):
    monkeypatch.setattr("runreel.cli.commands.serve._has_grpc", lambda: False)
    code, err = refused("--source", "yandex-assistants")
    assert (code, "pip install 'runreel[yandex]'" in err) == (2, True)
    assert "nothing to serve" in err
