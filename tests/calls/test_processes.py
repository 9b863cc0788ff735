"""Processes that bring back the same result at the same moment: one joins the run."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import runreel
from runreel.model.events import RESUMED
from runreel.model.status import RunStatus
from tests.calls.hook import CHAT, RESPONSES, ask, chat, chat_calls, user
from tests.live import openai_script as script
from tests.logs import verify

ROOT = Path(__file__).parents[2]
ROUNDS = 6
PROGRAM = """
    import sys, runreel
    from tests.calls.hook import CHAT, RESPONSES, ask, chat, said, tool, user
    from tests.live import openai_script as script

    url, name, rounds = sys.argv[1:]
    with runreel.open(url) as reel:
        list(reel.runs())
        for n in range(int(rounds)):
            print("ready", flush=True)
            sys.stdin.readline()
            call = (f"call_{n}x", "f", "{}")
            if n % 2:
                output = {"type": "function_call_output", "call_id": call[0], "output": name}
                body = {"model": "m", "previous_response_id": f"one{n}", "input": [output]}
                told = script.events([script.output_of([f"by {name}"])], id_=f"{name}{n}")
                run_id = ask(reel, RESPONSES, body, told)
            else:
                body = chat(user(f"Q{n}"), said(None, call), tool(call[0], name))
                run_id = ask(reel, CHAT, body, script.chunks(f"by {name}", id_=f"{name}{n}"))
            print(run_id, flush=True)
"""


def first_turn(reel, n):
    """A turn of a run that calls a tool, by chat completions or, where n is odd, Responses."""
    if n % 2 == 0:
        called = chat_calls(f"one{n}", (f"call_{n}x", "f", "{}"))
        return ask(reel, CHAT, chat(user(f"Q{n}")), called)
    call = {**script.call("f", {}), "call_id": f"call_{n}x"}
    return ask(
        reel, RESPONSES, {"model": "m", "input": f"Q{n}"}, script.events([call], id_=f"one{n}")
    )


def test_of_two_processes_one_joins(reel, db_url):
    first = [first_turn(reel, n) for n in range(ROUNDS)]
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), db_url, name, str(ROUNDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for name in "ab"
    ]

    def heard(program: subprocess.Popen[str]) -> str:
        assert program.stdout is not None
        return program.stdout.readline().strip()

    for run_id in first:
        assert [heard(program) for program in programs] == ["ready", "ready"]
        for program in programs:
            assert program.stdin is not None
            program.stdin.write("go\n")
            program.stdin.flush()
        runs = [heard(program) for program in programs]
        assert run_id in runs
        assert len(set(runs)) == 2
        (winner,) = ("ab"[n] for n in range(2) if runs[n] == run_id)
        (loser,) = {*runs} - {run_id}
        assert reel.result(run_id).text == f"by {winner}"
        assert reel.result(loser).text == f"by {'ab'.replace(winner, '')}"
        assert reel.run(loser).thread_id == run_id
        assert reel.run(run_id).status is RunStatus.COMPLETED
        assert len(list(reel.events(run_id, type=RESUMED))) == 1
    assert [program.wait(60) for program in programs] == [0, 0]
    for program in programs:
        program.stdin.close()
        program.stdout.close()
    assert reel.rebuild(check=True) == []
    verify(reel)


def test_another_process_goes_on_with_the_run(db_url):
    with runreel.open(db_url) as reel:
        run_id = ask(reel, CHAT, chat(user("Q0")), chat_calls("one", ("call_0x", "f", "{}")))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(PROGRAM), db_url, "b", "1"],
        input="go\n",
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.split() == ["ready", run_id]
