"""The program gets the same bytes in the same chunks; what they say is recorded, or nothing is."""

from __future__ import annotations

import asyncio
import json
import logging
import zlib

import brotli
import httpx2
import pytest

from tests.live import openai_script as script
from tests.live.hooked import (
    EVENTS,
    JSON,
    PACKAGES,
    Wire,
    cut,
    deflated,
    deflated_raw,
    gzipped,
)
from tests.live.sse_server import sse
from tests.live.told import kept, notes

ASKED = {"model": script.MODEL, "input": "Hello?", "stream": True}
CHATTED = {"model": script.MODEL, "messages": [], "stream": True}
TOLD = script.events([script.output_of(["Hëllo, ", "wörld 🌍"])])
# As servers write it that do not escape.
BODY = "".join(
    f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n" for event in TOLD
).encode()
URL = "http://model.test/v1/responses"


@pytest.fixture
def backend():
    """One kind of database: what is tested here does not depend on it."""
    return "sqlite"


@pytest.fixture(autouse=True)
def watch(reel):
    with reel.watch() as watch:
        yield watch
    assert reel.rebuild(check=True) == []


def raw(connection, url=URL, **asked):
    """The chunks of an answer as they go over the wire."""
    with (
        connection.http() as client,
        client.stream("POST", url, **(asked or {"json": ASKED})) as answer,
    ):
        return list(answer.iter_raw())


async def araw(connection, url=URL, **asked):
    client = connection.package.AsyncClient(transport=connection.transport())
    async with client, client.stream("POST", url, **(asked or {"json": ASKED})) as answer:
        return [chunk async for chunk in answer.aiter_raw()]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
@pytest.mark.parametrize("size", [1, 7, 100, 10**9])
@pytest.mark.parametrize("pack", [bytes, gzipped, deflated, deflated_raw])
def test_chunks_pass_unchanged_whatever_their_size_and_coding(reel, package, size, pack):
    packed = pack(BODY)
    coding = {bytes: "", gzipped: "gzip"}.get(pack, "deflate")
    chunks = cut(packed, size)
    connection = Wire(package)
    connection.answer(list(chunks), {**EVENTS, "content-encoding": coding})
    body = connection.answers[0][2]
    assert raw(connection) == chunks
    assert body.closed >= 1
    assert kept(reel) == TOLD
    assert notes(reel) == [("closed", None)]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_asynchronous_chunks_pass_unchanged(reel, package):
    chunks = cut(gzipped(BODY), 7)
    connection = Wire(package)
    connection.answer(list(chunks), {**EVENTS, "content-encoding": "gzip"})
    assert asyncio.run(araw(connection)) == chunks
    assert kept(reel) == TOLD


def plain_lines(body):
    return body


def cr(body):
    return body.replace(b"\n", b"\r")


def crlf(body):
    return body.replace(b"\n", b"\r\n")


def bom(body):
    # Before the data of the first event, and not before its type, which need not be understood.
    return b"\xef\xbb\xbf" + body[body.index(b"data:") :]


def no_last_blank_line(body):
    return body.rstrip(b"\n")


def comments(body):
    return b": hello\n\n" + body.replace(b"\n\n", b"\n: ping\nid: 3\nretry: 10\n\n")


def several_data_lines(body):
    events = [json.dumps(event, indent=1).splitlines() for event in TOLD]
    return "".join("".join(f"data: {line}\n" for line in event) + "\n" for event in events).encode()


@pytest.mark.parametrize(
    "shape", [plain_lines, cr, crlf, bom, no_last_blank_line, comments, several_data_lines]
)
@pytest.mark.parametrize("size", [1, 64])
def test_streams_are_read_in_every_shape(reel, shape, size):
    chunks = cut(shape(BODY), size)
    connection = Wire()
    connection.answer(list(chunks))
    assert raw(connection) == chunks
    assert kept(reel) == TOLD
    assert reel.run("resp_1").recording == "closed"


def test_codings_without_a_decoder_are_noted_and_pass(reel, caplog, monkeypatch):
    monkeypatch.setattr("runreel.capture.http.content_coding._BROTLI", ("no_such_brotli",))
    connection = Wire()
    connection.answer([b"garbled", b"bytes"], {**EVENTS, "content-encoding": "br"})
    with caplog.at_level(logging.WARNING, "runreel"):
        assert raw(connection) == [b"garbled", b"bytes"]
    (run,) = reel.runs()
    assert (run.recording, run.events) == ("interrupted", 0)
    assert "no_such_brotli is not installed" in notes(reel, run.run_id)[0][1]
    assert "cannot be recorded" in caplog.text


