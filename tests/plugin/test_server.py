"""Tests of programs in other processes: the fixture for them."""

from __future__ import annotations

import pytest

from tests.live.sse_server import Answer
from tests.plugin.conftest import FILE

CHILD = """
import subprocess
import sys

CHILD = '''
import json, os, urllib.request
body = {{"model": "m", "messages": [{{"role": "user", "content": "Do I need a hat in {}?"}}]}}
request = urllib.request.Request(
    os.environ["OPENAI_BASE_URL"] + "/chat/completions",
    data=json.dumps(body).encode(),
    headers={{"content-type": "application/json", "authorization": "Bearer k"}},
)
print(json.load(urllib.request.urlopen(request))["choices"][0]["message"]["content"])
'''

def child(city):
    command = [sys.executable, "-I", "-c", CHILD.format(city)]
    return subprocess.run(command, capture_output=True, encoding="utf-8").stdout.strip()

@pytest.mark.runreel("hat.reel.jsonl")
def test_child(runreel_server):
    assert runreel_server.openai == runreel_server.anthropic + "/v1"
    assert child("Paris") == "Yes, it rains."
    assert text("Rome") == "No, never."

@pytest.mark.runreel("hat.reel.jsonl")
def test_child_that_hides_the_error(runreel_server):
    assert child("London") == ""
"""


def test_a_server_answers_other_processes(recorded):
    suite = recorded(CHILD)
    done = suite.run()
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*+ “Do I need a hat in London?”"])


def test_their_calls_are_recorded_once(suite, monkeypatch):
    suite.write(
        CHILD.replace("assert runreel_server.openai ==", "assert").partition(
            '@pytest.mark.runreel("hat.reel.jsonl")\ndef test_child_that'
        )[0]
    )
    answer = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Yes, it rains."},
            }
        ],
    }
    suite.server.say(Answer(body=answer))
    suite.says("No, never.")
    with monkeypatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", suite.server.url)
        patch.setenv("OPENAI_API_KEY", "k")
        done = suite.run("--runreel-record")
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines([f"{FILE}: rewritten, runs: 2"])
    suite.run("-k", "test_child").assert_outcomes(passed=1)


def test_with_a_speed_the_same_events_come(recorded):
    suite = recorded(
        """
        @pytest.mark.runreel("hat.reel.jsonl")
        def test_hat():
            assert text("Paris") == "Yes, it rains."
        """
    )
    suite.run("--runreel-speed", "50").assert_outcomes(passed=1)
    for wrong in ("0", "-1", "nan", "inf", "fast"):
        assert suite.run("--runreel-speed", wrong).ret == pytest.ExitCode.USAGE_ERROR
