"""What a program says about its calls, in a block around them."""

from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

import runreel
from tests.live import openai_script as script
from tests.live.hooked import Wire, wire
from tests.live.told import kept

ASKED = {"model": script.MODEL, "input": "Hello?"}


@pytest.fixture(autouse=True)
def watch(reel):
    with reel.watch(labels={"app": "a", "team": "outer"}) as watch:
        yield watch
    assert reel.rebuild(check=True) == []


def told(id_):
    return script.events([script.output_of(["Hello"])], id_=id_)


class Asker:
    """Asks once for each id, with a client of its own."""

    def __init__(self):
        self.connection = Wire()

    def __call__(self, id_):
        self.connection.answer(wire(told(id_)))
        with self.connection.client() as client:
            return list(client.responses.create(**ASKED, stream=True))

    async def asynchronous(self, id_):
        connection = Wire()
        connection.answer(wire(told(id_)))
        async with connection.async_client() as client:
            async for _ in await client.responses.create(**ASKED, stream=True):
                await asyncio.sleep(0)


@pytest.fixture
def ask():
    return Asker()


def test_ids_and_labels_are_those_of_the_block(reel, ask):
    with reel.scope(thread_id="t1", assistant_id="helper", labels={"team": "inner", "n": 1}):
        ask("resp_1")
    ask("resp_2")
    run, other = reel.run("resp_1"), reel.run("resp_2")
    assert (run.thread_id, run.assistant_id) == ("t1", "helper")
    assert run.labels == {"app": "a", "team": "inner", "n": "1"}
    assert (other.thread_id, other.assistant_id) == (other.run_id, None)
    assert other.labels == {"app": "a", "team": "outer"}


def test_an_inner_block_adds_to_the_outer_one(reel, ask):
    with reel.scope(thread_id="t1", labels={"a": "1", "b": "1"}):
        with reel.scope(assistant_id="x", labels={"b": "2"}):
            ask("resp_1")
        ask("resp_2")
    inner, outer = reel.run("resp_1"), reel.run("resp_2")
    assert (inner.thread_id, inner.assistant_id) == ("t1", "x")
    assert (inner.labels["a"], inner.labels["b"]) == ("1", "2")
    assert (outer.assistant_id, outer.labels["b"]) == (None, "1")


def test_with_a_run_id_all_calls_are_one_run(reel, ask):
    with reel.scope(run_id="job-1"):
        ask("resp_1")
        ask("resp_2")
        # Two equal answers are two answers.
        ask("resp_2")
    assert [run.run_id for run in reel.runs()] == ["job-1"]
    assert kept(reel, "job-1") == [*told("resp_1"), *told("resp_2"), *told("resp_2")]
    assert reel.run("job-1").recording == "closed"


def test_tasks_keep_their_blocks_apart(reel, ask):
    async def one(number):
        with reel.scope(thread_id=f"t{number}"):
            await ask.asynchronous(f"resp_{number}")

    async def main():
        await asyncio.gather(*map(one, range(8)))

    asyncio.run(main())
    assert {run.response_id: run.thread_id for run in reel.runs()} == {
        f"resp_{number}": f"t{number}" for number in range(8)
    }


def test_threads_that_inherit_the_context_are_in_the_block(reel, ask):
    with reel.scope(thread_id="t1"):
        context = contextvars.copy_context()
        inside = threading.Thread(target=context.run, args=(ask, "resp_1"))
        outside = threading.Thread(target=contextvars.Context().run, args=(ask, "resp_2"))
        for thread in (inside, outside):
            thread.start()
            thread.join()
    assert reel.run("resp_1").thread_id == "t1"
    assert reel.run("resp_2").thread_id.startswith("run_")


def test_a_call_keeps_the_block_in_which_it_began(reel):
    connection = Wire()
    connection.answer(wire(told("resp_1")))
    with reel.scope(thread_id="t1"):
        stream = connection.client().responses.create(**ASKED, stream=True)
    list(stream)
    assert reel.run("resp_1").thread_id == "t1"


def test_a_block_of_another_log_does_not_apply(reel, ask, tmp_path):
    with runreel.open(tmp_path / "other.db") as other, other.scope(thread_id="t1", run_id="x"):
        ask("resp_1")
    assert reel.run("resp_1").thread_id.startswith("run_")


def test_a_block_of_another_reel_on_the_same_log_applies(reel, ask, db_url):
    with runreel.open(db_url) as other, other.scope(thread_id="t1"):
        ask("resp_1")
    assert reel.run("resp_1").thread_id == "t1"


def test_recorded_streams_are_in_the_block_as_well(db_url):
    connection = Wire()
    connection.answer(wire(told("resp_9")))
    with runreel.open(db_url) as reel:
        with reel.scope(labels={"team": "inner"}):
            stream = connection.client().responses.create(**ASKED, stream=True)
            list(reel.record(stream, labels={"by": "record"}))
        labels = reel.run("resp_9").labels
        assert (labels["team"], labels["by"]) == ("inner", "record")


@pytest.mark.parametrize("run_id", ["", "latest", "x" * 300])
def test_an_invalid_run_id_is_refused(reel, run_id):
    with pytest.raises(runreel.BadInput):
        reel.scope(run_id=run_id)


def test_recorded_streams_and_answers_are_in_the_block_without_watch(ask, tmp_path):
    connection = Wire()
    connection.answer(wire(told("resp_1")))
    connection.json(script.response("resp_2"))
    client = connection.client()
    with runreel.open(tmp_path / "other.db") as other:
        with other.scope(thread_id="t1", labels={"a": "1", "b": "1"}):
            stream = client.responses.create(**ASKED, stream=True)
            list(other.record(stream, labels={"b": "2"}))
        with other.scope(run_id="job-1"):
            other.record(client.responses.create(**ASKED))
        run = other.run("resp_1")
        assert (run.thread_id, run.labels) == ("t1", {"a": "1", "b": "2"})
        assert other.run("job-1").recording == "closed"
