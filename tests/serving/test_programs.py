"""Unmodified programs get from the server what they got when they were recorded."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import httpx
import openai
import pytest

import runreel
from runreel.model.events import STREAM_EVENT
from runreel.serving import requests_in
from runreel.serving.timing import Timing
from tests.live import openai_script as script
from tests.live.callers import WAYS, ask, client_of
from tests.live.sse_server import Answer, Pause

CALL = script.call("weather", {"city": "Berlin"})
HELLO = script.events([script.output_of(["Hello, ", "world"])], id_="resp_h")


def responses_loop(stream):
    """The answers of a loop of one tool call by Responses."""
    said = [script.output_of(["It is ", "sunny"])]
    if stream:
        asked = script.events([CALL], id_="resp_1")
        return Answer(events=asked), Answer(events=script.events(said, id_="resp_2"))
    return tuple(
        Answer(body=script.response(f"resp_{n}", output=output, usage=script.usage(n, n)))
        for n, output in ((1, [CALL]), (2, said))
    )


def chat_loop(stream):
    used = script.chat_usage(5, 6)
    if stream:
        first = script.chunks(calls=[("weather", '{"city": "Berlin"}')])
        last = script.chunks("It is sunny", used=used)
        return Answer(events=first, done=True), Answer(events=last, done=True)
    call = {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    asked = script.completion(None)
    asked["choices"][0]["message"]["tool_calls"] = [call]
    return Answer(body=asked), Answer(body=script.completion("It is sunny"))


def walk(way, stream, got):
    """A program with a tool loop that keeps what the client returns."""

    def program(client):
        asked = [{"role": "user", "content": "Weather?"}]
        after = way(client, asked, stream=stream)
        got.append((after, way(client, after, stream=stream)))
        return got[-1]

    return program


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("number", [0, 1], ids=["responses", "chat"])
def test_a_tool_loop_walks_through(record, serve, reel, number, stream):
    way, loop = WAYS[number][0], (responses_loop, chat_loop)[number]
    got = []
    program = walk(way, stream, got)
    first = record(program, *loop(stream))
    assert len(first[0]) > 1
    with serve() as serving:
        assert program(serving.client()) == first
        # Used up: the last of each again.
        assert program(serving.client()) == first
        assert serving.matcher.unused() == []
        assert serving.problems == []


@pytest.mark.parametrize("number", [0, 1], ids=["responses", "chat"])
def test_events_are_equal_and_timed_as_recorded(record, serve, reel, number):
    def program(client):
        if number == 0:
            return [
                one.model_dump()
                for one in client.responses.create(model="m", input="x", stream=True)
            ]
        asked = [{"role": "user", "content": "x"}]
        stream = client.chat.completions.create(model="m", messages=asked, stream=True)
        return [one.model_dump() for one in stream]

    told = (HELLO, script.chunks("Hello", used=script.chat_usage(1, 2)))[number]
    first = record(program, Answer(events=told, done=number == 1))
    with serve(timing=Timing()) as serving:
        assert program(serving.client()) == first
        (run,) = reel.runs()
        body = '{"model": "m", "input": "x", "messages": [], "stream": true}'
        events = [one for one in reel.events(run.run_id) if one.kind == STREAM_EVENT]
        served = serving.player._answer(serving.player._exchanges[0], streamed=True)
        assert run.requested_at is not None, body
        times = [(one.at - run.requested_at).total_seconds() for one in events]
        offsets = [at for at, _ in served.chunks][: len(times)]
        assert all(abs(a - b) < 0.005 for a, b in zip(times, offsets, strict=True))
        assert offsets == sorted(offsets)


def test_one_word_changed_is_an_error_that_names_it(record, serve, reel):
    record(lambda client: ask(client, stream=True), Answer(events=HELLO))
    with serve() as serving:
        with pytest.raises(openai.NotFoundError) as caught:
            serving.client(max_retries=2).responses.create(
                model=script.MODEL, input="Hullo?", stream=True
            )
        error = caught.value
        assert (error.param, error.code) == ("/input", "different")
        assert "“Hello?”, and this request has “Hullo?”" in str(error)
        (run,) = reel.runs()
        assert f"call 1 of run {run.run_id}" in str(error)
        # The client has not tried again.
        assert len(serving.problems) == 1
        with pytest.raises(openai.NotFoundError, match="the recordings are of openai-responses"):
            serving.client().chat.completions.create(model="m", messages=[])
        with pytest.raises(
            openai.NotFoundError, match="nothing is recorded of POST /v1/embeddings"
        ):
            serving.client().embeddings.create(model="m", input="x")


def test_a_connection_breaks_after_the_events_that_were_named(record, serve, reel):
    record(lambda client: ask(client, stream=True), Answer(events=HELLO))
    for number in (0, 1, 5, len(HELLO)):
        with serve(fail_at=number) as serving:
            got = []
            with pytest.raises(httpx_error()):
                got += iterated(serving.client(), got)
            assert len(got) == number
    with serve(fail_at=len(HELLO) + 1) as serving:
        assert len(ask(serving.client(), stream=True)) == len(HELLO)


def httpx_error():
    import httpx2

    return (httpx.RemoteProtocolError, httpx2.RemoteProtocolError, openai.APIConnectionError)


def iterated(client, got):
    for event in client.responses.create(model=script.MODEL, input="Hello?", stream=True):
        got.append(event)
    return []


def test_a_whole_answer_breaks_before_its_only_event(record, serve, reel):
    whole = script.response("resp_1", output=[script.output_of(["ok"])])
    record(lambda client: ask(client, stream=False), Answer(body=whole))
    with serve(fail_at=0) as serving, pytest.raises(openai.APIConnectionError):
        ask(serving.client(), stream=False)
    with serve(fail_at=1) as serving:
        assert ask(serving.client(), stream=False).output_text == "ok"


def test_conversations_with_the_same_next_question_are_told_apart(record, serve, reel):
    """Each goes on from its own response, in any order."""

    def program(client, cities):
        first = {c: client.responses.create(model="m", input=f"Weather in {c}?") for c in cities}
        more = {}
        for city in reversed(cities):
            previous = first[city].id
            asked = {"input": "And tomorrow?", "previous_response_id": previous}
            more[city] = client.responses.create(model="m", **asked).output_text
        return more

    def answer(asked):
        previous, said = asked.body.get("previous_response_id"), asked.body["input"]
        id_ = f"{previous}_more" if previous else f"resp_{said[11:-1]}"
        return Answer(body=script.response(id_, output=[script.output_of([id_])]))

    first = record(lambda client: program(client, ["Bonn", "Rome"]), *[answer] * 4)
    assert first == {"Bonn": "resp_Bonn_more", "Rome": "resp_Rome_more"}
    with serve(strict=True) as serving:
        assert program(serving.client(), ["Rome", "Bonn"]) == first


def test_a_silent_stream_is_kept_alive_by_comments(record, serve, reel, monkeypatch):
    record(
        lambda client: ask(client, stream=True), Answer(events=[*HELLO[:3], Pause(0.3), *HELLO[3:]])
    )
    monkeypatch.setattr("runreel.serving.sending._SILENCE", 0.05)
    with serve(timing=Timing()) as serving:
        body = {"model": script.MODEL, "input": "Hello?", "stream": True}
        sent = httpx.post(f"{serving.url}/responses", json=body).text
        assert ": keep-alive\n\n" in sent.partition(HELLO[3]["type"])[0]
        assert len(ask(serving.client(), stream=True)) == len(HELLO)


def test_what_is_erased_while_it_is_served_is_gone(record, serve, reel):
    told = script.events([script.output_of(["Hello ", "Bob Stone", "!"])])
    record(lambda client: ask(client, stream=True), Answer(events=told))
    with serve() as serving:
        assert ask(serving.client(), stream=True)[-1].response.output_text == "Hello Bob Stone!"
        (run,) = reel.runs()
        assert list(reel.redact([run.run_id], "Bob Stone", reason="test", actor="me"))
        assert ask(serving.client(), stream=True)[-1].response.output_text == "Hello █████████!"
        assert list(reel.prune(datetime.now(UTC) + timedelta(days=1), reason="test"))
        with pytest.raises(openai.NotFoundError, match="cannot be read"):
            ask(serving.client(), stream=True)


def test_what_was_cut_is_cut_again(record, serve, reel):
    def program(client):
        got = []
        with suppress(*httpx_error()):
            iterated(client, got)
        return [one.model_dump() for one in got]

    first = record(program, Answer(events=HELLO[:4], cut="chunk"))
    assert len(first) == 4
    with serve() as serving:
        got = []
        with pytest.raises(httpx_error()):
            iterated(serving.client(), got)
        assert [one.model_dump() for one in got] == first
        assert any("without an end" in notice for notice in serving.notices)


def test_a_failure_is_served_and_the_retry_after_it(record, serve, reel):
    busy = {"error": {"message": "Too many", "type": "rate", "code": "rate_limit_exceeded"}}
    headers = {"retry-after-ms": "1"}

    def program(client):
        return client.responses.create(model="m", input="x").output_text

    whole = script.response("resp_1", output=[script.output_of(["ok"])])
    refused = Answer(body=busy, status=429, headers=headers)
    first = record(program, refused, Answer(body=whole), retries=1)
    assert first == "ok"
    with serve() as serving:
        with pytest.raises(openai.RateLimitError, match="Too many"):
            program(serving.client(max_retries=0))
        assert program(serving.client(max_retries=0)) == "ok"
    with serve() as serving:
        assert program(serving.client(max_retries=1)) == "ok"
        refused = httpx.post(f"{serving.url}/responses", json={"model": "m", "input": "x"})
        assert refused.status_code == 200
    with serve(strict=True) as serving:
        refused = httpx.post(f"{serving.url}/responses", json={"model": "m", "input": "x"})
        assert (refused.status_code, refused.headers["retry-after-ms"]) == (429, "1")


def test_a_call_without_an_answer_fails_again(record, serve, reel):
    wrong = {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}
    with pytest.raises(openai.AuthenticationError):
        record(lambda client: ask(client, stream=True), Answer(body=wrong, status=401))
    with serve() as serving, pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
        ask(serving.client(), stream=True)


def test_a_response_is_retrieved_by_its_id(record, serve, reel):
    record(lambda client: ask(client, stream=True), Answer(events=HELLO))
    with serve() as serving:
        client = serving.client()
        assert client.responses.retrieve("resp_h").output_text == "Hello, world"
        for after in (None, 0, 5, len(HELLO) - 1):
            more = {} if after is None else {"starting_after": after}
            got = client.responses.retrieve("resp_h", stream=True, **more)
            numbers = [one.sequence_number for one in got]
            assert numbers == list(range(0 if after is None else after + 1, len(HELLO)))
        with pytest.raises(openai.NotFoundError, match="resp_none"):
            client.responses.retrieve("resp_none")
        assert [one.id for one in client.models.list()] == [script.MODEL]
        assert ask(client, stream=False).output_text == "Hello, world"


def test_a_stream_of_chat_answers_who_wants_it_whole(record, serve, reel):
    asked = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    told = script.chunks("Hello", used=script.chat_usage(1, 2))
    record(
        lambda client: list(client.chat.completions.create(**asked, stream=True)),
        Answer(events=told, done=True),
    )
    with serve() as serving:
        got = serving.client().chat.completions.create(**asked)
        assert (got.choices[0].message.content, got.usage.total_tokens) == ("Hello", 3)
        with serving.client().chat.completions.stream(**asked) as stream:
            assert stream.get_final_completion().choices[0].message.content == "Hello"


def test_what_was_erased_is_served_as_blocks_and_said_so(record, serve, reel):
    asked = {"model": "m", "input": "I am Bob Stone", "stream": True}

    def program(client):
        return list(client.responses.create(**asked))

    told = script.events([script.output_of(["Hello ", "Bob Stone", "!"])])
    record(program, Answer(events=told))
    (run,) = reel.runs()
    assert list(reel.redact([run.run_id], "Bob Stone", reason="test", actor="me"))
    with serve() as serving:
        last = program(serving.client())[-1].response
        assert last.output_text == "Hello █████████!"
        assert any("Parts were erased" in notice for notice in serving.notices)
        found = httpx.post(f"{serving.url}/responses", json=asked)
        assert "x-runreel-blocks" in found.headers
        assert found.headers["x-runreel-run"] == run.run_id


def test_a_run_whose_request_is_unknown_is_served_only_by_name(serve, reel, server_of_models):
    server_of_models.stream(HELLO)
    with reel.watch(requests=False), client_of(server_of_models.url) as client:
        ask(client, stream=True)
    (run,) = reel.runs()
    with serve() as serving:
        assert any(run.run_id in notice for notice in serving.notices)
        with pytest.raises(openai.NotFoundError, match="there are no recordings"):
            ask(serving.client(), stream=True)
    with serve(run.run_id) as serving:
        assert any("any request" in notice for notice in serving.notices)
        assert len(ask(serving.client(), stream=True)) == len(HELLO)


def test_runs_of_other_sources_are_left_out(serve, reel):
    with reel.recording("plain-run") as recording:
        recording.append(runreel.RunStreamEvent(runreel.StreamEvent.DONE))
    with serve("plain-run") as serving:
        assert serving.others == ["plain-run"]


def test_bad_requests_are_refused(record, serve, reel, monkeypatch):
    monkeypatch.setattr(requests_in, "MAX_BODY", 1000)
    record(lambda client: ask(client, stream=True), Answer(events=HELLO))
    with serve() as serving, httpx.Client(base_url=serving.url) as client:
        assert client.post("/responses", content=b"{").status_code == 400
        assert client.post("/responses", content=b"[1]").status_code == 400
        assert client.post("/responses", content=b"x" * 1001).status_code == 413
        chunks = iter([b"x" * 600] * 2)
        assert client.post("/responses", content=chunks).status_code == 413
        assert client.put("/responses", json={}).status_code == 404
        assert client.get("/none").status_code == 404
        assert client.post("/messages", json={"model": "m", "messages": []}).status_code == 404
        assert client.get("/models", headers={"host": "evil.example"}).status_code == 400
        assert client.get("/models", headers={"host": "localhost"}).status_code == 200
        assert client.get("/models", headers={"sec-fetch-site": "cross-site"}).status_code == 403
        assert client.get("/models", headers={"sec-fetch-site": "same-site"}).status_code == 200


def test_a_client_that_goes_away_disturbs_no_other(record, serve, reel):
    record(lambda client: ask(client, stream=True), Answer(events=HELLO))
    with serve(timing=Timing(speed=0.001)) as serving:
        address = httpx.URL(serving.url)
        body = b'{"model":"%s","input":"Hello?","stream":true}' % script.MODEL.encode()
        with socket.create_connection((address.host, address.port)) as one:
            one.sendall(
                b"POST /v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                % (len(body), body)
            )
            assert b"200 OK" in one.recv(100)
        assert httpx.get(f"{serving.url}/models").status_code == 200


def test_clients_at_once_get_each_its_own(record, serve, reel):
    count = 8

    def program(client):
        return [
            "".join(
                one.delta
                for one in client.responses.create(model="m", input="x", stream=True)
                if one.type == "response.output_text.delta"
            )
            for _ in range(count)
        ]

    told = [script.events([script.output_of([f"answer {n}"])]) for n in range(count)]
    first = record(program, *(Answer(events=events) for events in told))
    with serve() as serving:
        got = []
        clients = [serving.client() for _ in range(count)]
        ask_one = [
            threading.Thread(target=lambda c=client: got.append(once(c))) for client in clients
        ]
        for thread in ask_one:
            thread.start()
        for thread in ask_one:
            thread.join(30)
        assert sorted(got) == sorted(first)


def once(client):
    stream = client.responses.create(model="m", input="x", stream=True)
    return "".join(one.delta for one in stream if one.type == "response.output_text.delta")
