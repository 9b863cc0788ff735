"""What a stream of the Gemini API holds so far."""

from __future__ import annotations

from typing import Any

import msgspec

from runreel.sources.google.content import Calls  # noqa: TC001 - for typing.get_type_hints


class Memory(msgspec.Struct, frozen=True):
    """State between the chunks of a run.

    ``id`` and ``model`` are those of the current response, ``calls`` are its function calls and
    ``usage`` its usage as reported last. ``ended`` is True once it has a finish reason.
    """

    id: str | None = None
    model: str | None = None
    calls: Calls = ()
    usage: Any = None
    ended: bool = False


NO_MEMORY = Memory()
