"""However a program stops listening, its recording says so, and nothing hangs."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.live.assistants_script import Done, Partial, Pause, Script, answer
from tests.live.yandex import async_sdk, notes, record, recorded_play, rows, stream

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from tests.live.assistants_service import AssistantsService

ROOT = Path(__file__).parents[2]
# Nothing comes for long after ``LAST``.
LAST = "ab"
ENDLESS = Script([Partial("a"), Partial(LAST), Pause(600), Done("abc")])


def reason(reel: Reel, run_id: str) -> str:
    last = rows(reel, run_id)[-1]
    assert last.type == "interrupted"
    return str(last.raw["reason"])


def test_break(reel: Reel, assistants: AssistantsService) -> None:
    run = recorded_play(reel, assistants, ENDLESS)
    for _ in run:
        break
    assert reason(reel, run.id) == "the program stopped listening"
    assert len(stream(reel, run.id)) == 1


def test_break_behind_the_last_event_leaves_a_whole_recording(
    reel: Reel, assistants: AssistantsService
) -> None:
    run = recorded_play(reel, assistants, Script(answer(2)))
    for event in run:
        if event.status.name == "DONE":
            break
    assert notes(reel, run.id) == ["opened", "closed"]


def test_an_exception_in_the_loop(reel: Reel, assistants: AssistantsService) -> None:
    run = recorded_play(reel, assistants, ENDLESS)

    def listen() -> None:
        for _ in run:
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        listen()
    assert reason(reel, run.id) == "the program stopped listening"


def test_ctrl_c_while_waiting(reel: Reel, assistants: AssistantsService) -> None:
    run = recorded_play(reel, assistants, ENDLESS)
    thread = threading.main_thread()
    timer = threading.Timer(0.2, signal.pthread_kill, (thread.ident, signal.SIGINT))
    seen = []

    def listen() -> None:
        for event in run:
            seen.append(event.text)
            if event.text == LAST:
                timer.start()

    with pytest.raises(KeyboardInterrupt):
        listen()
    timer.join()
    assert reason(reel, run.id) == "KeyboardInterrupt"
    assert [row.text for row in stream(reel, run.id)] == ["a", "ab"]


def test_the_end_of_an_asynchronous_loop(reel: Reel, assistants: AssistantsService) -> None:
    async def breaks() -> str:
        run = record(reel, await async_sdk(assistants).runs.get(assistants.play(ENDLESS)))
        async for _ in run:
            break
        # The garbage collector ends it in a task of its own.
        while rows(reel, run.id)[-1].type != "interrupted":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert reason(reel, run.id) == "the program stopped listening"
        async for _ in run:
            break
        return str(run.id)

    # The loop ends in the same moment, and cancels what the garbage collector had begun.
    assert reason(reel, asyncio.run(breaks())) in (
        "the program stopped listening",
        "CancelledError",
    )


def test_aclose(reel: Reel, assistants: AssistantsService) -> None:
    async def closes() -> str:
        run = record(reel, await async_sdk(assistants).runs.get(assistants.play(ENDLESS)))
        events = run.listen()
        await anext(events)
        await events.aclose()
        assert rows(reel, run.id)[-1].type == "interrupted"
        return str(run.id)

    assert reason(reel, asyncio.run(closes())) == "the program stopped listening"


def test_a_cancelled_task(reel: Reel, assistants: AssistantsService) -> None:
    async def cancels() -> str:
        run = record(reel, await async_sdk(assistants).runs.get(assistants.play(ENDLESS)))

        waiting = asyncio.Event()

        async def listen() -> None:
            async for event in run:
                if event.text == LAST:
                    waiting.set()

        task = asyncio.create_task(listen())
        await waiting.wait()
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert rows(reel, run.id)[-1].type == "interrupted"
        return str(run.id)

    assert reason(reel, asyncio.run(cancels())) == "CancelledError"


def test_a_time_out_around_the_loop(reel: Reel, assistants: AssistantsService) -> None:
    async def listens() -> str:
        run = record(reel, await async_sdk(assistants).runs.get(assistants.play(ENDLESS)))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(None) as limit:
                async for event in run:
                    if event.text == LAST:
                        limit.reschedule(asyncio.get_running_loop().time() + 0.1)
        return str(run.id)

    assert reason(reel, asyncio.run(listens())) == "CancelledError"


HALF_READ = """
    import sys
    from yandex_ai_studio_sdk import AIStudio
    import runreel
    from runreel.capture.yandex import record as yandex

    address, url, run_id, how = sys.argv[1:]
    sdk = AIStudio(folder_id="folder", endpoint=address, auth="key", verify=False)
    reel = runreel.open(url)
    run = yandex.recorded(sdk.runs.get(run_id), reel.db)
    if how == "wrapped":
        def events():
            for event in run:
                yield event
        half_read = events()
        next(half_read)
    elif how == "never":
        run.get_status()
    elif how == "thread":
        import threading
        waiting = threading.Event()
        def listen():
            for event in run:
                if event.text == "ab":
                    waiting.set()
        threading.Thread(target=listen, daemon=True).start()
        waiting.wait()
    else:
        half_read = iter(run)
        next(half_read)
        if how == "error":
            raise SystemExit(3)
    print("the end of the program")
