"""The anthropic client gets from the server what it got when it was recorded."""

from __future__ import annotations

import anthropic
import pytest

import runreel
from runreel.capture.http.hook import CallHook
from runreel.serving import proxy as proxies
from runreel.serving.whole_message import whole_message
from tests.live import messages_script as script
from tests.live.sse_server import Answer
from tests.serving.conftest import running


@pytest.fixture
def reel(tmp_path):
    """A log in a file: the database does not matter here."""
    with runreel.open(tmp_path / "log.db") as found:
        yield found


@pytest.fixture
def record_messages(reel, server_of_models):
    """Runs a program on a client whose calls go through the proxy, against given answers."""

    def run(program, *answers):
        server_of_models.say(*answers)
        url = proxies.upstream_url(server_of_models.url)
        app = proxies.create_app(url, CallHook(reel.db), "127.0.0.1", on_problem=print)
        with running(app, has_lifespan=True) as origin, client_of(origin) as client:
            return program(client)

    return run


def client_of(origin):
    return anthropic.Anthropic(
        base_url=origin.removesuffix("/v1"), api_key="sk-secret", max_retries=0
    )


def streamed(name):
    """A program that streams one message; its request is the name of the stream."""

    def program(client):
        asked = {**script.ASKED, "messages": [{"role": "user", "content": name}]}
        with client.messages.stream(**asked) as stream:
            events = [event.to_dict(warnings=False) for event in stream]
            return events, stream.get_final_message().to_dict(warnings=False)

    return program


def test_streams_and_the_messages_that_they_add_up_to(record_messages, serve):
    names = sorted(script.STREAMS)

    def program(client):
        return [streamed(name)(client) for name in names]

    first = record_messages(program, *(Answer(events=script.STREAMS[name]) for name in names))
    with serve(strict=True) as serving, client_of(serving.url) as client:
        assert program(client) == first
        assert serving.matcher.unused() == []
    with serve() as serving, client_of(serving.url) as client:
        for name, (_, final) in zip(names, first, strict=True):
            asked = [{"role": "user", "content": name}]
            whole = client.messages.create(**{**script.ASKED, "messages": asked})
            assert whole.to_dict(warnings=False)["content"] == final["content"], name
            assert whole.usage.output_tokens == final["usage"]["output_tokens"]
            assert whole.stop_reason == final["stop_reason"]


def test_a_miss_has_the_shape_of_this_vendor(record_messages, serve):
    record_messages(streamed("text"), Answer(events=script.STREAMS["text"]))
    with (
        serve() as serving,
        client_of(serving.url) as client,
        pytest.raises(anthropic.NotFoundError, match="“text”, and this request has “texts”"),
    ):
        streamed("texts")(client)


def test_a_refusal_is_served_again(record_messages, serve):
    def program(client):
        with pytest.raises(anthropic.APIStatusError, match="Overloaded") as caught:
            streamed("text")(client)
        return caught.value.status_code, caught.value.body

    first = record_messages(program, Answer(body=script.OVERLOADED, status=529))
    with serve() as serving, client_of(serving.url) as client:
        assert program(client) == first == (529, script.OVERLOADED)


def test_a_message_without_its_end_is_none():
    for name, events in script.STREAMS.items():
        if events[-1] != script.STOP and script.STOP not in events:
            continue
        end = events.index(script.STOP)
        assert whole_message(events[:end]) is None, name
    assert whole_message([script.start(), script.OVERLOADED, script.STOP]) is None
