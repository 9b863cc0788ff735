"""Check of the times in a line of recorded traffic, which become the times of the imported run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object
from runreel.model.errors import BadInput
from runreel.model.timestamps import is_unreadable
from runreel.sources.line_parser import PLAIN, YANDEX
from runreel.sources.yandex.proto_json import get, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.sources.line_parser import Line


def require_times(line: Line) -> None:
    """Check that every time in a line is valid; otherwise its run would be dated to the import.

    Raises:
        BadInput: if a time is invalid.
    """
    for name, time in _times(line.source, as_object(line.value)):
        if is_unreadable(time):
            raise BadInput(
                f"invalid time in {name}: {time!r:.60}",
                hint="Times are RFC 3339, or seconds or milliseconds since 1970 as a number.",
            )


def _times(source: str, value: dict[str, object]) -> Iterator[tuple[str, object]]:
    if source == PLAIN:
        yield from ((name, value.get(name)) for name in ("at", "created_at", "requested_at"))
    elif source == YANDEX:
        for holder in (value, mapping(value, "state")):
            for message in (holder, mapping(holder, "completedMessage")):
                if message:
                    yield "createdAt", get(message, "createdAt")
