"""A log that is deleted, or whose disk is full: found out before the model is asked, or said later.

The program gets its bytes or an error in words, and the model is asked at most once.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools

import pytest

import runreel
from runreel.model.errors import LogError, RecordingError
from tests.faults.disk import room
from tests.live import openai_script as script
from tests.live.hooked import Wire, cut, wire
from tests.live.told import kept

ASKED = {"model": script.MODEL, "input": "Hello?"}
TOLD = script.events([script.output_of(["Hello, ", "world"])])
FORMS = list(itertools.product((False, True), (True, False)))
NAMES = ["stream", "finished", "async stream", "async finished"]


@contextlib.contextmanager
def deleted(path):
    """Somebody has deleted the file."""
    for file in path.parent.glob("log.db*"):
        file.unlink()
    yield


def full(_path):
    """No byte can be written to a file."""
    return room(0)


@pytest.fixture
def connection():
    return Wire()


def ask(connection, asynchronous, stream):
    """Ask with a client that would ask again; what the program gets."""
    if not asynchronous:
        with connection.client(max_retries=2) as client:
            got = client.responses.create(**ASKED, stream=stream)
            return list(got)[-1].response if stream else got

    async def main():
        async with connection.async_client(max_retries=2) as client:
            got = await client.responses.create(**ASKED, stream=stream)
            return [event async for event in got][-1].response if stream else got

    return asyncio.run(main())


def causes(error):
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def answer(connection, stream):
    """Answer three times; the body of the first."""
    made = [
        connection.answer(cut(wire(TOLD), 400)) if stream else connection.json(TOLD[-1]["response"])
        for _ in range(3)
    ]
    return made[0]


@pytest.mark.parametrize("policy", ["raise", "warn"])
@pytest.mark.parametrize("form", FORMS, ids=NAMES)
@pytest.mark.parametrize("lose", [deleted, full])
def test_a_log_is_lost_before_a_call(tmp_path, connection, lose, form, policy):
    path = tmp_path / "log.db"
    with runreel.open(path, on_error=policy) as reel, reel.watch():
        answer(connection, form[1])
        first = ask(connection, *form)
        asked = len(connection.asked)
        with lose(path):
            if policy == "warn":
                assert ask(connection, *form).output_text == first.output_text
            else:
                with pytest.raises(Exception, match="the model was not asked") as error:
                    ask(connection, *form)
                (ours,) = (one for one in causes(error.value) if isinstance(one, RecordingError))
                assert isinstance(ours.__cause__, LogError)
                assert ours.hint
        assert len(connection.asked) - asked == (policy == "warn")


@pytest.mark.parametrize("policy", ["raise", "warn"])
@pytest.mark.parametrize("form", FORMS, ids=NAMES)
@pytest.mark.parametrize("lose", [deleted, full])
def test_a_log_is_lost_during_a_call(tmp_path, connection, lose, form, policy):
    path = tmp_path / "log.db"
    with (
        contextlib.ExitStack() as stack,
        runreel.open(path, on_error=policy) as reel,
        reel.watch(),
    ):
        body = answer(connection, form[1])
        last = len(body.chunks) // 2

        def before(number):
            if number == last:
                stack.enter_context(lose(path))

        body.before = before
        with contextlib.nullcontext() if policy == "warn" else pytest.raises(RecordingError):
            got = ask(connection, *form)
            assert got.output_text == TOLD[-1]["response"]["output"][0]["content"][0]["text"]
        stack.close()
        assert len(connection.asked) == 1
        if lose is full and form[1]:
            (run,) = reel.runs()
            stored = kept(reel, run.run_id)
            assert 0 < len(stored) < len(TOLD)
            assert stored == TOLD[: len(stored)]
            assert reel.rebuild(check=True) == []
