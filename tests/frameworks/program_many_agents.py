"""16 agents of openai-agents with a tool at once; not a line of runreel."""

import asyncio

from agents import Agent, Runner, function_tool, set_tracing_disabled

set_tracing_disabled(True)


@function_tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}"


async def main() -> None:
    """Run them, each with a question of its own."""
    agent = Agent(name="Assistant", tools=[weather], model="test-model")
    questions = [f"{number}: What is the weather in Berlin?" for number in range(16)]
    for result in await asyncio.gather(*(Runner.run(agent, asked) for asked in questions)):
        print(result.final_output)


asyncio.run(main())
