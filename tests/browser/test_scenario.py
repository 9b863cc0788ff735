"""`runreel demo && runreel ui` as two programs, and a reader who walks through the pages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

import runreel
from tests.cli.calls import PROGRAM, clean_environment


@pytest.fixture
def environment(tmp_path):
    """The variables of someone who has no log yet."""
    changes = clean_environment(tmp_path)
    environment = {name: value for name, value in os.environ.items() if name not in changes}
    return environment | {name: value for name, value in changes.items() if value is not None}


def told(environment, *arguments):
    """What a command prints."""
    done = subprocess.run(
        [*PROGRAM, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@contextmanager
def serving(environment, *arguments):
    """`runreel ui` as a program: the URL that it prints. At the end, it has said nothing more."""
    program = subprocess.Popen(
        [*PROGRAM, "ui", "--no-open", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
    )
    try:
        yield program.stdout.readline().strip()
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=30)
        notice = "There is no log yet: this is the one of `runreel demo`.\n"
        assert (program.returncode, out) == (130, "")
        assert err.removeprefix(notice) == "\nInterrupted.\n"
    finally:
        program.kill()
        program.communicate()


@contextmanager
def recording(environment, log, run):
    """`runreel record` as a program: a function that gives it an event."""
    program = subprocess.Popen(
        [*PROGRAM, "--db", log, "record", "--run", run],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment,
        text=True,
    )
    try:

        def tell(**event):
            program.stdin.write(json.dumps(event) + "\n")
            program.stdin.flush()

        yield tell
        program.stdin.close()
        assert program.wait(30) == 0
    finally:
        program.kill()
        program.wait()


def test_the_demo_is_looked_at(visit, environment):
    told(environment, "demo", "--fast")
    log = f"{environment['XDG_DATA_HOME']}/runreel/demo.db"
    shown = json.loads(told(environment, "--db", log, "show", "latest", "--at", "7", "--json"))
    with serving(environment) as url, runreel.open(log) as reel:
        opened = visit("http://" + urlsplit(url).netloc)
        # The pages outlive the program.
        opened.forgive("ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_REFUSED")
        page = opened.page
        assert page.goto(url).status == 200
        assert "token" not in page.url
        page.locator("tbody th a").click()
        assert page.locator("h1").inner_text() == shown["run_id"]
        last = reel.run(shown["run_id"]).last_seq
        for seq in (7, 0, 12):
            page.get_by_role("slider", name="Row").fill(str(seq))
            page.get_by_text(f"Row {seq} of {last}", exact=True).wait_for()
            summary, result = reel.state(shown["run_id"], at=seq)
            assert page.locator(".player .now .state").inner_text() == summary.state
            assert page.locator(".player .said pre").inner_text() == (result.text_so_far or "")
            if seq == shown["last_seq"]:
                assert summary.state == shown["state"]
        for name in ("Compare", "Usage", "Log", "Runs"):
            page.get_by_label("Pages", exact=True).get_by_role("link", name=name).click()
            assert page.locator("a[aria-current=page]").inner_text() == name
            assert page.locator("h1").is_visible()
        with recording(environment, log, "later") as tell:
            tell(type="PARTIAL_MESSAGE", text="Once")
            page.get_by_role("link", name="later", exact=True).click()
            page.get_by_text("Row 1 of 1", exact=True).wait_for()
            tell(type="PARTIAL_MESSAGE", text="Once more")
            page.get_by_text("Row 2 of 2", exact=True).wait_for()
            assert page.locator(".player .said pre").inner_text() == "Once more"
            tell(type="DONE", text="Once more.")
