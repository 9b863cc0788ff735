r"""The text format of checkpoints. Each has exactly one valid form; others are rejected.

    runreel checkpoint 1
    database "0d6c1f0e-4d3c-4d53-9a52-4c2b8b7f8f5a"
    number 2
    time 2025-12-31T18:30:00.000000Z
    previous SHA-256 of the previous checkpoint, or none
    kind full|changes
    key id of the signing key
    next-key public key that signs from the next checkpoint on, or none
    "run id, as JSON in ASCII" seq digest       one for each run, ordered by the bytes of the id
    runs 1
    signature ed25519 over SIGNED and the SHA-512 of all lines above

Digests, keys and signatures are hexadecimal.
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
# Prefix of the signed bytes, so that a signature is not valid in any other context.
SIGNED = b"runreel/checkpoint/v1\0"
# An escaped character takes twelve bytes; the rest of a line is shorter than 200.
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
    """The header of a checkpoint; ``time`` is in µs, ``previous`` and keys are hexadecimal."""

    database_id: str
    number: int
    time: int
    previous: str | None
    full: bool
    key_id: str
    next_key: str | None = None

    @property
    def kind(self) -> str:
        """``full``: all runs of the log; ``changes``: runs changed since the previous one."""
        return "full" if self.full else "changes"


class HeadEntry(NamedTuple):
    """The head of a run: seq and digest of its last row."""

    run_id: str
    seq: int
    digest: bytes

    @property
    def sort_key(self) -> bytes:
        """The sort key of runs, the same as in both databases."""
        return self.run_id.encode()


def header_text(header: Header) -> str:
    """Format the header lines."""
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
    """Format the line of one run."""
    return f"{_quoted(head.run_id)} {head.seq} {head.digest.hex()}\n"


def count_text(runs: int) -> str:
    """Format the count line, which follows the runs."""
    return f"runs {runs}\n"


def signature_text(signature: bytes) -> str:
    """Format the signature line, which is the last."""
    return f"signature {signature.hex()}\n"


class CheckpointParser:
    """Parses the lines of a checkpoint one by one: ``header``, then ``heads()``, then the rest.

    Raises:
        BadCheckpoint: if a line differs from what runreel writes.
    """

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = iter(lines)
        self.header = _header(b"".join(islice(self._lines, _HEADER_LINES)))
        self.runs = 0
        self.signature = b""

    def heads(self) -> Iterator[HeadEntry]:
        """Yield the runs in order; ``runs`` and ``signature`` are set after the last."""
        previous_key = b""
        for raw in self._lines:
            line = _decoded(raw)
            if not line.startswith('"'):
                self._end(line)
                return
            head = _head(line)
            if head.sort_key <= previous_key:
                raise BadCheckpoint(f"run {head.run_id!r} is out of order or a duplicate")
            previous_key = head.sort_key
            self.runs += 1
            yield head
        raise BadCheckpoint("the checkpoint ends before its signature")

    def _end(self, line: str) -> None:
        match = _COUNT.fullmatch(line)
        if match is None or line != count_text(int(match[1])) or int(match[1]) != self.runs:
            raise BadCheckpoint(
                f"the run count does not match the {self.runs} runs of the checkpoint"
            )
        signed = _SIGNATURE.fullmatch(_decoded(next(self._lines, b"")))
        if signed is None:
            raise BadCheckpoint("the checkpoint has no signature")
        if next(self._lines, None) is not None:
            raise BadCheckpoint("unexpected data after the signature")
        self.signature = bytes.fromhex(signed[1])


def _header(raw: bytes) -> Header:
    if not raw.startswith(FIRST_LINE):
        raise BadCheckpoint("not a runreel checkpoint, or of a newer version")
    text = _decoded(raw)
    match = _HEADER.fullmatch(text)
    if match is None:
        raise BadCheckpoint("the header of the checkpoint is damaged")
    database, number, time, previous, kind, key_id, next_key = match.groups()
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
        raise BadCheckpoint("the header of the checkpoint is not as runreel writes it")
    if header.number < 1 or (header.previous is None) != (header.number == 1):
        raise BadCheckpoint("only the first checkpoint has no previous one")
    if header.previous is None and not header.full:
        raise BadCheckpoint("the first checkpoint must be full")
    return header


def _head(line: str) -> HeadEntry:
    match = _HEAD.fullmatch(line)
    if match is None:
        raise BadCheckpoint("the line of a run is damaged")
    run_id, seq, digest = match.groups()
    head = HeadEntry(_unquoted(run_id), int(seq), bytes.fromhex(digest))
    if head.seq > _LAST_SEQ or not 0 < len(head.run_id) <= MAX_RUN_ID or head_text(head) != line:
        raise BadCheckpoint("the line of a run is not as runreel writes it")
    return head


def _decoded(line: bytes) -> str:
    try:
        return line.decode("ascii")
    except UnicodeDecodeError:
        raise BadCheckpoint("the checkpoint contains non-ASCII bytes") from None


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=True)


def _unquoted(text: str) -> str:
    try:
        name = json.loads(text)
    except (ValueError, RecursionError):
        name = None
    if not isinstance(name, str):
        raise BadCheckpoint("a name in the checkpoint is damaged")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise BadCheckpoint("a name in the checkpoint is not valid text") from None
    return name
