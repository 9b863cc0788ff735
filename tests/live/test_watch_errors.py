"""A log that cannot be written never makes a client ask the model twice."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from pathlib import Path

import httpx2
import openai
import pytest

import runreel
from runreel.model.errors import RecordingError
from runreel.recording.recorder import Recorder
from runreel.store.drivers.sqlite import connecting
from tests.live import openai_script as script
from tests.live.hooked import PACKAGES, Wire, cut, wire
from tests.live.told import break_the_log, kept, notes
from tests.store.test_read_only import as_somebody_else

ASKED = {"model": script.MODEL, "input": "Hello?"}
CHATTED = {"model": script.MODEL, "messages": [{"role": "user", "content": "Hello?"}]}
TOLD = script.events([script.output_of(["Hello, ", "world"])])
ENDED = script.response("resp_1", output=[script.output_of(["Hello"])], usage=script.usage(100, 14))


def causes(error):
    while error is not None:
        yield type(error)
        error = error.__cause__ or error.__context__


@pytest.fixture(params=PACKAGES, ids=lambda package: package.__name__)
def connection(request):
    return Wire(request.param)


def ask(client, stream):
    got = client.responses.create(**ASKED, stream=stream)
    return list(got) if stream else got


async def aask(client, stream):
    got = await client.responses.create(**ASKED, stream=stream)
    return [event async for event in got] if stream else got


def asks(connection, asynchronous, stream):
    """Ask with a client that would ask again."""
    if asynchronous:

        async def main():
            async with connection.async_client(max_retries=2) as client:
                return await aask(client, stream)

        return asyncio.run(main())
    with connection.client(max_retries=2) as client:
        return ask(client, stream)


def answer(connection, stream):
    for _ in range(3):
        if stream:
            connection.answer(cut(wire(TOLD), 400))
        else:
            connection.json(ENDED)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_log_that_cannot_be_written_is_found_before_the_model_is_asked(
    reel, connection, monkeypatch, asynchronous, stream
):
    answer(connection, stream)
    with reel.watch():
        break_the_log(reel, monkeypatch)
        with pytest.raises(Exception, match="the model was not asked") as error:
            asks(connection, asynchronous, stream)
        assert any(issubclass(kind, RecordingError) for kind in causes(error.value))
        monkeypatch.undo()
    assert connection.asked == []


class Broken:
    """A log that fails from the moment the model is asked."""

    def __init__(self, reel, monkeypatch, connection):
        real = connection.transport

        def transport():
            made = real()
            handle = made.handler

            def failing(request):
                break_the_log(reel, monkeypatch)
                return handle(request)

            made.handler = failing
            return made

        connection.transport = transport


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_log_that_fails_later_does_not_make_the_client_ask_again(
    reel, connection, monkeypatch, asynchronous, stream
):
    answer(connection, stream)
    Broken(reel, monkeypatch, connection)
    with reel.watch():
        with pytest.raises(RecordingError) as error:
            asks(connection, asynchronous, stream)
        monkeypatch.undo()
    assert error.value.event is not None
    assert len(connection.asked) == 1


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_with_warn_the_program_goes_on(  # noqa: PLR0917 - what it varies
    db_url, connection, monkeypatch, caplog, asynchronous, stream
):
    answer(connection, stream)
    with runreel.open(db_url, on_error="warn") as reel:
        Broken(reel, monkeypatch, connection)
        with reel.watch():
            got = asks(connection, asynchronous, stream)
            monkeypatch.undo()
    assert len(got) == len(TOLD) if stream else got.output_text == "Hello"
    assert len(connection.asked) == 1
    assert "is not in the log" in caplog.text


def test_a_log_that_fails_in_the_middle_keeps_what_came_and_closes_the_connection(
    reel, monkeypatch
):
    connection = Wire()
    body = connection.answer([wire(TOLD[:3]), wire(TOLD[3:])])
    with reel.watch():
        seen = []
        body.before = lambda number: number and break_the_log(reel, monkeypatch)
        with pytest.raises(RecordingError):
            seen.extend(connection.client().responses.create(**ASKED, stream=True))
        monkeypatch.undo()
    assert body.closed == 1
    assert kept(reel) == TOLD[:3]


def fail_the_end(monkeypatch):
    def gone(*_, **__):
        raise runreel.DatabaseUnavailable("the database is gone")

    for name in ("close", "aclose"):
        monkeypatch.setattr(Recorder, name, gone)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "finished"])
@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_an_end_that_cannot_be_stored_does_not_make_the_client_ask_again(
    reel, connection, monkeypatch, asynchronous, stream
):
    answer(connection, stream)
    fail_the_end(monkeypatch)
    with reel.watch(), pytest.raises(RecordingError) as error:
        asks(connection, asynchronous, stream)
    assert isinstance(error.value.__cause__, runreel.DatabaseUnavailable)
    assert len(connection.asked) == 1


@pytest.mark.parametrize("use", ["raise_for_status", "json", "content", "text"])
def test_the_error_comes_where_the_answer_is_used(reel, monkeypatch, use):
    connection = Wire()
    connection.json(ENDED)
    Broken(reel, monkeypatch, connection)
    with reel.watch(), connection.http() as client:
        response = client.post("http://model.test/v1/responses", json=ASKED)
        monkeypatch.undo()
    assert response.status_code == 200
    assert isinstance(response, httpx2.Response)
    with pytest.raises(RecordingError):
        value = getattr(response, use)
        value()


def test_a_log_in_a_folder_that_is_none_is_refused_before_the_model_is_asked(tmp_path):
    (tmp_path / "file").touch()
    connection = Wire()
    with runreel.watch(tmp_path / "file" / "log.db"):
        with pytest.raises(RecordingError, match="the model was not asked") as error:
            ask(connection.client(), stream=False)
        assert error.value.__cause__ is not None
        assert error.value.hint
    assert connection.asked == []


def test_events_that_cannot_be_stored_do_not_take_their_neighbours_with_them(db_url, caplog):
    """A number out of range is refused by the log; with `warn` only that event is lost."""
    deep = "[" * 200 + "]" * 200
    told = [wire([TOLD[0]]), f'data: {{"type": "x", "deep": {deep}}}\n\n'.encode(), wire(TOLD[1:])]
    connection = Wire()
    connection.answer([b"".join(told)])
    with runreel.open(db_url, on_error="warn") as reel, reel.watch():
        assert len(ask(connection.client(), stream=True)) == len(TOLD) + 1
        assert kept(reel) == TOLD
        assert notes(reel)[-1] == ("closed", None)


def test_openai_errors_stay_as_they_are(reel):
    connection = Wire()
    connection.json({"error": {"message": "no", "code": "bad"}}, status=400)
    with reel.watch(), pytest.raises(openai.BadRequestError, match="no"):
        ask(connection.client(), stream=True)


def test_a_locked_log_is_an_error_before_the_model_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(connecting, "BUSY_SECONDS", 0.2)
    with runreel.open(tmp_path / "log.db") as reel:
        reel.db.upgrade()
        holder = sqlite3.connect(tmp_path / "log.db")
        holder.execute("BEGIN IMMEDIATE")
        connection = Wire()
        with reel.watch(), pytest.raises(RecordingError, match="the model was not asked"):
            ask(connection.client(), stream=False)
        holder.rollback()
        holder.close()
    assert connection.asked == []


def test_a_log_in_a_read_only_folder_is_refused_before_the_model_is_asked():
    folder = Path(tempfile.mkdtemp(prefix="runreel-read-only-"))
    folder.chmod(0o555)

    def work():
        connection = Wire()
        with runreel.watch(folder / "log.db"):
            with pytest.raises(RecordingError, match="the model was not asked") as error:
                ask(connection.client(), stream=True)
            assert isinstance(error.value.__cause__, runreel.DatabaseUnavailable)
        assert connection.asked == []

    try:
        as_somebody_else(work)
        assert list(folder.iterdir()) == []
    finally:
        folder.chmod(0o755)
        folder.rmdir()
