"""The proxy: programs that know nothing of runreel, recorded on their way to a service."""

from __future__ import annotations

import gzip
import json
import socket
import threading

import httpx
import openai
import pytest

from runreel.capture.http.hook import CallHook
from runreel.model.errors import DatabaseUnavailable
from runreel.model.events import STREAM_EVENT
from runreel.serving import proxy as proxies
from runreel.serving import requests_in
from tests.live import openai_script as script
from tests.live.callers import ASKED, TOLD, WAYS, ask, client_of
from tests.live.sse_server import Answer, Pause, Script
from tests.logs import verify
from tests.serving.conftest import running
from tests.serving.test_programs import chat_loop, httpx_error, iterated, responses_loop, walk

KEY = "sk-very-secret-0123456789"


class Proxy:
    """A running proxy; ``client`` is the unmodified client of a program."""

    def __init__(self, origin: str, problems: list[str], upstream: Script) -> None:
        self.upstream = upstream
        self.url = f"{origin}/v1"
        self.problems = problems
        self.client = openai.OpenAI(base_url=self.url, api_key=KEY, max_retries=0)


@pytest.fixture
def proxy(reel, server_of_models):
    problems: list[str] = []
    hook = CallHook(reel.db, labels={"by": "proxy"})
    url = proxies.upstream_url(server_of_models.url)
    app = proxies.create_app(url, hook, "127.0.0.1", on_problem=problems.append)
    with running(app, has_lifespan=True) as origin:
        made = Proxy(origin, problems, server_of_models)
        with made.client:
            yield made
    assert reel.rebuild(check=True) == []
    verify(reel)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("number", [0, 1], ids=["responses", "chat"])
def test_a_program_is_recorded_as_with_watch(proxy, reel, serve, number, stream):
    way, loop = WAYS[number][0], (responses_loop, chat_loop)[number]
    proxy.upstream.say(*loop(stream))
    program = walk(way, stream, [])
    first = program(proxy.client)
    (run,) = reel.runs()
    assert (run.source, run.labels) == (WAYS[number][1], {"by": "proxy"})
    assert run.status.name == "COMPLETED"
    with serve() as serving:
        assert program(serving.client()) == first
    assert proxy.problems == []


def test_bytes_and_headers_pass_unchanged_and_the_key_is_not_stored(
    proxy, reel, server_of_models, db_url
):
    body = json.dumps(script.response("resp_1", output=[script.output_of(["Hi"])])).encode()
    packed = gzip.compress(body)
    server_of_models.say(Answer(body=packed, headers={"content-encoding": "gzip", "x-own": "1"}))
    headers = {"authorization": f"Bearer {KEY}", "x-mine": "2", "accept-encoding": "br, gzip;q=0.5"}
    sent = b'{"model": "m",   "input": "x"}'
    with httpx.Client() as client:
        request = client.build_request(
            "POST", f"{proxy.url}/responses?a=b%20c", content=sent, headers=headers
        )
        answer = client.send(request, stream=True)
        assert b"".join(answer.iter_raw()) == packed
        assert answer.headers["x-own"] == "1"
        assert len(answer.headers.get_list("date")) == 1
    (asked,) = server_of_models.asked
    found = {name.lower(): value for name, value in asked.headers.items()}
    assert (asked.path, asked.body) == ("/v1/responses?a=b%20c", json.loads(sent))
    assert (found["authorization"], found["x-mine"]) == (f"Bearer {KEY}", "2")
    assert found["content-length"] == str(len(sent))
    # What cannot be read cannot be recorded.
    assert found["accept-encoding"] == "gzip;q=0.5"
    (run,) = reel.runs()
    assert reel.result(run.run_id).text == "Hi"
    assert KEY.encode() not in everything(reel)


def raw_events(reel, run):
    return [event.raw for event in reel.events(run.run_id) if event.kind == STREAM_EVENT]


def everything(reel):
    """All that the log holds of its runs, as text."""
    return "\n".join(
        repr(event) for run in reel.runs() for event in reel.events(run.run_id)
    ).encode()


def test_a_refusal_passes_and_the_run_fails(proxy, reel, server_of_models):
    wrong = {"error": {"message": f"Incorrect API key: {KEY}", "code": "invalid_api_key"}}
    server_of_models.say(Answer(body=wrong, status=401))
    with pytest.raises(openai.AuthenticationError, match=KEY):
        ask(proxy.client, stream=True)
    (run,) = reel.runs()
    assert run.status.name == "FAILED"
    assert "Incorrect API key: ███" in run.error.message
    assert KEY.encode() not in everything(reel)


