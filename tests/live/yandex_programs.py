"""Programs as the SDK's documentation writes them: what they see, and the scripts they see it of.

Each takes an SDK object and what is done to its run, and answers with all that it saw.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tests.live.assistants_script import TOOL_ROUND, WEATHER, Done, Fail, Partial, Pause, Script
from tests.live.yandex import plain

if TYPE_CHECKING:
    from yandex_ai_studio_sdk import AIStudio, AsyncAIStudio

Record = Callable[[Any], Any]
Program = Callable[["AIStudio", Record], list[Any]]
AsyncProgram = Callable[["AsyncAIStudio", Record], Awaitable[list[Any]]]

ANSWER = {"name": "weather", "content": "21 degrees"}
TWO_ROUNDS = [WEATHER, Partial("Again"), WEATHER, Done("21 degrees.")]


def ask(sdk: AIStudio, *, stream: bool) -> Any:
    """The beginning of the SDK's documented examples."""
    assistant = sdk.assistants.create("yandexgpt", name="guide", instruction="Be kind.")
    thread = sdk.threads.create()
    thread.write("What is the weather in Paris?")
    return assistant.run_stream(thread) if stream else assistant.run(thread)


async def ask_async(sdk: AsyncAIStudio, *, stream: bool) -> Any:
    assistant = await sdk.assistants.create("yandexgpt", name="guide", instruction="Be kind.")
    thread = await sdk.threads.create()
    await thread.write("What is the weather in Paris?")
    return await (assistant.run_stream(thread) if stream else assistant.run(thread))


def streams(sdk: AIStudio, record: Record) -> list[Any]:
    run = record(ask(sdk, stream=True))
    return [*(plain(event) for event in run), plain(run.wait()), run.wait().usage]


def waits(sdk: AIStudio, record: Record) -> list[Any]:
    run = record(ask(sdk, stream=False))
    result = run.wait()
    return [plain(result), result.usage, run.get_status(), plain(run.get_result())]


def waits_and_then_listens(sdk: AIStudio, record: Record) -> list[Any]:
    run = record(ask(sdk, stream=True))
    result = run.wait()
    return [plain(result), *(plain(event) for event in run)]


def listens_twice(sdk: AIStudio, record: Record) -> list[Any]:
    run = record(ask(sdk, stream=True))
    return [[plain(event) for event in run] for _ in range(2)]


def listens_from_the_middle(sdk: AIStudio, record: Record) -> list[Any]:
    run = record(ask(sdk, stream=True))
    return [plain(event) for event in run.listen(events_start_idx=2, timeout=30)]


def answers_calls_in_the_loop(sdk: AIStudio, record: Record) -> list[Any]:
    run = record(ask(sdk, stream=True))
    seen = []
    for event in run:
        seen.append(plain(event))
        if event.tool_calls:
            run.submit_tool_results([ANSWER])
    return [*seen, plain(run.wait()), run.wait().usage]


def answers_calls_behind_the_loop(sdk: AIStudio, record: Record) -> list[Any]:
    run = record(ask(sdk, stream=True))
    seen = []
    for event in run:
        seen.append(plain(event))
        if event.tool_calls:
            break
    run.submit_tool_results(ANSWER)
    return [*seen, plain(run.wait()), *(plain(event) for event in run)]


def waits_and_answers(sdk: AIStudio, record: Record) -> list[Any]:
    run = record(ask(sdk, stream=False))
    first = run.wait()
    run.submit_tool_results(iter([ANSWER]))
    second = run.wait()
    return [plain(first), first.usage, plain(second), second.usage]


def finds_the_last_of_a_thread(sdk: AIStudio, record: Record) -> list[Any]:
    thread = ask(sdk, stream=True).thread_id
    run = record(sdk.runs.get_last_by_thread(thread))
    return [*(plain(event) for event in run), str(run.get_status().name)]


async def streams_async(sdk: AsyncAIStudio, record: Record) -> list[Any]:
    run = record(await ask_async(sdk, stream=True))
    seen = [plain(event) async for event in run]
    result = await run
    return [*seen, plain(result), result.usage]


async def waits_async(sdk: AsyncAIStudio, record: Record) -> list[Any]:
    run = record(await ask_async(sdk, stream=False))
    result = await run.wait(poll_interval=0.1)
    return [plain(result), await run.get_status(), plain(await run.get_result())]


async def listens_twice_async(sdk: AsyncAIStudio, record: Record) -> list[Any]:
    run = record(await ask_async(sdk, stream=True))
    return [[plain(event) async for event in run] for _ in range(2)]


async def answers_calls_in_the_loop_async(sdk: AsyncAIStudio, record: Record) -> list[Any]:
    run = record(await ask_async(sdk, stream=True))
    seen = []
    async for event in run:
        seen.append(plain(event))
        if event.tool_calls:
            await run.submit_tool_results([ANSWER])
    return [*seen, plain(await run)]


async def waits_and_answers_async(sdk: AsyncAIStudio, record: Record) -> list[Any]:
    run = record(await ask_async(sdk, stream=False))
    first = await run
    await run.submit_tool_results([ANSWER])
    return [plain(first), plain(await run)]


STREAMED = Script([Partial("It"), Pause(0.1), Partial("It is"), Done("It is sunny.")])
SYNC: list[tuple[Program, Script]] = [
    (streams, STREAMED),
    (streams, Script([Fail("the model is tired")])),
    (waits, STREAMED),
    (waits, Script([Fail("the model is tired")])),
    (waits_and_then_listens, STREAMED),
    (listens_twice, STREAMED),
    (listens_from_the_middle, STREAMED),
    (answers_calls_in_the_loop, Script(TOOL_ROUND)),
    (answers_calls_in_the_loop, Script(TWO_ROUNDS)),
    (answers_calls_behind_the_loop, Script(TOOL_ROUND)),
    (answers_calls_behind_the_loop, Script(TOOL_ROUND, closes_at_calls=True)),
    (waits_and_answers, Script(TOOL_ROUND)),
    (finds_the_last_of_a_thread, STREAMED),
]
ASYNC: list[tuple[AsyncProgram, Script]] = [
    (streams_async, STREAMED),
    (waits_async, STREAMED),
    (waits_async, Script([Fail("the model is tired")])),
    (listens_twice_async, STREAMED),
    (answers_calls_in_the_loop_async, Script(TOOL_ROUND)),
    (waits_and_answers_async, Script(TOOL_ROUND)),
]


def named(cases: list[Any]) -> dict[str, Any]:
    """How pytest calls these cases."""
    return {"ids": [f"{program.__name__}-{n}" for n, (program, _) in enumerate(cases)]}
