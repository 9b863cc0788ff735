"""``runreel record --run ID`` and ``runreel recover`` with the service: what they say, and 4."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.capture.yandex import grpc_client
from runreel.model.errors import RunNotFound
from runreel.recording.recorder import Recorder
from tests.cli.calls import Caller
from tests.live.assistants_script import TOOL_ROUND, Done, Partial, Raw, Script, answer
from tests.live.yandex import HASTY, QUICK, assert_copy, notes

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from tests.live.assistants_service import AssistantsService

pytestmark = pytest.mark.usefixtures("way_there")


@pytest.fixture
def service(secure_assistants: AssistantsService) -> AssistantsService:
    return secure_assistants


@pytest.fixture
def call(db_url: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Caller:
    monkeypatch.setattr(grpc_client, "RetryPolicy", lambda: QUICK)
    return Caller(db_url, capfd)


def test_a_run_is_recorded(reel: Reel, call: Caller, service: AssistantsService) -> None:
    run_id = service.play(Script(answer(3)))
    called = call.good("record", "--run", run_id, "--label", "team=search", "--json")
    assert called.json["events_new"] >= 4
    assert (called.json["runs_new"], called.json["problems"]) == (1, [])
    assert_copy(reel, service, run_id)
    assert reel.run(run_id).labels == {"team": "search"}
    again = call.good("record", "--run", run_id).out
    assert again.startswith(f"Run {run_id}: 0 events added, ")


def refused(call: Caller, run_id: str, *says: str) -> None:
    """The command fails as the fault of the source, and says what is true and what to do."""
    called = call("record", "--run", run_id)
    assert (called.code, called.out) == (4, "")
    for words in ("Error: ", "Traceback"):
        assert called.err.count(words) == (words == "Error: ")
    for words in says:
        assert words in called.err


def assert_untouched(reel: Reel, run_id: str) -> None:
    with pytest.raises(RunNotFound):
        reel.run(run_id)


def test_a_wrong_key(
    reel: Reel, call: Caller, service: AssistantsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = service.play(Script(answer(2)))
    monkeypatch.setenv("YC_API_KEY", "wrong")
    refused(call, run_id, "refuses the key", "Hint: Check YC_API_KEY")
    assert_untouched(reel, run_id)


def test_a_wrong_run_id(reel: Reel, call: Caller) -> None:
    refused(call, "no-such-run", "has no run no-such-run")
    assert_untouched(reel, "no-such-run")


def test_nobody_there(reel: Reel, call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("YC_API_ENDPOINT", f"127.0.0.1:{nobody.getsockname()[1]}")
        refused(call, "run-1", "does not answer", "YC_API_ENDPOINT", "switched off")
    assert_untouched(reel, "run-1")


def test_somebody_there_who_never_answers(
    reel: Reel, call: Caller, service: AssistantsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_client, "RetryPolicy", lambda: HASTY)
    run_id = service.play(Script(answer(2)))
    service.silent = True
    try:
        refused(call, run_id, "does not answer")
    finally:
        service.silent = False
    assert_untouched(reel, run_id)


def test_garbage(reel: Reel, call: Caller, service: AssistantsService) -> None:
    run_id = service.play(Script([Partial("fine"), Raw(b"\xff\xff"), Done("x")]))
    refused(call, run_id, "not a message of the Assistants API", "YC_API_ENDPOINT")
    assert notes(reel, run_id) == ["opened", "interrupted"]


def test_a_run_of_another_source(reel: Reel, call: Caller, service: AssistantsService) -> None:
    run_id = service.play(Script(answer(2)))
    other = Recorder(reel.db, run_id, source="plain", via="program")
    other.offer("stream_event", {"type": "DONE", "text": "mine"})
    refused(call, run_id, "recorded from plain", "Hint: A run has one source")
    assert reel.result(run_id).text == "mine"
    assert reel.run(run_id).source == "plain"


def test_a_run_that_waits_for_results_that_nobody_gives(
    reel: Reel, call: Caller, service: AssistantsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_client, "_LISTEN_SECONDS", 0.5)
    monkeypatch.setattr(grpc_client, "RetryPolicy", lambda: replace(QUICK, silence=2))
    run_id = service.play(Script(TOOL_ROUND))
    says = "sent no new event for too long; its status is TOOL_CALLS"
    refused(call, run_id, says, "Hint: The run waits for tool results")
    assert notes(reel, run_id) == ["opened", "interrupted"]
    assert reel.run(run_id).status.name == "TOOL_CALLS"


def test_a_missing_package(reel: Reel, call: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, "yandex.cloud.ai.assistants.v1.runs.run_service_pb2_grpc", None
    )
    refused(call, "run-1", "0.19.0 to 0.22.0", "pip install 'runreel[yandex]'")
    assert_untouched(reel, "run-1")


PROGRAM = """
import os, signal, sys, runreel
from runreel.recording.recorder import Recorder

reel = runreel.open(sys.argv[1])
for run_id in sys.argv[2:]:
    recorder = Recorder(reel.db, run_id, source="yandex-assistants", via="live")
    recorder.offer("run", {"id": run_id})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("key", ["YC_API_KEY", "YC_IAM_TOKEN", "YC_TOKEN"])
def test_recovering_goes_on_where_the_service_knows_the_run(
    reel: Reel,
    call: Caller,
    service: AssistantsService,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
) -> None:
    known = service.play(Script(answer(3)))
    left_open = [sys.executable, "-c", PROGRAM, call.url, known, "no-such-run"]
    assert subprocess.run(left_open, check=False).returncode == -signal.SIGKILL
    assert len(call.good("recover", "--list", "--json").json["items"]) == 2
    if key != "YC_API_KEY":
        monkeypatch.setenv(key, os.environ["YC_API_KEY"])
        monkeypatch.delenv("YC_API_KEY")
        monkeypatch.setattr(service, "_key", None)
    found = {item["run_id"]: item for item in call.good("recover", "--json").json["items"]}
    assert found[known]["action"] == "resumed"
    assert found["no-such-run"]["action"] == "interrupted"
    assert "has no run no-such-run" in found["no-such-run"]["reason"]
    assert_copy(reel, service, known)
    assert reel.run(known).recording == "closed"
    assert reel.run("no-such-run").recording == "interrupted"
    assert call.good("recover", "--json").json["items"] == []


def test_without_a_key_recordings_are_ended(
    reel: Reel, call: Caller, service: AssistantsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = service.play(Script(answer(3)))
    subprocess.run([sys.executable, "-c", PROGRAM, call.url, run_id], check=False)
    monkeypatch.delenv("YC_API_KEY")
    asked = len(service.calls)
    (item,) = call.good("recover", "--json").json["items"]
    assert (item["action"], len(service.calls)) == ("interrupted", asked)
    with runreel.open(call.url) as other:
        assert other.run(run_id).recording == "interrupted"
