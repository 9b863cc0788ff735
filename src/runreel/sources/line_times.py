"""The times that a line of recorded traffic holds: a run that is imported goes by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.model.errors import BadInput
from runreel.model.timestamps import is_unreadable
from runreel.sources.line_parser import PLAIN, YANDEX
from runreel.sources.yandex.proto_json import as_mapping, get, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.sources.line_parser import Line


def require_times(line: Line) -> None:
    """See that each time of a line can be read: without it its run would count as of today.

    Raises:
        BadInput: if one cannot.
    """
    for name, time in _times(line.source, as_mapping(line.value)):
        if is_unreadable(time):
            raise BadInput(
                f"the time {name} cannot be read: {time!r:.60}",
                hint="Times are RFC 3339, or seconds or milliseconds since 1970 as a number.",
            )


def _times(source: str, value: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    if source == PLAIN:
        yield from ((name, value.get(name)) for name in ("at", "created_at", "requested_at"))
    elif source == YANDEX:
        for holder in (value, mapping(value, "state")):
            for message in (holder, mapping(holder, "completedMessage")):
                if message:
                    yield "createdAt", get(message, "createdAt")
