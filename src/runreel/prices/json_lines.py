"""JSON lines of objects, with a problem for each line that is none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
# A line of a price book has at most a few levels; a float could not hold a price exactly.
_MAX_LINE = 1_000_000


class Problem(NamedTuple):
    """What is wrong with a line; lines count from 1, and 0 is the file as a whole."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message


class BadFields(Exception):
    """Messages about the fields of one object."""

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


def parse(
    data: bytes, read: Callable[[dict[str, object], int], T]
) -> tuple[list[T], list[Problem]]:
    """Convert each line with ``read``, which may raise ``BadFields``; empty lines are skipped.

    Returns what it returned, and the problems, both in the order of lines.
    """
    found: list[T] = []
    problems: list[Problem] = []
    for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(read(_object(line), number))
        except BadFields as error:
            problems += (Problem(number, message) for message in error.messages)
    return found, problems


def _object(line: bytes) -> dict[str, object]:
    if len(line) > _MAX_LINE:
        raise BadFields(f"longer than {_MAX_LINE:,} bytes")
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_once)
    except UnicodeDecodeError:
        raise BadFields("not UTF-8") from None
    except RecursionError:
        raise BadFields("nested too deeply") from None
    except ValueError as error:
        raise BadFields(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadFields("not a JSON object")
    return value


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a key that is given twice: it is not known which price was meant."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise BadFields(f"`{key}` is given twice")
        found[key] = value
    return found
