"""A web application that asks a model; not a line of runreel."""

from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def ask(request: Request) -> PlainTextResponse:
    """Answer with what the model says, as it says it."""
    async with AsyncOpenAI() as client:
        stream = await client.responses.create(
            model="test-model", input=[{"type": "function_call_output"}], stream=True
        )
        texts = [event.delta async for event in stream if event.type.endswith("text.delta")]
    return PlainTextResponse("".join(texts))


app = Starlette(routes=[Route("/ask", ask)])
