"""A redaction searches without keeping recorders out, and erases what they append meanwhile."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.codec import secret_masking, text_search
from runreel.model.errors import UsageError
from runreel.model.events import STREAM_EVENT
from runreel.recording.recorder import Recorder
from tests import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

# Redacts; each time that it begins to search a run, it says so and waits for a line.
_REDACT = """
import re, sys
import runreel
from runreel.retention import redaction
real = redaction._Search.plan
def plan(search, database):
    found = real(search, database)
    print("searched", flush=True)
    sys.stdin.readline()
    return found
redaction._Search.plan = plan
with runreel.open(sys.argv[1]) as reel:
    list(reel.redact(["run-0"], re.compile(sys.argv[2]), reason="because", actor="me"))
print("done", flush=True)
"""
LONG = "a" * 100_000 + "!"


def partial(text: str) -> dict[str, str]:
    return {"type": "PARTIAL_MESSAGE", "text": text}


def recorder(reel: Reel, run_id: str = "run-0") -> Recorder:
    return Recorder(reel.db, run_id, source="plain", via="test")


@contextmanager
def redacting(url: str, pattern: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that redacts, and has searched once."""
    arguments = [sys.executable, "-c", _REDACT, url, pattern]
    with subprocess.Popen(
        arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "searched\n"
        yield process


def let_go(process: subprocess.Popen[str]) -> int:
    """Let it go on to the end; how often it has searched since."""
    assert process.stdin is not None
    assert process.stdout is not None
    for count in range(100):
        process.stdin.write("\n")
        process.stdin.flush()
        if process.stdout.readline() == "done\n":
            assert process.wait() == 0
            return count
    raise AssertionError("it does not end")


def assert_nowhere(reel: Reel, text: str) -> None:
    for row in logs.rows(reel, "run-0"):
        assert text not in (row.payload or "")
    assert text not in (reel.result("run-0").text or "")
    assert reel.rebuild(check=True) == []


def test_recorders_go_on_while_another_process_searches(reel: Reel, db_url: str) -> None:
    one, other = recorder(reel), recorder(reel, "run-1")
    one.append(STREAM_EVENT, partial("my secret"))
    with redacting(db_url, "s[e]cret") as process:
        for n in range(30):
            one.append(STREAM_EVENT, partial(f"my secret, and the secret number {n}"))
            other.append(STREAM_EVENT, partial(f"text {n}"))
        assert let_go(process) >= 1
    one.close()
    other.close()
    assert_nowhere(reel, "secret")
    assert reel.result("run-1").text == "text 29"


def test_what_another_erases_meanwhile_stays_erased(reel: Reel, db_url: str) -> None:
    one = recorder(reel)
    one.append(STREAM_EVENT, partial("a secret and a password"))
    one.append(STREAM_EVENT, partial("a secret and a password, again"))
    one.close()
    with redacting(db_url, "s[e]cret") as process:
        list(reel.redact(["run-0"], "password", reason="because", actor="me"))
        let_go(process)
    assert_nowhere(reel, "secret")
    assert_nowhere(reel, "password")
    assert len(reel.result("run-0").text or "") == len("a secret and a password, again")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_search, "SECONDS", 0.2)
    monkeypatch.setattr(secret_masking, "SECONDS", 0.2)


@pytest.mark.parametrize("whole", [True, False])
def test_a_pattern_that_never_ends_is_given_up_and_said_with_its_row(
    reel: Reel, impatient: None, whole: bool
) -> None:
    one = recorder(reel)
    one.append(STREAM_EVENT, partial("short"))
    for n in [1] if whole else range(1, 21):
        one.append(STREAM_EVENT, partial(LONG if whole else "a" * 5_000 * n + "!"))
    one.close()
    before = logs.rows(reel)
    for dry_run in (True, False):
        places = reel.redact(
            ["run-0"], re.compile(r"(a+)+$"), reason="because", actor="me", dry_run=dry_run
        )
        with pytest.raises(UsageError, match=r"'\(a\+\)\+\$'.* row 2 of run run-0"):
            list(places)
    assert logs.rows(reel) == before


def test_a_recorder_goes_on_with_a_mask_that_never_ends(
    db_url: str, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    with runreel.open(db_url, mask=[r"(a+)+$"]) as reel:
        one = recorder(reel)
        began = time.process_time()
        one.append(STREAM_EVENT, partial("short"))
        for n in range(5):
            one.append(STREAM_EVENT, partial(LONG + str(n)))
        one.close()
        assert time.process_time() - began < 10
        assert {event.type for event in reel.events("run-0", type="PARTIAL_MESSAGE")} == {
            "PARTIAL_MESSAGE"
        }
        text = reel.result("run-0").text
        assert text is not None
        assert set(text) == {"\N{FULL BLOCK}"}
        (said,) = [one.getMessage() for one in caplog.records]
        assert "'(a+)+$'" in said
        assert "run run-0" in said
