"""`runreel ui` as a program: its one line, its end, and what it refuses."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager

import httpx
import pytest

import runreel
from runreel.cli.commands import ui
from runreel.cli.main import main
from runreel.system.default_location import demo_file
from tests import missing_packages
from tests.cli import stories
from tests.cli.calls import PROGRAM


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "log.db"
    with runreel.open(file) as reel:
        stories.tell_all(reel)
    return str(file)


@contextmanager
def running(*arguments, before=None):
    """The program, and the URL that it has printed."""
    program = subprocess.Popen(
        [*PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,  # noqa: PLW1509 - there are no threads here
    )
    try:
        yield program, program.stdout.readline().strip()
    finally:
        program.kill()
        program.communicate()


def test_it_prints_its_url_and_ctrl_c_ends_it_with_open_connections(log):
    with running("--db", log, "ui", "--no-open") as (program, url):
        address = httpx.URL(url)
        assert address.host == "127.0.0.1"
        assert len(address.params["token"]) > 30
        with httpx.Client() as client:
            assert "run-done" in client.get(url, follow_redirects=True).text
            client.get(url)
            # A request that never ends, and a connection without one.
            half = socket.create_connection((address.host, address.port))
            half.sendall(b"GET / HTTP/1.1\r\nHost: loc")
            silent = socket.create_connection((address.host, address.port))
            program.send_signal(signal.SIGINT)
            out, err = program.communicate(timeout=30)
            half.close()
            silent.close()
        assert (program.returncode, out, err) == (130, "", "\nInterrupted.\n")
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((address.host, address.port))


def test_a_recording_is_served_and_sigterm_ends_it(log, tmp_path):
    file = str(tmp_path / "one.reel.jsonl")
    with runreel.open(log) as reel:
        reel.export(file, ["run-done"])
    with running("ui", file, "--no-open") as (program, url):
        assert httpx.URL(url).path == "/run/run-done"
        base = url.replace("/run/run-done", "/")
        with httpx.Client() as client:
            listed = client.get(base, follow_redirects=True).text
        assert "run-done" in listed
        assert "run-failed" not in listed
        program.send_signal(signal.SIGTERM)
        assert program.wait(30) == 143


def test_a_signal_ends_it_in_the_background_too(log):
    def ignore():
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    with running("--db", log, "ui", "--no-open", before=ignore) as (program, url):
        assert url.startswith("http://127.0.0.1:")
        program.send_signal(signal.SIGINT)
        assert program.wait(30) == 130


def test_without_a_log_that_of_the_demo_is_shown(monkeypatch, capfd):
    served = []
    monkeypatch.setattr(
        "runreel.web.server.serve",
        lambda reel, *_, **__: served.append([run.run_id for run in reel.runs()]),
    )
    assert main(["ui", "--no-open"]) == 3
    with runreel.open(demo_file()) as reel:
        stories.tell_done(reel, "demo-run")
    assert main(["ui", "--no-open"]) == 130
    assert "the one of `runreel demo`" in capfd.readouterr().err
    assert main(["--db", "none.db", "ui", "--no-open"]) == 3
    with runreel.open() as reel:
        stories.tell_done(reel, "own-run")
    assert main(["ui", "--no-open"]) == 130
    assert served == [["demo-run"], ["own-run"]]
    assert "the one of" not in capfd.readouterr().err


@pytest.fixture
def refused(log, capfd):
    def call(*arguments, db=log):
        capfd.readouterr()
        code = main(["--db", str(db), "ui", "--no-open", *arguments])
        out, err = capfd.readouterr()
        assert out == ""
        assert "Traceback" not in err
        return code, err

    return call


def test_what_cannot_be_served_is_refused_in_words(refused, log, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, err = refused("--port", str(port))
        assert (code, f"port {port}: Address already in use" in err) == (2, True)
    assert refused("none")[0] == 2
    assert refused(str(tmp_path / "none.reel.jsonl"))[0] == 2
    assert refused("--host", "no.such.host.invalid", "--token-file", "x")[0] == 2
    code, err = refused(db=tmp_path / "none.db")
    assert (code, "none.db" in err) == (3, True)
    assert not (tmp_path / "none.db").exists()
    with closing(sqlite3.connect(log, isolation_level=None)) as raw:
        raw.execute("UPDATE runreel_version SET version_num = '9999'")
    code, err = refused()
    assert (code, "newer version" in err) == (3, True)


def test_a_locked_log_is_refused(refused, log, monkeypatch):
    monkeypatch.setattr("runreel.store.drivers.sqlite.connecting.BUSY_SECONDS", 0)
    with closing(sqlite3.connect(log, isolation_level=None)) as raw:
        raw.execute("PRAGMA locking_mode = EXCLUSIVE")
        raw.execute("PRAGMA journal_mode = DELETE")
        raw.execute("BEGIN EXCLUSIVE")
        code, err = refused()
        assert (code, "lock" in err) == (3, True)


@pytest.mark.parametrize(
    "package", ["uvicorn", "starlette.applications", "jinja2", "sse_starlette"]
)
def test_a_missing_package_is_named(refused, monkeypatch, package):
    missing_packages.hide(monkeypatch, package, "runreel.web", "runreel.system.http_server")
    code, err = refused()
    assert (code, package.split(".")[0] in err) == (4, True)
    assert "pip install 'runreel[ui]'" in err


def test_another_host_needs_the_file_of_a_token(refused, tmp_path, monkeypatch):
    code, err = refused("--host", "0.0.0.0")  # noqa: S104
    assert code == 2
    assert "--token-file" in err
    assert "not encrypted" in err
    file = tmp_path / "token"
    wide = ("--host", "0.0.0.0", "--token-file", str(file))  # noqa: S104
    assert refused(*wide)[0] == 2
    for text, mode, word in (
        ("short", 0o600, "no token"),
        ("t" * 31 + " t", 0o600, "no token"),
        ("é" * 40, 0o600, "ASCII"),
        ("t" * 40, 0o644, "other users"),
    ):
        file.write_text(text)
        file.chmod(mode)
        code, err = refused(*wide)
        assert (code, word in err) == (2, True), text
    file.chmod(0o600)
    served = []
    monkeypatch.setattr("runreel.web.server.serve", lambda *given, **_: served.append(given[2]))
    code, err = refused(*wide)
    assert code == 130
    assert "not encrypted" in err
    assert served[0].token == "t" * 40


@pytest.mark.parametrize(
    ("variables", "opened"), [({"DISPLAY": ":0"}, True), ({}, sys.platform in ("darwin", "win32"))]
)
def test_a_browser_with_a_window_is_opened(monkeypatch, variables, opened):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setitem(os.environ, name, value)
    urls = []
    monkeypatch.setattr("webbrowser.open", urls.append)
    monkeypatch.setattr("threading.Thread.start", lambda thread: thread.run())
    ui._open("http://127.0.0.1:1/")
    assert urls == (["http://127.0.0.1:1/"] if opened else [])
