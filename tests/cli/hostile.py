"""Text that wants to command a terminal or to hide in it, wherever runreel takes text from."""

from __future__ import annotations

import itertools
import json
import operator
import random
import sys
import unicodedata
from typing import TYPE_CHECKING, Any

from runreel import (
    Author,
    Citation,
    File,
    FileChunk,
    FunctionCall,
    RunResult,
    RunStatus,
    RunStreamEvent,
    SearchIndex,
    StreamEvent,
    ToolCall,
    ToolCallList,
    UnknownSource,
    Usage,
)
from tests.cli.stories import message, partial

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.api.reel import Reel

_BEGINNINGS = ("\x1b[", "\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1bX", "\x1b", "\x9b", "\x9d", "\x90")
# Clipboards, titles, links, files, reports that are typed for the user, colours, moves, modes.
_ORDERS = (
    *("52;c;RVZJTA==", "0;title", "8;;http://evil", "1337;File=inline=1:AAAA", "9;ding", "777;a;b"),
    *("5;41m", "38;2;1;2;3m", "2J", "H", "3A", "6n", "c", ">c", "?1049h", "?25l", "21t", "!p"),
    *("+q544e", "$qm", "#8", "(0", "]", 'q"1;1;9;9#0~'),
)
_ENDS = ("\x07", "\x1b\\", "\x9c", "", "\x18", "\x1a")
# The one text here in which a joiner has a meaning, and is printed.
JOINED = "👩\u200d💻"
_PLAIN = (
    "EVIL",
    "rm -rf /",
    "Привет",
    "世界",
    "e\u0301",
    JOINED,
    "=1+1",
    "<b>",
    "\n",
    "\t",
    "\r\n",
)
_SOME = (0xD800, 0xDBFF, 0xDC80, 0xDCFF, 0xDFFF, 0xE000, 0xF8FF, 0xF0000, 0x10FFFD)
_NONE = (0x378, 0xFDD0, 0xFFFE, 0xFFFF, 0x1FFFE, 0xE0000, 0x10FFFF)
# Everything of the categories that are few, and some of those that are many.
CHARACTERS = tuple(
    char
    for char in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp") or ord(char) in (*_SOME, *_NONE)
)


def inputs(count: int, seed: int = 0) -> list[str]:
    """So many texts, each with a number by which it is known again in what is printed."""
    chance = random.Random(seed)  # noqa: S311 - repeatable
    characters = itertools.cycle(chance.sample(CHARACTERS, len(CHARACTERS)))
    return [f"<{number:05}>" + _harm(chance, characters) for number in range(count)]


def _harm(chance: random.Random, characters: Iterator[str]) -> str:
    pieces = []
    for _ in range(chance.randrange(2, 6)):
        begun = chance.choice(_BEGINNINGS) + chance.choice(_ORDERS)
        pieces.append(chance.choice((begun + chance.choice(_ENDS), chance.choice(_PLAIN))))
        pieces.append(next(characters))
    return "".join(pieces)


def as_id(text: str) -> str:
    """What is left of a text in a run's id."""
    return "".join(char for char in text if unicodedata.category(char) not in ("Cc", "Cs"))


def as_argument(text: str) -> str:
    """What is left of a text in a program's argument: bytes that are no text come as surrogates."""
    return "".join(
        char
        for char in text
        if char and ("\udc80" <= char <= "\udcff" or unicodedata.category(char) != "Cs")
    ).replace("\0", "")


def as_name(text: str) -> str:
    """What is left of a text in a file's name."""
    return as_argument(text).replace("/", "")[:40]


def tell(reel: Reel, texts: list[str]) -> list[str]:
    """Runs with the texts in everything that a model or a caller can write; their ids."""
    left = iter(texts)
    told: list[str] = []
    while operator.length_hint(left):
        told.append(_run(reel, len(told), itertools.chain(left, itertools.cycle(texts))))
    return told


def _run(reel: Reel, number: int, told: Iterator[str]) -> str:
    run_id = f"{number}-{as_id(next(told))}"
    names: dict[str, Any] = {
        "assistant_id": next(told),
        "thread_id": next(told),
        "model": next(told),
        "labels": {next(told): next(told), "known": next(told)},
    }
    recording = reel.recording(run_id, **names)
    recording.append(partial(next(told)))
    recording.append(partial(next(told)))
    calls = ToolCallList(
        (ToolCall(next(told), FunctionCall(next(told), {next(told): next(told)})),)
    )
    recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=calls))
    recording.tool_results([next(told)])
    if number % 4 == 1:
        recording.append(RunStreamEvent(StreamEvent.ERROR, error=next(told)))
        recording.interrupt(next(told))
    elif number % 4 != 2:
        file = FileChunk(
            (next(told),), SearchIndex(next(told), name=next(told)), File("f", name=next(told))
        )
        author = {"id": next(told), "created_by": next(told), "author": Author(next(told), "A")}
        done = message(next(told), (Citation((file, UnknownSource(next(told)))),), **author)
        recording.append(RunStreamEvent(StreamEvent.DONE, _message=done))
        recording.result(RunResult(RunStatus.COMPLETED, _message=done, usage=Usage(1, 3, 2)))
        recording.close()
    return run_id


def write_bad_lines(path: Path, texts: list[str]) -> None:
    """A file of lines that cannot be recorded, each for a reason that quotes from it."""
    shapes: tuple[Any, ...] = (
        lambda text: text.replace("\n", " "),
        lambda text: json.dumps({text: text}),
        lambda text: json.dumps({"run_id": text, "type": text, "kind": text}),
        lambda text: json.dumps({"type": text, "data": {"id": text}}),
        lambda text: json.dumps({"type": "run", "data": {"id": text, "state": {"status": text}}}),
        lambda text: json.dumps({"run_id": text, "type": "PARTIAL_MESSAGE", "text": text}),
        lambda text: json.dumps({"type": "stream_event", "data": {"eventType": text}}),
        lambda text: json.dumps(text) + text.replace("\n", " "),
    )
    lines = (shape(text) for shape, text in zip(itertools.cycle(shapes), texts, strict=False))
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass") + b"\n")
