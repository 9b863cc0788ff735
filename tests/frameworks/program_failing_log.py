"""Asks a model in every way while the log fails; prints what the program gets, a line each."""

import asyncio
import itertools
import json
import logging
import sys

import openai

import runreel
from runreel.model.errors import DatabaseUnavailable

logging.disable(logging.CRITICAL)
url, log, version = sys.argv[1:]
assert openai.__version__.startswith(f"{version}."), openai.__version__


def gone(*_: object, **__: object) -> None:
    """Stands in for each way of writing."""
    raise DatabaseUnavailable("the database is gone")


def break_log(reel: runreel.Reel) -> None:
    """Let every write fail from now on."""
    for way in ("write", "write_at_once", "writing"):
        setattr(reel.db, way, gone)


def hooked(client: openai.OpenAI | openai.AsyncOpenAI, reel: runreel.Reel, when: str) -> None:
    """Break the log now, or as soon as the server has answered."""
    if when == "before":
        break_log(reel)
    elif hasattr(client._client, "aclose"):

        async def answered(_response: object) -> None:
            break_log(reel)

        client._client.event_hooks["response"].append(answered)
    else:
        client._client.event_hooks["response"].append(lambda _: break_log(reel))


def ask(reel: runreel.Reel, name: str, *, stream: bool, when: str) -> int:
    """Ask with the blocking client; return how much came."""
    client = openai.OpenAI(base_url=url, api_key="k", max_retries=2)
    hooked(client, reel, when)
    got = client.responses.create(model=name, input="x", stream=stream)
    return len(list(got)) if stream else len(got.output)


async def aask(reel: runreel.Reel, name: str, *, stream: bool, when: str) -> int:
    """Ask with the asynchronous client."""
    client = openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=2)
    hooked(client, reel, when)
    got = await client.responses.create(model=name, input="x", stream=stream)
    return len([event async for event in got]) if stream else len(got.output)


def chain(error: BaseException | None) -> list[str]:
    """The names of an error and its causes."""
    names = []
    while error is not None:
        names.append(type(error).__name__)
        error = error.__cause__ or error.__context__
    return names


ways = itertools.product(
    ("sync", "async"), ("stream", "finished"), ("raise", "warn"), ("before", "later")
)
for way in ways:
    kind, form, policy, when = way
    name = "-".join(way)
    with runreel.open(log, on_error=policy) as reel, reel.watch():
        try:
            if kind == "sync":
                result = ask(reel, name, stream=form == "stream", when=when)
            else:
                result = asyncio.run(aask(reel, name, stream=form == "stream", when=when))
        except Exception as error:  # noqa: BLE001 - what the program gets
            result = chain(error)
    print(json.dumps([name, result]), flush=True)