"""


@pytest.mark.parametrize("how", ["iterator", "wrapped", "never", "thread", "error"])
def test_the_interpreter_ends_while_a_stream_is_half_read(
    reel: Reel, db_url: str, assistants: AssistantsService, how: str
) -> None:
    run_id = assistants.play(ENDLESS)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(HALF_READ), assistants.address, db_url, run_id, how],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == (3 if how == "error" else 0), done.stderr
    assert done.stderr == ""
    last = rows(reel, run_id)[-1]
    assert last.type == "interrupted"
    assert reel.rebuild(check=True) == []


def test_what_the_garbage_collector_finds_is_closed(
    reel: Reel, assistants: AssistantsService
) -> None:
    run = recorded_play(reel, assistants, ENDLESS)
    cycle: list[Any] = [iter(run)]
    cycle.append(cycle)
    next(cycle[0])
    del cycle
    gc.collect()
    assert reason(reel, run.id) == "the program stopped listening"


def test_threads_that_listen_to_one_recorded_run(reel: Reel, assistants: AssistantsService) -> None:
    run = recorded_play(reel, assistants, Script([Pause(0.3), *answer(50)]))
    seen: list[list[Any]] = []
    threads = [
        threading.Thread(
            target=lambda: seen.append([e.text for e in run.listen(events_start_idx=0)])
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert run.wait().status.name == "COMPLETED"
    for thread in threads:
        thread.join()
    assert [len(texts) for texts in seen] == [51] * 4
    assert [row.source_index for row in stream(reel, run.id)] == list(range(51))
    assert reel.rebuild(check=True) == []


def test_a_waiting_task_and_a_listening_one(reel: Reel, assistants: AssistantsService) -> None:
    async def both() -> str:
        script = Script([Pause(0.3), *answer(50)])
        run = record(reel, await async_sdk(assistants).runs.get(assistants.play(script)))

        async def texts() -> list[str]:
            return [event.text async for event in run.listen(events_start_idx=0)]

        heard, again, result = await asyncio.gather(texts(), texts(), run.wait())
        assert heard == again
        assert result.status.name == "COMPLETED"
        return str(run.id)

    run_id = asyncio.run(both())
    assert [row.source_index for row in stream(reel, run_id)] == list(range(51))
    assert reel.rebuild(check=True) == []


def test_the_sdk_of_threads_inside_of_an_event_loop(
    reel: Reel, assistants: AssistantsService
) -> None:
    """As in a notebook."""

    async def cell() -> str:
        run = recorded_play(reel, assistants, Script(answer(5)))
        for _ in run:
            break
        assert len([event.text for event in run]) == 6
        return str(run.id)

    run_id = asyncio.run(cell())
    assert notes(reel, run_id) == ["opened", "interrupted", "resumed", "closed"]