def test_an_unknown_coding_is_noted_for_asynchronous_programs(reel):
    connection = Wire()
    connection.answer([b"garbled"], {**EVENTS, "content-encoding": "gzip, rot13"})
    assert asyncio.run(araw(connection)) == [b"garbled"]
    (run,) = reel.runs()
    assert "'rot13'" in notes(reel, run.run_id)[0][1]


def test_a_damaged_coding_ends_the_recording_and_passes(reel):
    packer = zlib.compressobj()
    good = packer.compress(BODY[:-200]) + packer.flush(zlib.Z_SYNC_FLUSH)
    chunks = [good, b"\xff" * 100, b"rest"]
    connection = Wire()
    connection.answer(list(chunks), {**EVENTS, "content-encoding": "deflate"})
    assert raw(connection) == chunks
    (run,) = reel.runs()
    assert run.recording == "interrupted"
    assert "damaged" in notes(reel, run.run_id)[-1][1]
    assert kept(reel, run.run_id) == TOLD[: run.events]


def test_brotli_is_read_where_it_is_installed(reel):
    connection = Wire()
    connection.answer(cut(brotli.compress(BODY), 11), {**EVENTS, "content-encoding": "br"})
    raw(connection)
    assert kept(reel) == TOLD


def test_zstd_is_read_where_it_is_installed(reel):
    zstd = pytest.importorskip("backports.zstd")
    body = zstd.compress(BODY[:200]) + zstd.compress(BODY[200:])
    connection = Wire()
    connection.answer(cut(body, 11), {**EVENTS, "content-encoding": "zstd"})
    raw(connection)
    assert kept(reel) == TOLD


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", "/responses", b"no json"),
        ("POST", "/responses", b"[1]"),
        ("POST", "/responses", b'{"question": 1}'),
        ("POST", "/responses", b'{"model": 3, "input": "x"}'),
        ("POST", "/responses", b'{"model": "m", "question": 1}'),
        ("POST", "/chat/completions", b'{"model": "m", "input": "x"}'),
        ("POST", "/responses", b""),
        ("POST", "/responses/resp_1/cancel", b'{"model": "m"}'),
        ("POST", "/embeddings", b'{"model": "m"}'),
        ("POST", "/messages", b'{"model": "m", "input": "x"}'),
        ("POST", "/messages/count_tokens", b'{"model": "m", "messages": []}'),
        ("POST", "/messages/batches", b'{"model": "m", "messages": []}'),
        ("POST", "/threads/t/messages", b'{"role": "user", "content": "x"}'),
        ("POST", "/survey/responses", b'{"answers": [1], "input": "x"}'),
        ("POST", "/v1/survey-responses", b'{"model": "m"}'),
        ("PUT", "/responses", b'{"model": "m"}'),
        ("GET", "/responses", b""),
    ],
)
def test_other_requests_pass_unread(reel, method, path, content):
    chunks = cut(BODY, 50)
    connection = Wire()
    body = connection.answer(list(chunks))
    with connection.http() as client:
        request = client.build_request(method, f"http://other.test{path}", content=content)
        answer = client.send(request, stream=True)
        assert type(answer.stream._stream) is type(body)
        assert list(answer.iter_raw()) == chunks
        answer.close()
    assert list(reel.runs()) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", "1e400"),
        ("temperature", "NaN"),
        ("input", "[" * 125 + "]" * 125),
        ("input", "[" * 300 + "]" * 300),
        ("input", "1" + "0" * 400 + ".5"),
    ],
)
def test_what_no_log_can_hold_of_a_request_is_named_and_the_call_recorded(reel, caplog, key, value):
    body = {"model": '"m"', "input": '"Hello?"', "stream": "true", key: value}
    members = ", ".join(f'"{name}": {text}' for name, text in body.items())
    content = b"{" + members.encode() + b"}"
    connection = Wire()
    connection.answer(BODY)
    raw(connection, content=content)
    assert connection.asked[0].content == content
    assert kept(reel) == TOLD
    assert f"the log has no {key}: " in caplog.text
    (request,) = [row.raw for row in reel.events("resp_1", type="context")]
    assert request.keys() == {"model", "input", "stream"} - {key}