def test_a_service_that_is_gone_fails_the_run(reel):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = proxies.upstream_url(f"http://127.0.0.1:{port}/v1")
    problems: list[str] = []
    app = proxies.create_app(url, CallHook(reel.db), "127.0.0.1", on_problem=problems.append)
    with (
        running(app, has_lifespan=True) as origin,
        client_of(f"{origin}/v1") as client,
    ):
        with pytest.raises(openai.InternalServerError, match="does not answer") as raised:
            ask(client, stream=True)
        assert raised.value.type == "server_error"
        answer = httpx.post(f"{origin}/v1/messages", json={"model": "m", "messages": []})
        assert (answer.status_code, answer.json()["error"]["type"]) == (502, "api_error")
    assert [run.status.name for run in reel.runs()] == ["FAILED", "FAILED"]
    assert len(problems) == 2


def test_a_stream_that_breaks_breaks_for_the_program_too(proxy, reel, server_of_models):
    server_of_models.stream(TOLD[:4], cut="chunk")
    got = []
    with pytest.raises(httpx_error()):
        iterated(proxy.client, got)
    assert len(got) == 4
    (run,) = reel.runs()
    assert (run.recording, len(proxy.problems)) == ("interrupted", 1)
    assert [event.raw for event in reel.events(run.run_id) if event.kind == "stream_event"] == TOLD[
        :4
    ]


def test_what_the_program_has_is_in_the_log(proxy, reel, server_of_models):
    ready = threading.Event()
    server_of_models.stream([*TOLD[:5], Pause(30, ready), *TOLD[5:]])
    stream = iter(proxy.client.responses.create(**ASKED, stream=True))
    got = [next(stream).to_dict() for _ in range(5)]
    (run,) = reel.runs()
    assert [one["type"] for one in raw_events(reel, run)] == [one["type"] for one in got]
    ready.set()
    assert len(list(stream)) == len(TOLD) - 5


def test_a_program_that_goes_away_ends_the_recording(proxy, reel, server_of_models):
    over = threading.Event()
    server_of_models.stream([*TOLD[:5], Pause(30, over), *TOLD[5:]])
    stream = proxy.client.responses.create(**ASKED, stream=True)
    next(iter(stream))
    stream.close()
    for _ in range(500):
        (run,) = reel.runs()
        if run.recording == "interrupted":
            break
        over.wait(0.02)
    over.set()
    assert run.recording == "interrupted"
    # The service lost its client as well.
    for _ in range(500):
        if not server_of_models.connections():
            break
        threading.Event().wait(0.02)
    assert server_of_models.connections() == 0


def test_other_requests_pass_and_leave_no_trace(proxy, reel, server_of_models):
    listed = {
        "object": "list",
        "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}],
    }
    server_of_models.say(Answer(body=listed))
    assert [one.id for one in proxy.client.models.list()] == ["m"]
    assert list(reel.runs()) == []


def test_what_cannot_be_forwarded_is_refused(proxy, reel, server_of_models, monkeypatch):
    monkeypatch.setattr(requests_in, "MAX_BODY", 1000)
    origin = proxy.url.removesuffix("/v1")
    assert httpx.post(f"{proxy.url}/responses", content=b"x" * 1001).status_code == 413
    assert httpx.get(f"{origin}/metrics").status_code == 404
    assert httpx.get(f"{proxy.url}/models", headers={"host": "evil.example"}).status_code == 400
    site = {"sec-fetch-site": "cross-site"}
    assert httpx.post(f"{proxy.url}/responses", json={}, headers=site).status_code == 403
    assert server_of_models.asked == []


@pytest.mark.parametrize("on_error", ["raise", "warn"])
def test_a_log_that_fails_follows_on_error(reel, server_of_models, monkeypatch, on_error):
    def fail(*_, **__):
        raise DatabaseUnavailable("the disk is gone")

    problems: list[str] = []
    hook = CallHook(reel.db, on_error=on_error)
    url = proxies.upstream_url(server_of_models.url)
    app = proxies.create_app(url, hook, "127.0.0.1", on_problem=problems.append)
    server_of_models.stream(TOLD)
    monkeypatch.setattr("runreel.capture.calls.run_choice.begin", fail)
    with running(app, has_lifespan=True) as origin, client_of(f"{origin}/v1", 2) as client:
        if on_error == "warn":
            assert len(ask(client, stream=True)) == len(TOLD)
            return
        with pytest.raises(openai.InternalServerError, match="the disk is gone"):
            ask(client, stream=True)
    assert (server_of_models.asked, len(problems)) == ([], 1)


def test_bad_upstreams_are_named():
    for text in ("", "api.openai.com/v1", "ftp://x/v1", "http://", "http://[::1", "http://x/?a=1"):
        with pytest.raises(proxies.UsageError, match="invalid URL"):
            proxies.upstream_url(text)


def test_the_base_of_the_upstream_replaces_that_of_the_proxy(reel):
    target = proxies._Proxy(
        proxies.upstream_url("https://host/openai/v9/"), CallHook(reel.db), print
    )._target
    assert str(target("/v1/responses/a b/é", b"x=1%2F2")) == (
        "https://host/openai/v9/responses/a%20b/%C3%A9?x=1%2F2"
    )
    assert str(target("/v1", b"")) == "https://host/openai/v9"
    assert target("/v2/responses", b"") is None
    assert target("/v1x", b"") is None
