"""Listening by a run's id alone, with the SDK's environment variables, over TLS."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from yandex.cloud.ai.assistants.v1.common_pb2 import ToolResultList
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent

from runreel.capture.yandex.record import PROTO_MODULES, listen_by_id
from runreel.capture.yandex.recording_adapter import RecordingAdapter
from runreel.model.errors import MissingExtra, RunNotFound, SourceError, SourceMismatch
from runreel.recording.recorder import Recorder
from tests.live.assistants_script import (
    TOOL_ROUND,
    Done,
    Fault,
    Partial,
    Pause,
    Raw,
    Script,
    answer,
    end,
)
from tests.live.yandex import HASTY, QUICK, assert_copy, notes, outline, stream

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.model.import_report import Report
    from tests.live.assistants_service import AssistantsService

ROOT = Path(__file__).parents[2]


pytestmark = pytest.mark.usefixtures("way_there")


@pytest.fixture
def service(secure_assistants: AssistantsService) -> AssistantsService:
    return secure_assistants


def listen(reel: Reel, run_id: str, **settings: Any) -> Report:
    return listen_by_id(reel.db, run_id, **({"patience": QUICK} | settings))


def test_a_run_is_recorded_by_its_id(reel: Reel, service: AssistantsService) -> None:
    script = Script(answer(40), faults=[Fault(5), end(5)], twice=frozenset({30}))
    run_id = service.play(script)
    counts = []
    heard = listen(
        reel,
        run_id,
        identity={"labels": {"team": "search"}},
        on_event=lambda h: counts.append(h.lines),
    )
    assert_copy(reel, service, run_id)
    assert reel.run(run_id).recording == "closed"
    assert reel.run(run_id).usage is not None
    assert reel.run(run_id).model == "gpt://folder/yandexgpt/latest"
    assert reel.run(run_id).labels == {"team": "search"}
    assert heard.runs_new == heard.runs_touched == 1
    assert heard.events_new == len([row for row in outline(reel, run_id) if "note" not in row])
    assert counts == sorted(counts)
    assert counts[-1] == heard.lines
    call = next(call for call in service.calls if call.method == "RunService.Listen")
    assert call.metadata["authorization"] == "Api-Key secret"


def test_again_adds_nothing(reel: Reel, service: AssistantsService) -> None:
    run_id = service.play(Script(answer(5)))
    listen(reel, run_id)
    before = outline(reel, run_id)
    heard = listen(reel, run_id)
    assert (heard.events_new, heard.runs_new, heard.runs_touched) == (0, 0, 0)
    assert outline(reel, run_id) == before


def test_what_is_whole_needs_no_service(
    reel: Reel, service: AssistantsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = service.play(Script(answer(2)))

    async def dies(*_: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as killed, pytest.raises(SystemExit):
        killed.setattr(RecordingAdapter, "close", dies)
        killed.setattr(RecordingAdapter, "interrupt", dies)
        listen(reel, run_id)
    assert reel.run(run_id).recording == "open"
    monkeypatch.setenv("YC_API_ENDPOINT", "nobody.invalid:1")
    listen(reel, run_id)
    assert reel.run(run_id).recording == "closed"


def test_it_goes_on_where_the_log_ends(reel: Reel, service: AssistantsService) -> None:
    script = Script(
        [Partial("a"), Pause(2), Partial("ab"), Done("abc")],
        faults=[end(1), *(end(0) for _ in range(200))],
    )
    run_id = service.play(script)
    with pytest.raises(SourceError, match="no new event for too long; its status is IN_PROGRESS"):
        listen(reel, run_id, patience=replace(QUICK, silence=0.3))
    assert notes(reel, run_id) == ["opened", "interrupted"]
    script.faults.clear()
    listen(reel, run_id)
    assert notes(reel, run_id) == ["opened", "interrupted", "resumed", "closed"]
    assert_copy(reel, service, run_id)


def test_tool_calls_are_left_to_whoever_answers_them(
    reel: Reel, service: AssistantsService
) -> None:
    run_id = service.play(Script(TOOL_ROUND, closes_at_calls=True))
    played = service.runs[run_id]
    timer = threading.Timer(1.0, played.submit, (ToolResultList(),))
    timer.start()
    listen(reel, run_id)
    timer.join()
    assert [row.type for row in stream(reel, run_id)] == ["TOOL_CALLS", "PARTIAL_MESSAGE", "DONE"]
    assert reel.run(run_id).recording == "closed"


def untouched(reel: Reel, run_id: str) -> bool:
    try:
        reel.run(run_id)
    except RunNotFound:
        return True
    return False


def test_a_wrong_key(
    reel: Reel, service: AssistantsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = service.play(Script(answer(2)))
    monkeypatch.setenv("YC_API_KEY", "wrong")
    with pytest.raises(SourceError, match="refuses the key") as caught:
        listen(reel, run_id)
    assert caught.value.exit_code == 4
    assert "YC_API_KEY" in str(caught.value.hint)
    assert untouched(reel, run_id)


def test_an_iam_token(
    reel: Reel, service: AssistantsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("YC_API_KEY")
    monkeypatch.setenv("YC_IAM_TOKEN", "token\n")
    with pytest.raises(SourceError, match="refuses the key"):
        listen(reel, service.play(Script(answer(2))))
    assert service.calls[-1].metadata["authorization"] == "Bearer token"


def test_no_key(reel: Reel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("YC_API_KEY")
    with pytest.raises(SourceError, match="no key") as caught:
        listen(reel, "run-1")
    assert "YC_IAM_TOKEN" in str(caught.value.hint)


def test_a_wrong_run_id(reel: Reel) -> None:
    with pytest.raises(SourceError, match="no run no-such-run"):
        listen(reel, "no-such-run")
    assert untouched(reel, "no-such-run")


def test_nobody_there(reel: Reel, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("YC_API_ENDPOINT", f"127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(SourceError, match="does not answer") as caught:
            listen(reel, "run-1")
    assert "switched off" in str(caught.value.hint)
    assert untouched(reel, "run-1")


def test_somebody_there_who_never_answers(reel: Reel, service: AssistantsService) -> None:
    run_id = service.play(Script(answer(2)))
    service.silent = True
    try:
        with pytest.raises(SourceError, match="does not answer"):
            listen_by_id(reel.db, run_id, patience=HASTY)
    finally:
        service.silent = False
    assert untouched(reel, run_id)


def test_garbage(reel: Reel, service: AssistantsService) -> None:
    run_id = service.play(Script([Partial("fine"), Raw(b"\xff\xff"), Done("x")]))
    with pytest.raises(SourceError, match="not a message of the Assistants API") as caught:
        listen_by_id(reel.db, run_id)
    assert "YC_API_ENDPOINT" in str(caught.value.hint)
    assert [row.text for row in stream(reel, run_id)] == ["fine"]
    assert notes(reel, run_id) == ["opened", "interrupted"]


def test_an_event_of_a_kind_that_nobody_knows(reel: Reel, service: AssistantsService) -> None:
    strange = StreamEvent.FromString(b"\x08\x63")
    run_id = service.play(Script([Raw(strange), Done("fine")]))
    listen(reel, run_id)
    assert [row.type for row in stream(reel, run_id)] == ["UNKNOWN", "DONE"]
    assert stream(reel, run_id)[0].raw["eventType"] == 99
    assert notes(reel, run_id) == ["opened", "closed"]


def test_another_source(reel: Reel) -> None:
    Recorder(reel.db, "mine", source="plain", via="program").offer(
        "stream_event", {"type": "DONE", "text": "mine"}
    )
    with pytest.raises(SourceMismatch):
        listen(reel, "mine")


@pytest.mark.parametrize("module", PROTO_MODULES)
def test_missing_packages(reel: Reel, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"versions 0\.19\.0 to 0\.22\.0") as caught:
        listen(reel, "run-1")
    assert "runreel[yandex]" in str(caught.value.hint)
    assert untouched(reel, "run-1")


def run_program(text: str, service: AssistantsService, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text), *arguments],
        env=os.environ | service.environment,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_environment_alone_is_enough(
    reel: Reel, db_url: str, service: AssistantsService
) -> None:
    run_id = service.play(Script(answer(5)))
    listens = """
        import sys
        import runreel
        from runreel.capture.yandex.record import listen_by_id

        with runreel.open(sys.argv[1]) as reel:
            print(listen_by_id(reel.db, sys.argv[2]).events_new)
            assert "yandex_ai_studio_sdk" not in sys.modules
    """
    assert int(run_program(listens, service, db_url, run_id)) >= 6
    assert_copy(reel, service, run_id)


def test_an_unmodified_program_over_tls(
    reel: Reel, db_url: str, service: AssistantsService
) -> None:
    service.scripts.append(Script([Partial("It is"), Done("It is sunny.")]))
    asks = """
        import sys
        from yandex_ai_studio_sdk import AIStudio
        import runreel
        from runreel.capture.yandex import record as yandex

        sdk = AIStudio()
        assistant = sdk.assistants.create("yandexgpt")
        thread = sdk.threads.create()
        thread.write("What is the weather in Paris?")
        with runreel.open(sys.argv[1]) as reel:
            run = yandex.recorded(assistant.run_stream(thread), reel.db)
            for event in run:
                print(event.text)
        print(run.id)
    """
    *texts, run_id = run_program(asks, service, db_url).splitlines()
    assert texts == ["It is", "It is sunny."]
    assert_copy(reel, service, run_id)
