"""An agent of pydantic-ai with a tool, as its documentation writes it; not a line of runreel."""

import asyncio

from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel


def weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}"


async def main(model: OpenAIChatModel | OpenAIResponsesModel) -> None:
    """Run the agent at once, and then streamed."""
    agent = Agent(model, instructions="Be short.", tools=[weather])
    result = await agent.run("finished: What is the weather in Berlin?")
    print(result.output)
    async with agent.run_stream("streamed: What is the weather in Berlin?") as streamed:
        print(await streamed.get_output())


for kind in (OpenAIResponsesModel, OpenAIChatModel):
    asyncio.run(main(kind("test-model")))