def test_a_body_that_is_streamed_passes_unread(reel):
    connection = Wire()
    connection.answer(cut(BODY, 50))
    parts = (part for part in [b'{"model":', b'"m"}'])
    assert raw(connection, content=parts) == cut(BODY, 50)
    assert list(reel.runs()) == []


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b'data: {"answer": 1}\n\ndata: {"type": "response.created"}\n\n', EVENTS),
        (b"data: 3\n\n", EVENTS),
        (b'{"answer": 1}', JSON),
        (b'["a"]', JSON),
        (b"no json", JSON),
        (b"", JSON),
        (b"", EVENTS),
        (b"<html></html>", {"content-type": "text/html"}),
        (b"bytes", {}),
    ],
)
def test_answers_of_another_service_are_not_stored(reel, body, headers):
    connection = Wire()
    connection.answer([body], headers)
    assert b"".join(raw(connection)) == body
    (run,) = reel.runs()
    assert (run.recording, run.events, run.error) == ("interrupted", 0, None)


def test_an_event_that_is_not_json_is_left_out(reel, caplog):
    middle = b"data: <oops>\n\ndata: \xff\xfe\n\n"
    head, tail = sse(TOLD[0]).encode(), BODY[BODY.index(b"event: ", 10) :]
    connection = Wire()
    connection.answer([head + middle + tail])
    assert raw(connection) == [head + middle + tail]
    assert kept(reel) == TOLD
    assert caplog.text.count("is not in the log") == 1


def test_a_request_of_20_mb_is_sent_unchanged_and_recorded(reel):
    image = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 20_000_000}
    asked = {**ASKED, "input": [{"role": "user", "content": [image]}]}
    connection = Wire()
    connection.answer(BODY)
    content = json.dumps(asked).encode()
    raw(connection, content=content)
    assert connection.asked[0].content == content
    assert kept(reel) == TOLD


def test_chunks_before_the_id_of_a_completion_pass_at_once(reel):
    """Azure begins with a chunk without id and choices."""
    first = {**script.chat_chunk([]), "id": "", "prompt_filter_results": []}
    told = [first, *script.chunks("Hello")]
    chunks = [sse(event).encode() for event in told]
    connection = Wire()
    connection.answer(list(chunks))
    url = "http://model.test/openai/deployments/d/chat/completions?api-version=1"
    with connection.http() as client, client.stream("POST", url, json=CHATTED) as answer:
        seen = []
        for chunk in answer.iter_raw():
            seen.append(chunk)
            (run,) = reel.runs()
            assert kept(reel, run.run_id) == told[: len(seen)]
    assert seen == chunks


def test_completions_without_an_id_are_recorded(reel):
    first = {**script.chat_chunk([]), "id": ""}
    connection = Wire()
    connection.answer([sse(first).encode()])
    assert raw(connection, "http://model.test/chat/completions", json=CHATTED) == [
        sse(first).encode()
    ]
    (run,) = reel.runs()
    assert kept(reel, run.run_id) == [first]


def test_a_mock_whose_answer_is_read_already_is_recorded(reel):
    """respx and other mocks answer with a response that holds its content."""
    answers = [
        httpx2.Response(200, headers=EVENTS, content=BODY),
        httpx2.Response(200, json=script.response("resp_2", output=[script.output_of(["Hi"])])),
    ]
    with httpx2.Client(transport=httpx2.MockTransport(lambda _: answers.pop(0))) as client:
        assert client.post(URL, json=ASKED).content == BODY
        assert client.post(URL, json=ASKED).json()["id"] == "resp_2"
    assert kept(reel) == TOLD
    assert reel.result("resp_2").text == "Hi"


def test_the_elapsed_time_and_headers_of_a_response_stay(reel):
    connection = Wire()
    connection.answer(BODY, {**EVENTS, "x-request-id": "r1"})
    with connection.http() as client:
        answer = client.post(URL, json=ASKED)
    assert answer.elapsed.total_seconds() > 0
    assert answer.headers["x-request-id"] == "r1"
    assert answer.num_bytes_downloaded == len(BODY)
