"""Calls through httpx and httpx2 are recorded, each event before the program sees it."""

from __future__ import annotations

import asyncio

import httpx
import httpx2
import openai
import pytest

import runreel
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.live.hooked import KEY, PACKAGES, Wire, cut, wire
from tests.live.sse_server import Answer
from tests.live.told import kept, notes
from tests.logs import verify

ASKED = {"model": script.MODEL, "input": "Hello?"}
CHATTED = {"model": script.MODEL, "messages": [{"role": "user", "content": "Hello?"}]}
TOLD = script.events([script.output_of(["Hello, ", "world"])])
CHUNKS = script.chunks("Hello, world", used=script.chat_usage(9, 12))
ENDED = script.response("resp_1", output=[script.output_of(["Hello"])], usage=script.usage(100, 14))


@pytest.fixture
def watch(reel):
    with reel.watch() as watch:
        yield watch
    assert reel.rebuild(check=True) == []
    verify(reel)


def legacy(server, asynchronous):
    """A client of openai on the package that it does not come with."""
    http = httpx.AsyncClient() if asynchronous else httpx.Client()
    kind = openai.AsyncOpenAI if asynchronous else openai.OpenAI
    return kind(base_url=server.url, api_key="k", max_retries=0, http_client=http)


@pytest.fixture(params=["httpx", "httpx2"])
def own_client(request, server):
    if request.param == "httpx":
        made = legacy(server, asynchronous=False)
    else:
        made = openai.OpenAI(base_url=server.url, api_key="k", max_retries=0)
    with made:
        yield made


@pytest.fixture(params=["httpx", "httpx2"])
def own_async(request, server):
    """Makes an asynchronous client in the loop of the caller."""

    def make():
        if request.param == "httpx":
            return legacy(server, asynchronous=True)
        return openai.AsyncOpenAI(base_url=server.url, api_key="k", max_retries=0)

    return make


def committed(url, run_id):
    """How many events another connection finds."""
    with runreel.open(url) as other:
        try:
            return len(kept(other, run_id))
        except runreel.RunNotFound:
            return 0


def test_each_event_of_a_response_is_committed_before_the_program_sees_it(
    watch, own_client, server, db_url
):
    server.stream(TOLD)
    for seen, _ in enumerate(own_client.responses.create(**ASKED, stream=True), 1):
        assert committed(db_url, "resp_1") >= seen
    assert kept(watch.reel) == TOLD
    run = watch.reel.run("resp_1")
    assert (run.status, run.recording) == (RunStatus.COMPLETED, "closed")
    assert watch.reel.result("resp_1").text == "Hello, world"


def test_each_event_is_committed_before_asynchronous_programs_see_it(
    watch, own_async, server, db_url
):
    async def main():
        server.stream(TOLD)
        async with own_async() as client:
            seen = 0
            async for _ in await client.responses.create(**ASKED, stream=True):
                seen += 1
                assert committed(db_url, "resp_1") >= seen

    asyncio.run(main())
    assert kept(watch.reel) == TOLD
    assert watch.reel.run("resp_1").recording == "closed"


def test_the_chunks_of_a_completion_are_recorded(watch, own_client, server):
    server.stream(CHUNKS, done=True)
    seen = list(own_client.chat.completions.create(**CHATTED, stream=True))
    assert kept(watch.reel, "chatcmpl-1") == CHUNKS
    assert len(seen) == len(CHUNKS)
    run = watch.reel.run("chatcmpl-1")
    assert (run.status, run.recording) == (RunStatus.COMPLETED, "closed")
    assert run.usage == runreel.Usage(9, 21, 12)


def test_the_chunks_of_an_asynchronous_completion_are_recorded(watch, own_async, server):
    async def main():
        server.stream(CHUNKS, done=True)
        async with own_async() as client:
            async for _ in await client.chat.completions.create(**CHATTED, stream=True):
                pass

    asyncio.run(main())
    assert kept(watch.reel, "chatcmpl-1") == CHUNKS
    assert watch.reel.run("chatcmpl-1").recording == "closed"


def test_finished_answers_are_recorded(watch, own_client, server):
    server.say(Answer(body=ENDED), Answer(body=script.completion("Hi")))
    assert own_client.responses.create(**ASKED).output_text == "Hello"
    assert own_client.chat.completions.create(**CHATTED).choices[0].message.content == "Hi"
    assert [row.raw for row in watch.reel.events("resp_1") if row.kind == "run"] == [ENDED]
    for run_id, text in (("resp_1", "Hello"), ("chatcmpl-1", "Hi")):
        run = watch.reel.run(run_id)
        assert (run.status, run.recording) == (RunStatus.COMPLETED, "closed")
        assert watch.reel.result(run_id).text == text


