"""An agent of openai-agents with a tool, as its documentation writes it; not a line of runreel."""

import asyncio

from agents import Agent, Runner, function_tool, set_default_openai_api, set_tracing_disabled

set_tracing_disabled(True)


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}"


async def main() -> None:
    """Run the agent at once, and then streamed."""
    for api in ("responses", "chat_completions"):
        set_default_openai_api(api)
        agent = Agent(name="Assistant", tools=[weather], model="test-model")
        result = await Runner.run(agent, "finished: What is the weather in Berlin?")
        print(result.final_output)
        streamed = Runner.run_streamed(agent, "streamed: What is the weather in Berlin?")
        async for _ in streamed.stream_events():
            pass
        print(streamed.final_output)


asyncio.run(main())
