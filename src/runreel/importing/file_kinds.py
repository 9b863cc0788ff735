"""Recognises files that are not recorded traffic, by their first bytes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runreel.codec.json_text import loads
from runreel.model.errors import BadValue

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

# Number of bytes examined.
HEAD = 64 * 1024
UTF8_BOM = b"\xef\xbb\xbf"

_UTF16 = (b"\xff\xfe", b"\xfe\xff", b"{\0", b"\0{", b"[\0", b"\0[")
SQLITE = b"SQLite format 3\0"
_MAGIC = (
    (SQLITE, "is a SQLite database: read it with `runreel --db FILE`"),
    (b"PK\x03\x04", "is a zip archive: unpack it first"),
    (b"PAR1", "is a Parquet file, which holds no recorded traffic"),
)
_MEMBER = re.compile(rb'"(?:[^"\\]|\\.)*"\s*:')
_EVENTS = frozenset(("run_id", "seq", "kind", "elapsed_us"))
_RUNS = frozenset(("run_id", "status_name", "recording", "last_seq"))
_OUTPUT = (
    "is output of `runreel {command}`, which lacks usage, model, labels and source: import the"
    " recorded traffic itself, or copy the log with `runreel backup`"
)


def refusal(head: bytes) -> str | None:
    """Return why a file with these first bytes is not recorded traffic; None if it may be."""
    reason = _not_text(head) or _not_lines(head.removeprefix(UTF8_BOM))
    return None if reason is None else f"the file {reason}"


def _not_text(head: bytes) -> str | None:
    for magic, message in _MAGIC:
        if head.startswith(magic):
            return message
    if head.startswith(_UTF16):
        return "is UTF-16, not UTF-8: convert it with `iconv -f UTF-16 -t UTF-8`"
    # A power failure may leave NUL bytes between lines.
    return "is binary, not JSON lines" if b"\0" in head and b'\n{"' not in head else None


def _not_lines(head: bytes) -> str | None:
    first, second, *_ = [*filter(None, map(bytes.strip, head.split(b"\n"))), b"", b""]
    if (command := output_of(_names(first))) is not None:
        return _OUTPUT.format(command=command)
    if first == b"{" and _MEMBER.match(second):
        return "is pretty-printed JSON, not JSON lines: convert it with `jq -c .`"
    if first[:1] == b"[" and first[1:].lstrip()[:1] in (b"", b"{") and _object(second) is None:
        return "is a JSON array, not JSON lines: convert it with `jq -c '.[]'`"
    return None


def refuse_output(value: Any) -> str | None:
    """Return why a line with this value is not a recorded event; None if it may be one."""
    command = output_of(value.keys()) if isinstance(value, dict) else None
    return None if command is None else "this line " + _OUTPUT.format(command=command)


def output_of(names: AbstractSet[str]) -> str | None:
    """Return the runreel command that prints objects with these keys, None if there is none."""
    if names >= _EVENTS:
        return "events"
    return "runs" if names >= _RUNS else None


def _names(line: bytes) -> AbstractSet[str]:
    """Return the keys of a JSON object, or the column names of a CSV header."""
    value = _object(line)
    return {*line.decode(errors="replace").split(",")} if value is None else value.keys()


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = loads(line)
    except BadValue:
        return None
    return value if isinstance(value, dict) else None
