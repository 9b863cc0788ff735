"""A tap for the data of server-sent events inside a vendor's client.

The client's own objects are not exact: they convert some integers to floats.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from runreel.model.errors import MissingExtra, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

# The oldest versions of clients that are recorded.
OLDEST = {"openai": "1.66", "anthropic": "0.40"}
# Seconds for the client to notice that its connection is closed.
_DRAIN_SECONDS = 1.0
# A cheap check that selects the chunks to parse.
_NO_CHOICES = re.compile(r'"choices"\s*:\s*\[\s*\]')


class SseEvent(Protocol):
    """A server-sent event as the client decodes it."""

    data: str


class SseTap:
    """Collects the data texts that a ``Stream`` or ``AsyncStream`` reads.

    The texts are JSON, except for the ``[DONE]`` at the end. Chunks before the first one with the
    completion's id are passed on together with that one, because the id becomes the run's id.
    ``call`` is a call of the client of this ``vendor`` that returns a stream.
    """

    def __init__(self, stream: Any, vendor: str, call: str) -> None:
        self._texts: list[str] = []
        self._held: list[SseEvent] = []
        self._untouched = True
        self._stream = stream
        self._has_id = False
        # The client looks up this method when the stream is first read.
        self._events: Any = getattr(stream, "_iter_events", None)
        if self._events is None:
            raise unknown_version(vendor)
        self._call = call
        self.asynchronous = hasattr(stream, "__anext__")
        stream._iter_events = self._aiter_events if self.asynchronous else self._iter_events  # noqa: SLF001

    def received(self) -> list[str]:
        """Return the texts read since the last call.

        Raises:
            UsageError: if the stream was read before the tap was installed.
        """
        if self._untouched:
            raise UsageError(
                "this stream was read before it was recorded",
                hint=f"Record it where it is created: reel.record({self._call}).",
            )
        texts, self._texts = self._texts, []
        return texts

    async def close(self, stream: Any) -> None:
        """Close the client's ``stream``, or its helper around it."""
        if not self.asynchronous:
            stream.close()
            return
        try:
            await stream.close()
        finally:
            await self._drain()

    async def _drain(self) -> None:
        """Let the client's nested generators end in order, after its connection is closed.

        Otherwise the event loop would close all of them at once at its end, which fails.
        """
        if self._untouched:
            return
        with suppress(Exception):
            async with asyncio.timeout(_DRAIN_SECONDS):
                while await anext(self._stream, None) is not None:
                    pass
        self._texts.clear()

    def _iter_events(self) -> Iterator[SseEvent]:
        self._untouched = False
        for event in self._events():
            yield from self._released(event)
        yield from self._held

    async def _aiter_events(self) -> AsyncIterator[SseEvent]:
        self._untouched = False
        async for event in self._events():
            for released in self._released(event):
                yield released
        for held in self._held:
            yield held

    def _released(self, event: SseEvent) -> list[SseEvent]:
        """Record an event; return those to pass on now, none before the first one with an id."""
        self._texts.append(event.data)
        self._held.append(event)
        if not self._has_id and lacks_id(event.data):
            return []
        self._has_id = True
        released, self._held = self._held, []
        return released


def lacks_id(text: str) -> bool:
    """Whether this is a chunk without choices and id."""
    if _NO_CHOICES.search(text) is None:
        return False
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and value.get("id") == "" and value.get("choices") == []


def unknown_version(vendor: str) -> MissingExtra:
    """The error for an unsupported version of a vendor's client."""
    version = getattr(import_module(vendor), "__version__", "")
    return MissingExtra(
        f"cannot record streams of {vendor} {version}",
        hint=f"pip install 'runreel[{vendor}]': {vendor} {OLDEST[vendor]} and later.",
    )
