"""What a server sends, heard where the openai client takes the stream apart.

The client's own objects are not exact: they make floats of whole numbers here and there.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from runreel.codec import plain_json as pj
from runreel.model.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

# Seconds that a client is given to notice that its connection is closed.
_RUN_OUT = 1.0
# What every chunk has that is looked into more closely.
_NO_CHOICES = re.compile(r'"choices"\s*:\s*\[\s*\]')


class SseTap:
    """The texts that a ``Stream`` or, ``asynchronous``, an ``AsyncStream`` reads.

    They are JSON, but for the ``[DONE]`` at the end. Chunks that come before the one with the
    completion's id are given to the client together with that one: a run is called by the id.
    """

    def __init__(self, stream: Any) -> None:
        self._texts: list[str] = []
        self._silent = True
        self._stream = stream
        self._named = False
        # The client looks this up when the stream is first read.
        self._events: Any = getattr(stream, "_iter_events", None)
        if self._events is None:
            raise unknown_version()
        self.asynchronous = hasattr(stream, "__anext__")
        stream._iter_events = self._aiter_events if self.asynchronous else self._iter_events  # noqa: SLF001

    def received(self) -> list[str]:
        """What was read since this was asked last.

        Raises:
            UsageError: if nothing was ever read here, for it was read before.
        """
        if self._silent:
            raise UsageError(
                "this stream was read before it was recorded",
                hint="Record it where it is created: reel.record(client.responses.create(...)).",
            )
        texts, self._texts = self._texts, []
        return texts

    async def run_out(self) -> None:
        """Have the client's generators end, one inside of the other, once its connection is closed.

        Left as they are, the event loop would close all of them at once when it ends, which fails.
        """
        if self._silent:
            return
        with suppress(Exception):
            async with asyncio.timeout(_RUN_OUT):
                while await anext(self._stream, None) is not None:
                    pass
        self._texts.clear()

    def _iter_events(self) -> Iterator[Any]:
        self._silent, held = False, []
        for event in self._events():
            held.append(event)
            if self._goes_on(event.data):
                yield from held
                held.clear()
        yield from held

    async def _aiter_events(self) -> AsyncIterator[Any]:
        self._silent, held = False, []
        async for event in self._events():
            held.append(event)
            if self._goes_on(event.data):
                for one in held:
                    yield one
                held.clear()
        for one in held:
            yield one

    def _goes_on(self, text: str) -> bool:
        """Take a text; whether the client is to have it before the next one has come."""
        self._texts.append(text)
        self._named = self._named or not _is_nameless(text)
        return self._named


def _is_nameless(text: str) -> bool:
    """Whether this is a chunk that says nothing of a completion, not even its id."""
    if _NO_CHOICES.search(text) is None:
        return False
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and value.get("id") == "" and value.get("choices") == []


def path(stream: Any) -> str:
    """The path that a stream was asked for at."""
    return str(stream.response.request.url.path)


def is_creation(stream: Any) -> bool:
    """Whether the stream is of something new, rather than of something known once more."""
    return bool(stream.response.request.method == "POST")


def requested_id(stream: Any) -> str | None:
    """The id of the response that a stream was asked for by."""
    return None if is_creation(stream) else path(stream).rstrip("/").rpartition("/")[2] or None


def sent_request(stream: Any) -> dict[str, Any]:
    """What was asked for, as the client has sent it."""
    with suppress(Exception):  # a body that cannot be read again tells nothing
        return pj.as_object(json.loads(stream.response.request.content))
    return {}


def unknown_version() -> MissingExtra:
    """The error that this client is none that runreel knows how to listen to."""
    import openai

    return MissingExtra(
        f"runreel cannot listen to streams of openai {openai.__version__}",
        hint="pip install 'runreel[openai]': openai 1.66 and later.",
    )
