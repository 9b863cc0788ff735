"""Sources of runs: for each, a pure reader of its wire JSON."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from runreel.words.errors import UsageError

if TYPE_CHECKING:
    from runreel.rules.reading import Reader

# The names stand in every log: never change one.
_READERS = {
    "openai-chat": "runreel.sources.openai_chat",
    "openai-responses": "runreel.sources.openai_responses",
    "plain": "runreel.sources.plain",
    "yandex-assistants": "runreel.sources.yandex_assistants",
}

SOURCES = tuple(sorted(_READERS))


def reader_of(source: str) -> Reader:
    """The reader of this source's events.

    Raises:
        UsageError: if runreel knows no such source.
    """
    try:
        module = _READERS[source]
    except KeyError:
        raise UsageError(
            f"no source is called {source!r}", hint=f"Sources: {', '.join(SOURCES)}."
        ) from None
    return cast("Reader", import_module(module).reader)
