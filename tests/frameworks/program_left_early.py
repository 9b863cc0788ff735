"""Leaves the streams of a framework early in each of its ways; prints what the log has of each."""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Awaitable, Callable

import runreel

framework, log = sys.argv[1:]
watch = runreel.watch(log)
Way = Callable[[], Awaitable[None]]


def ways_of_openai_agents() -> list[Way]:
    """Cancel the run; or break."""
    from agents import Agent, Runner, set_trace_processors

    set_trace_processors([])
    agent = Agent(name="Assistant", model="gpt-5-mini")

    async def left(*, cancel: bool) -> None:
        streamed = Runner.run_streamed(agent, "Hi")
        async for event in streamed.stream_events():
            if event.type == "raw_response_event" and event.data.type.endswith("text.delta"):
                streamed.cancel()
                if not cancel:
                    break

    return [lambda: left(cancel=True), lambda: left(cancel=False)]


def ways_of_pydantic_ai() -> list[Way]:
    """Break in the block of the stream."""
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIResponsesModel

    agent = Agent(OpenAIResponsesModel("gpt-5-mini"))

    async def left() -> None:
        async with agent.run_stream("Hi") as streamed:
            async for _ in streamed.stream_text(delta=True, debounce_by=None):
                break

    return [left]


def ways_of_langchain() -> list[Way]:
    """Break, sync and async."""
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="gpt-5-mini", use_responses_api=True)

    async def left() -> None:
        for chunk in model.stream("Hi"):
            if chunk.text:
                break

    async def aleft() -> None:
        async for chunk in model.astream("Hi"):
            if chunk.text:
                break

    return [left, aleft]


async def main() -> None:
    """Leave a stream in each way, and wait for the end of its recording."""
    ways = {
        "openai-agents": ways_of_openai_agents,
        "pydantic-ai": ways_of_pydantic_ai,
        "langchain": ways_of_langchain,
    }
    for way in ways[framework]():
        await way()
        gc.collect()
        deadline = time.monotonic() + 20
        run = next(iter(watch.reel.runs()))
        while run.recording == "open" and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            run = watch.reel.run(run.run_id)
        print(json.dumps([run.recording, run.events, watch.reel.result(run.run_id).text]))


asyncio.run(main())
