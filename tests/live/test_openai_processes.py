"""Processes that go on from one response at the same moment do not mix their answers."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections import defaultdict

from runreel.model.events import CONTEXT, RESUMED, TOOL_RESULTS
from runreel.model.results import Usage
from runreel.model.status import RunStatus
from tests.live import openai_script as script
from tests.live.sse_server import Answer
from tests.live.told import kept
from tests.logs import verify
from tests.strategies import exact

ROOTS = [f"root_{number}" for number in range(6)]
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "21"}
PROGRAM = """
    import sys, openai, runreel

    client = openai.OpenAI(base_url=sys.argv[1], api_key="k", max_retries=0)
    with runreel.open(sys.argv[2]) as reel:
        for root in sys.argv[4:]:
            asked = {
                "model": sys.argv[3],
                "input": [{"type": "function_call_output", "call_id": "call_1", "output": "21"}],
                "previous_response_id": root,
            }
            stream = client.responses.create(**asked, stream=True)
            for event in reel.record(stream, request=asked):
                pass
"""


def answer(root: str, name: str) -> list[dict[str, object]]:
    return script.events(
        [script.output_of([f"I am {name}, ", f"after {root}"])],
        id_=f"{root}-{name}",
        previous_response_id=root,
        usage=script.usage(10, 1),
    )


def told_together(server, roots):
    """Each process hears the first event of its answer when the other does."""
    barriers = defaultdict(lambda: threading.Barrier(2, timeout=60))

    def told(asked):
        root, name = asked.body["previous_response_id"], asked.body["model"]
        barriers[root].wait()
        return Answer(events=answer(root, name))

    server.say(*[told] * (2 * len(roots)))


def test_two_processes_that_go_on_from_one_response_make_two_runs(
    server, client, record, reel, db_url
):
    first = {root: script.events([script.call("weather", {})], id_=root) for root in ROOTS}
    for root in ROOTS:
        server.stream(first[root])
        list(record(client.responses.create(model="m", input="Weather?", stream=True)))
    told_together(server, ROOTS)
    code = textwrap.dedent(PROGRAM)
    programs = [
        subprocess.Popen([sys.executable, "-c", code, server.url, db_url, name, *ROOTS])
        for name in ("a", "b")
    ]
    assert [program.wait(60) for program in programs] == [0, 0]
    for root in ROOTS:
        joined = reel.run(root)
        winner, loser = sorted("ab", key=lambda name: joined.response_id != f"{root}-{name}")
        assert exact(kept(reel, root)) == exact([*first[root], *answer(root, winner)])
        assert exact(kept(reel, f"{root}-{loser}")) == exact(answer(root, loser))
        for run_id, name in ((root, winner), (f"{root}-{loser}", loser)):
            run, rows = reel.run(run_id), list(reel.events(run_id))
            assert (run.status, run.recording) == (RunStatus.COMPLETED, "closed")
            assert reel.result(run_id).text == f"I am {name}, after {root}"
            assert [row.raw["model"] for row in rows if row.kind == CONTEXT] == [name]
            answers = [row.raw["tool_results"] for row in rows if row.kind == TOOL_RESULTS]
            assert answers == [[OUTPUT]]
        assert joined.usage == Usage(110, 125, 15)
        (note,) = (row.raw for row in reel.events(root, type=RESUMED))
        assert (note["after"], note["response"]) == (root, f"{root}-{winner}")
    assert len(reel.runs(limit=0)) == 2 * len(ROOTS)
    verify(reel)


def test_whoever_comes_after_one_that_only_said_so_begins_a_run(server, client, record, reel):
    """As if another process had said that it goes on, and told nothing yet."""
    server.stream(script.events([], id_="root"))
    list(record(client.responses.create(model="m", input="Hi", stream=True)))
    server.stream(answer("root", "a")[:1])
    stream = record(client.responses.create(model="m", input="Hi", stream=True))
    recorder = stream._recording._recorder
    stream._recording._identify(answer("root", "a")[0])
    assert recorder.open().run_id == "root"
    assert reel.run("root").response_id == "root"
    server.stream(answer("root", "b"))
    list(record(client.responses.create(model="m", input="Hi", stream=True)))
    assert reel.result("root-b").text == "I am b, after root"
    assert len(list(stream)) == 1
    assert exact(kept(reel, "root")[-1]) == exact(answer("root", "a")[0])


def test_a_response_that_is_recorded_by_two_at_once_stays_one(server, client, record, reel):
    """Of a response that is told again it does not matter who has said that the run goes on."""
    server.stream(script.events([], id_="root"))
    list(record(client.responses.create(model="m", input="Hi", stream=True)))
    whole = answer("root", "a")[-1]["response"]
    for _ in range(2):
        server.say(Answer(body=whole))
    one, other = (client.responses.retrieve("root-a") for _ in range(2))
    both = [threading.Thread(target=reel.record, args=(told,)) for told in (one, other)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    (run,) = reel.runs()
    assert (run.run_id, run.response_id, run.usage) == ("root", "root-a", Usage(110, 125, 15))
    assert reel.result("root").text == "I am a, after root"