def test_finished_answers_of_asynchronous_clients_are_recorded(watch, own_async, server):
    async def main():
        server.say(Answer(body=ENDED), Answer(body=script.completion("Hi")))
        async with own_async() as client:
            await client.responses.create(**ASKED)
            await client.chat.completions.create(**CHATTED)

    asyncio.run(main())
    assert [run.recording for run in watch.reel.runs()] == ["closed", "closed"]


def test_a_chain_of_responses_is_one_run(watch, own_client, server):
    call = script.call("weather", {"city": "Berlin"})
    server.stream(script.events([call]))
    for _ in own_client.responses.create(**ASKED, stream=True):
        pass
    second = script.events([script.output_of(["Sunny"])], id_="resp_2")
    server.stream(second)
    output = {"type": "function_call_output", "call_id": "call_1", "output": "sun"}
    for _ in own_client.responses.create(
        model=script.MODEL, input=[output], previous_response_id="resp_1", stream=True
    ):
        pass
    (run,) = watch.reel.runs()
    assert watch.reel.resolve("resp_1") == watch.reel.resolve("resp_2") == run.run_id
    assert watch.reel.result("resp_1").text == "Sunny"
    assert any(row.kind == "tool_results" for row in watch.reel.events("resp_1"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_all_whole_events_of_a_chunk_share_a_commit(watch, monkeypatch, package):
    from runreel.recording.group_commit import Committer

    units = []
    real = Committer.commit

    def commit(self, unit):
        units.append(len(unit.rows))
        return real(self, unit)

    monkeypatch.setattr(Committer, "commit", commit)
    connection = Wire(package)
    body = wire(TOLD)
    middle = len(body) // 2
    connection.answer([body[:middle], body[middle:]])
    for _ in connection.client().responses.create(**ASKED, stream=True):
        pass
    # The note that opens the run with the request, and two chunks, the last with the last note.
    assert len(units) == 3
    assert sum(units) == len(TOLD) + 3


def test_many_at_once_are_kept_apart(watch, own_async, server):
    def answer(asked):
        return Answer(events=script.events([script.output_of(["a", "b"])], id_=asked.body["input"]))

    server.say(*[answer] * 32)

    async def main():
        async with own_async() as client:

            async def one(number):
                asked = {**ASKED, "input": f"resp_{number}"}
                stream = await client.responses.create(**asked, stream=True)
                return [event.type async for event in stream]

            return await asyncio.gather(*map(one, range(32)))

    seen = asyncio.run(main())
    runs = list(watch.reel.runs(limit=0))
    assert {run.response_id for run in runs} == {f"resp_{number}" for number in range(32)}
    assert {(run.events, run.recording) for run in runs} == {(len(seen[0]), "closed")}


def with_raw_response(client):
    return [
        event.type
        for event in client.responses.with_raw_response.create(**ASKED, stream=True).parse()
    ]


def with_streaming_response(client):
    with client.responses.with_streaming_response.create(**ASKED, stream=True) as response:
        return [event.type for event in response.parse()]


def iter_lines(client):
    with client.responses.with_streaming_response.create(**ASKED, stream=True) as response:
        return list(response.iter_lines())


def responses_stream(client):
    with client.responses.stream(**ASKED) as stream:
        return [event.type for event in stream]


def a_copy(client):
    copied = client.with_options(max_retries=0).copy()
    return [event.type for event in copied.responses.create(**ASKED, stream=True)]


def a_block(client):
    with client.responses.create(**ASKED, stream=True) as stream:
        return [event.type for event in stream]


@pytest.mark.parametrize(
    "way",
    [with_raw_response, with_streaming_response, iter_lines, responses_stream, a_copy, a_block],
)
def test_every_way_of_the_client_is_recorded(watch, own_client, server, way):
    server.stream(TOLD)
    assert way(own_client)
    assert kept(watch.reel) == TOLD
    assert notes(watch.reel) == [("closed", None)]


def test_raw_and_streaming_ways_of_finished_answers_are_recorded(watch, own_client, server):
    server.say(Answer(body=ENDED), Answer(body={**ENDED, "id": "resp_2"}))
    own_client.responses.with_raw_response.create(**ASKED).parse()
    with own_client.responses.with_streaming_response.create(**ASKED) as response:
        response.parse()
    assert sorted(run.response_id for run in watch.reel.runs()) == ["resp_1", "resp_2"]


def test_retries_of_the_client_leave_one_run(watch, own_client, server):
    refused = Answer(body={"error": {"message": "slow down"}}, status=429)
    broken = Answer(body={"error": {"message": "oh"}}, status=500)
    for answer in (refused, broken):
        answer.headers["retry-after-ms"] = "1"
        server.say(answer)
    server.stream(TOLD)
    client = own_client.with_options(max_retries=2)
    assert len(list(client.responses.create(**ASKED, stream=True))) == len(TOLD)
    (run,) = watch.reel.runs()
    assert (run.response_id, run.status, run.error) == ("resp_1", RunStatus.COMPLETED, None)
    attempts = [row.raw for row in watch.reel.events("resp_1", type="attempt")]
    # The client closes these responses without reading them.
    assert [attempt["status"] for attempt in attempts] == [429, 500]
    assert run.requested_at < run.started_at


def test_a_refused_call_is_a_failed_run(watch, own_client, server):
    server.say(Answer(body={"error": {"message": "no", "code": "bad"}}, status=400))
    with pytest.raises(openai.BadRequestError):
        own_client.responses.create(**ASKED)
    (run,) = watch.reel.runs()
    assert (run.status, run.recording) == (RunStatus.FAILED, "closed")
    assert run.error == runreel.RunError("no", 400)
    (attempt,) = [row.raw for row in watch.reel.events(run.run_id, type="attempt")]
    assert attempt["body"]["error"]["code"] == "bad"


def test_a_server_that_is_not_there_is_a_failed_run(watch, own_client):
    absent = own_client.with_options(base_url="http://127.0.0.1:9/v1", max_retries=1)
    with pytest.raises(openai.APIConnectionError):
        absent.responses.create(**ASKED)
    (run,) = watch.reel.runs()
    assert (run.status, run.recording, run.error.code) == (RunStatus.FAILED, "closed", None)
    assert run.error.message
    assert len(list(watch.reel.events(run.run_id, type="attempt"))) == 2


def test_a_refused_asynchronous_call_is_a_failed_run(watch, own_async, server):
    async def main():
        server.say(Answer(body={"error": {"message": "no"}}, status=429))
        server.stream(TOLD)
        async with own_async() as client:
            again = client.with_options(max_retries=1)
            async for _ in await again.responses.create(**ASKED, stream=True):
                pass
            server.say(Answer(body={"error": {"message": "no"}}, status=401))
            with pytest.raises(openai.AuthenticationError):
                await client.responses.create(**ASKED)

    asyncio.run(main())
    failed, done = watch.reel.runs()
    assert (done.status, done.response_id) == (RunStatus.COMPLETED, "resp_1")
    assert failed.error == runreel.RunError("no", 401)


def test_calls_of_a_function_are_recorded_once_by_watch_and_record(watch, own_client, server):
    server.stream(TOLD)
    server.say(Answer(body=ENDED), Answer(body={"error": {"message": "no"}}, status=400))
    reel = watch.reel
    list(reel.record(lambda: own_client.responses.create(**ASKED, stream=True)))
    reel.record(lambda: own_client.responses.create(**ASKED))
    with pytest.raises(openai.BadRequestError):
        reel.record(lambda: own_client.responses.create(**ASKED))
    absent = own_client.with_options(base_url="http://127.0.0.1:9/v1", max_retries=0)
    with pytest.raises(openai.APIConnectionError):
        reel.record(lambda: absent.responses.create(**ASKED))
    assert [run.status.name for run in reel.runs()] == ["FAILED", "FAILED", *["COMPLETED"] * 2]


def test_the_steps_of_an_agent_are_one_run(watch, own_client, server):
    """The whole history is sent again, and no id of a response."""
    asked = [{"role": "user", "content": "Weather?"}]
    call = {"id": "call_7", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    first = script.chunks("", calls=[("f", "{}")], id_="one")
    for chunk in first:
        for made in chunk["choices"][0]["delta"].get("tool_calls", ()):
            made.update({"id": "call_7"} if "id" in made else {})
    server.stream(first, done=True)
    server.stream(script.chunks("Sunny", id_="two"), done=True)
    create = own_client.chat.completions.create
    list(create(model=script.MODEL, messages=asked, stream=True))
    asked += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_7", "content": "sun"},
    ]
    list(create(model=script.MODEL, messages=asked, stream=True))
    (run,) = watch.reel.runs()
    assert (run.status, watch.reel.result("one").text) == (RunStatus.COMPLETED, "Sunny")
    assert watch.reel.request("two")["messages"] == asked


def test_a_redirect_is_followed_and_recorded_once(watch):
    connection = Wire()
    connection.answer(b"", {"location": "http://model.test/v2/responses"}, status=307)
    connection.answer(wire(TOLD))
    for _ in connection.client().responses.create(**ASKED, stream=True):
        pass
    assert [run.response_id for run in watch.reel.runs()] == ["resp_1"]
    assert "runreel" not in connection.asked[-1].extensions


def test_a_log_is_opened_by_one_line(tmp_path, server, own_client):
    server.stream(TOLD)
    with runreel.watch(tmp_path / "log.db", labels={"team": "search", "n": 1}) as watch:
        list(own_client.responses.create(**ASKED, stream=True))
    assert watch.reel.run("resp_1").labels == {"team": "search", "n": "1"}
    watch.reel.close()


def test_a_client_can_be_attached(reel, own_client, server):
    assert reel.attach(own_client) is own_client
    assert reel.attach(own_client) is own_client
    server.stream(TOLD)
    list(own_client.with_options(timeout=3).responses.create(**ASKED, stream=True))
    assert kept(reel) == TOLD
    assert len(list(reel.runs())) == 1


def test_an_asynchronous_client_can_be_attached(reel, own_async, server):
    async def main():
        server.stream(TOLD)
        async with own_async() as client:
            reel.attach(client)
            async for _ in await client.responses.create(**ASKED, stream=True):
                pass

    asyncio.run(main())
    assert kept(reel) == TOLD


def test_azure_clients_can_be_attached(reel, server):
    with reel.attach(
        openai.AzureOpenAI(azure_endpoint=server.url, api_version="v1", api_key="k", max_retries=0)
    ) as client:
        server.stream(CHUNKS, done=True)
        list(client.chat.completions.create(**CHATTED, stream=True))
    assert server.asked[0].path.endswith("/chat/completions?api-version=v1")
    assert kept(reel, "chatcmpl-1") == CHUNKS


def test_calls_through_a_proxy_are_recorded_by_an_attached_client(reel):
    connection = Wire()
    client = connection.client()
    mounted = Wire()
    mounted.answer(wire(TOLD))
    client._client._mounts[httpx2._utils.URLPattern("all://model.test")] = mounted.transport()
    reel.attach(client)
    list(client.responses.create(**ASKED, stream=True))
    assert kept(reel) == TOLD


class Foreign:
    """A client of another vendor."""


@pytest.mark.parametrize("client", [Foreign(), httpx2.Client(), None, "x"])
def test_clients_of_other_vendors_are_refused(reel, client):
    with pytest.raises(runreel.UsageError, match="cannot attach to a"):
        reel.attach(client)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_a_transport_records_what_passes_through_it(reel, package):
    connection = Wire(package)
    connection.answer(cut(wire(TOLD), 50))
    transport = reel.transport(connection.transport())
    assert isinstance(transport, package.BaseTransport)
    with openai.OpenAI(http_client=package.Client(transport=transport), **KEY) as client:
        list(client.responses.create(**ASKED, stream=True))
    assert kept(reel) == TOLD


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_an_asynchronous_transport_records_what_passes_through_it(reel, package):
    connection = Wire(package)
    connection.answer(cut(wire(TOLD), 50))

    async def main():
        transport = reel.transport(connection.transport())
        http = package.AsyncClient(transport=transport)
        async with openai.AsyncOpenAI(http_client=http, **KEY) as client:
            async for _ in await client.responses.create(**ASKED, stream=True):
                pass

    asyncio.run(main())
    assert kept(reel) == TOLD


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_a_transport_of_the_package_can_be_wrapped(reel, package, server):
    server.stream(TOLD)
    with package.Client(transport=reel.transport(package.HTTPTransport())) as http:
        http.post(f"{server.url}/responses", json=ASKED).raise_for_status()
    assert kept(reel) == TOLD


def test_what_is_no_transport_is_refused(reel):
    with pytest.raises(runreel.UsageError, match="is no transport"):
        reel.transport(object())


def test_two_logs_record_the_same_call(reel, tmp_path):
    connection = Wire()
    connection.answer(wire(TOLD))
    with runreel.watch(tmp_path / "other.db") as watch, reel.watch():
        list(connection.client().responses.create(**ASKED, stream=True))
    assert kept(reel) == kept(watch.reel) == TOLD
    watch.reel.close()


def test_a_finished_answer_is_recorded_once_by_watch_and_record(watch, own_client, server):
    server.say(Answer(body=ENDED), Answer(body=script.completion("Hi")))
    watch.reel.record(own_client.responses.create(**ASKED))
    watch.reel.record(own_client.chat.completions.create(**CHATTED))
    assert sorted(run.response_id for run in watch.reel.runs()) == ["chatcmpl-1", "resp_1"]
