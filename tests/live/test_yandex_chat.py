"""Chat completions of the Yandex SDK, which makes a new client for each call, are recorded."""

from __future__ import annotations

import pytest
from yandex_ai_studio_sdk import AIStudio

import runreel
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.live.sse_server import Answer


@pytest.fixture
def model(server):
    services = {"http_completions": server.url}
    sdk = AIStudio(folder_id="folder", auth="AQVNkey", endpoint=None, service_map=services)
    return sdk.chat.completions("yandexgpt")


def chunks():
    """Its stream cannot read a chunk whose finish reason is null."""
    made = script.chunks("Paris, of course.", used=script.chat_usage(9, 12))
    for choice in (choice for chunk in made for choice in chunk["choices"]):
        if choice.get("finish_reason") is None:
            choice.pop("finish_reason", None)
    return made


def check(reel):
    (run,) = reel.runs()
    assert (run.status, run.recording) == (RunStatus.COMPLETED, "closed")
    assert run.usage.total_tokens == 21
    assert reel.result(run.run_id).text == "Paris, of course."


def test_its_streams_are_recorded(server, model, tmp_path):
    server.say(Answer(events=chunks(), done=True))
    with runreel.watch(tmp_path / "log.db") as watch:
        *_, last = model.run_stream("The capital of France?")
        assert last.text == "Paris, of course."
        check(watch.reel)


def test_its_whole_answers_are_recorded(server, model, tmp_path):
    server.say(Answer(body=script.completion("Paris, of course.", usage=script.chat_usage(9, 12))))
    with runreel.watch(tmp_path / "log.db") as watch:
        assert model.run("The capital of France?").text == "Paris, of course."
        check(watch.reel)
