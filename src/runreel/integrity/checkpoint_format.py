r"""Checkpoints as text: what stands in each line, written in one way and read in that way alone.

    runreel checkpoint 1
    database "0d6c1f0e-4d3c-4d53-9a52-4c2b8b7f8f5a"
    number 2
    time 2025-12-31T18:30:00.000000Z
    previous SHA-256 of the checkpoint before this one, or none
    kind full|changes
    key id of the key that signs
    next-key the public key that signs from the next one on, or none
    "run id, as JSON in ASCII" seq digest       one for each run, in the order of their ids' bytes
    runs 1
    signature ed25519 over SIGNED and the SHA-512 of every line before

Every digest, key and signature is in hexadecimal digits.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.errors import BadCheckpoint
from runreel.model.events import MAX_RUN_ID
from runreel.model.timestamps import micros, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FIRST_LINE = b"runreel checkpoint 1\n"
# What a key signs begins so, that a signature says nothing anywhere else.
SIGNED = b"runreel/checkpoint/v1\0"
# An escaped character takes twelve letters; the rest of a line is short.
MAX_LINE = 12 * MAX_RUN_ID + 200

_HEADER_LINES = 8
_LAST_SEQ = 2**63 - 1
_HEADER = re.compile(
    r"runreel checkpoint 1\n"
    r"database (\"[^\n]*\")\n"
    r"number ([0-9]{1,18})\n"
    r"time ([^\n]*)\n"
    r"previous (none|[0-9a-f]{64})\n"
    r"kind (full|changes)\n"
    r"key ([0-9a-f]{32})\n"
    r"next-key (none|[0-9a-f]{64})\n"
)
_HEAD = re.compile(r"(\"[^\n]*\") ([0-9]{1,19}) ([0-9a-f]{64})\n")
_COUNT = re.compile(r"runs ([0-9]{1,18})\n")
_SIGNATURE = re.compile(r"signature ([0-9a-f]{128})\n")


@dataclass(frozen=True, slots=True)
class Header:
    """What a checkpoint says of itself. ``time`` is in µs; ``previous`` and keys are in hex."""

    database_id: str
    number: int
    time: int
    previous: str | None
    full: bool
    key_id: str
    next_key: str | None = None

    @property
    def kind(self) -> str:
        """``full``: every run of the log; ``changes``: those that moved since the previous."""
        return "full" if self.full else "changes"


class HeadEntry(NamedTuple):
    """Where a run ended: its last row's seq and digest."""

    run_id: str
    seq: int
    digest: bytes

    @property
    def sort_key(self) -> bytes:
        """What runs are sorted by, here and in both databases."""
        return self.run_id.encode()


def header_text(header: Header) -> str:
    """The lines that a checkpoint begins with."""
    return (
        f"runreel checkpoint 1\n"
        f"database {_quoted(header.database_id)}\n"
        f"number {header.number}\n"
        f"time {rfc3339(header.time)}\n"
        f"previous {header.previous or 'none'}\n"
        f"kind {header.kind}\n"
        f"key {header.key_id}\n"
        f"next-key {header.next_key or 'none'}\n"
    )


def head_text(head: HeadEntry) -> str:
    """The line of one run."""
    return f"{_quoted(head.run_id)} {head.seq} {head.digest.hex()}\n"


def count_text(runs: int) -> str:
    """The line behind the runs."""
    return f"runs {runs}\n"


def signature_text(signature: bytes) -> str:
    """The last line."""
    return f"signature {signature.hex()}\n"


class CheckpointParser:
    """The lines of a checkpoint, read one by one: ``header``, then ``heads()``, then the rest.

    Raises:
        BadCheckpoint: wherever they are not exactly what would be written.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self.header = _header(b"".join(islice(self._lines, _HEADER_LINES)))
        self.runs = 0
        self.signature = b""

    def heads(self) -> Iterator[HeadEntry]:
        """The runs in order; ``runs`` and ``signature`` are known behind the last."""
        before = b""
        for raw in self._lines:
            line = _decoded(raw)
            if not line.startswith('"'):
                self._end(line)
                return
            head = _head(line)
            if head.sort_key <= before:
                raise BadCheckpoint(f"the run {head.run_id!r} is out of order, or there twice")
            before = head.sort_key
            self.runs += 1
            yield head
        raise BadCheckpoint("the checkpoint ends before its signature")

    def _end(self, line: str) -> None:
        found = _COUNT.fullmatch(line)
        if found is None or line != count_text(int(found[1])) or int(found[1]) != self.runs:
            raise BadCheckpoint(f"the checkpoint does not count its {self.runs} runs")
        signed = _SIGNATURE.fullmatch(_decoded(next(self._lines, b"")))
        if signed is None:
            raise BadCheckpoint("the checkpoint has no signature")
        if next(self._lines, None) is not None:
            raise BadCheckpoint("something follows the signature")
        self.signature = bytes.fromhex(signed[1])


def _header(raw: bytes) -> Header:
    if not raw.startswith(FIRST_LINE):
        raise BadCheckpoint("this is no checkpoint of runreel, or one of a newer version")
    text = _decoded(raw)
    found = _HEADER.fullmatch(text)
    if found is None:
        raise BadCheckpoint("the checkpoint's first lines are damaged")
    database, number, time, previous, kind, key_id, next_key = found.groups()
    header = Header(
        database_id=_unquoted(database),
        number=int(number),
        time=micros(time) or 0,
        previous=None if previous == "none" else previous,
        full=kind == "full",
        key_id=key_id,
        next_key=None if next_key == "none" else next_key,
    )
    if header_text(header) != text:
        raise BadCheckpoint("the checkpoint's first lines are not as runreel writes them")
    if header.number < 1 or (header.previous is None) != (header.number == 1):
        raise BadCheckpoint("the first checkpoint has no previous one, and every other has one")
    if header.previous is None and not header.full:
        raise BadCheckpoint("the first checkpoint is a full one")
    return header


def _head(line: str) -> HeadEntry:
    found = _HEAD.fullmatch(line)
    if found is None:
        raise BadCheckpoint("the line of a run is damaged")
    run_id, seq, digest = found.groups()
    head = HeadEntry(_unquoted(run_id), int(seq), bytes.fromhex(digest))
    if head.seq > _LAST_SEQ or not 0 < len(head.run_id) <= MAX_RUN_ID or head_text(head) != line:
        raise BadCheckpoint("the line of a run is not as runreel writes it")
    return head


def _decoded(line: bytes) -> str:
    try:
        return line.decode("ascii")
    except UnicodeDecodeError:
        raise BadCheckpoint("the checkpoint holds bytes that no checkpoint has") from None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)


def _unquoted(text: str) -> str:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, str):
        raise BadCheckpoint("a name in the checkpoint is damaged")
    try:
        told.encode()
    except UnicodeEncodeError:
        raise BadCheckpoint("a name in the checkpoint is no text") from None
    return told
