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


def test_the_demo_is_looked_at(visit, environment):
    told(environment, "demo", "--fast")
    log = f"{environment['XDG_DATA_HOME']}/runreel/demo.db"
    shown = json.loads(told(environment, "--db", log, "show", "latest", "--at", "8", "--json"))
    with serving(environment) as url, runreel.open(log) as reel:
        opened = visit("http://" + urlsplit(url).netloc)
        page = opened.page
        assert page.goto(url).status == 200
        assert "token" not in page.url
        page.locator("tbody th a").click()
        run = urlsplit(page.url).path
        assert page.locator("h1").inner_text() == shown["run_id"]
        for seq in (8, 0, 12):
            opened.goto(f"{run}?seq={seq}")
            summary, result = reel.state(shown["run_id"], at=seq)
            assert page.locator("dd.state").first.inner_text() == summary.state
            assert f"row {seq} of" in page.locator("#rows-title").inner_text()
            story = page.locator(".story").inner_text() if result.text_so_far else ""
            assert (result.text_so_far or "") in story
            if seq == shown["last_seq"]:
                assert summary.state == shown["state"]
                assert all(call["name"] in story for call in shown["tool_calls"])
        for name in ("Compare", "Usage", "Log", "Runs"):
            page.get_by_label("Pages", exact=True).get_by_role("link", name=name).click()
            assert page.locator("a[aria-current=page]").inner_text() == name
            assert page.locator("h1").is_visible()
        # The pages outlive the program.
        opened.forgive("ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_REFUSED")
