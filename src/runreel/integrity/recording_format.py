r"""The text format of recording files. Each line has exactly one valid form; others are rejected.

    {"format":"runreel-recording","version":1,"made_at":…}     the manifest
    {"run_id":"run-1","seq":0,"kind":"note",…,"digest":…}      one for each row, in key order
    {"rows":1,"runs":1,"erased":0,"heads":{…},"sha256":…}      counts, heads and digest

Each line ends with a line feed. Salts, commitments, digests and signatures are hexadecimal. A
column that is NULL is left out.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from runreel.model.events import EventRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Endings of names of recording files.
ENDINGS = (".reel.jsonl", ".reel.jsonl.gz")
FORMAT = "runreel-recording"
VERSION = 1
# The first bytes of each recording file.
START = b'{"format":"runreel-recording",'
# The first bytes of the last line.
LAST = b'{"rows":'
# Prefix of the signed bytes, so that a signature is not valid in any other context.
SIGNED = b"runreel/recording/v1\0"


class Manifest(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The first line: what the file holds, and what made it.

    ``made_at`` is a time in RFC 3339, ``made_by`` the version of runreel, ``schema`` the revision
    of the log. ``runs``, ``rows`` and ``erased`` (rows whose payload was redacted) are expected
    numbers. ``masked`` are the mask rules if the rows are those of a masked copy.
    """

    format: str = msgspec.field(default="")
    version: int = 0
    made_at: str = ""
    made_by: str = ""
    schema: str = ""
    runs: int | None = None
    rows: int | None = None
    erased: int | None = None
    masked: tuple[str, ...] = ()


class Trailer(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The last line: the numbers of rows, runs and erased rows, and the head of each run.

    ``sha256`` is the digest of all lines before. ``key_id`` and ``signature`` are None if the file
    is not signed.
    """

    rows: int
    runs: int
    erased: int
    heads: dict[str, str]
    sha256: str
    key_id: str | None = None
    signature: str | None = None


class _Line(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The line of a row: the columns of ``EventRow`` in its order, bytes as hexadecimal text."""

    run_id: str
    seq: int
    kind: str
    type: str | None = None
    source_index: int | None = None
    at: int
    elapsed: int
    keep: int | None = None
    added: int | None = None
    payload: str | None = None
    salt: str | None = None
    redacted: str | None = None
    digest: str


_encode = msgspec.json.Encoder().encode
# It writes strings as the standard library does, character by character.
_encode_lines = msgspec.json.Encoder().encode_lines
_decode_lines = msgspec.json.Decoder(_Line).decode_lines
_decode_manifest = msgspec.json.Decoder(Manifest).decode
_decode_trailer = msgspec.json.Decoder(Trailer).decode


def manifest_line(manifest: Manifest) -> bytes:
    """Format the first line."""
    return _encode(manifest) + b"\n"


def parse_manifest(line: bytes) -> Manifest:
    """Parse the first line of a recording of this or another version.

    Raises:
        ValueError: if it is not in its one valid form.
    """
    manifest = _decode_manifest(line)
    _require_form(line, manifest_line(manifest))
    return manifest


def _require_form(line: bytes, written: bytes) -> None:
    """Refuse a line that differs from what runreel writes for its values."""
    if written != line:
        raise ValueError("it is not in the form that runreel writes")


def version_of(line: bytes) -> int | None:
    """Return the version of the format that a first line names, None if it names none."""
    try:
        value: Any = msgspec.json.decode(line)
    except ValueError:
        return None
    named = value.get("version") if isinstance(value, dict) else None
    return named if type(named) is int and value.get("format") == FORMAT else None


def row_lines(rows: Iterable[EventRow]) -> bytes:
    """Format the lines of some rows."""
    return _encode_lines(list(map(_line, rows)))


def _line(row: EventRow) -> _Line:
    run_id, seq, kind, type_, index, at, elapsed, keep, added, payload, salt, redacted, digest = row
    return _Line(
        run_id=run_id,
        seq=seq,
        kind=kind,
        type=type_,
        source_index=index,
        at=at,
        elapsed=elapsed,
        keep=keep,
        added=added,
        payload=payload,
        salt=None if salt is None else salt.hex(),
        redacted=None if redacted is None else redacted.hex(),
        digest=digest.hex(),
    )


def parse_row(line: bytes) -> EventRow:
    """Parse the line of a row.

    Raises:
        ValueError: if it is not in its one valid form.
    """
    rows = parse_rows(line)
    if len(rows) != 1:
        raise ValueError("it is not a row")
    return rows[0]


def parse_rows(lines: bytes) -> list[EventRow]:
    """Parse the lines of some rows, which takes less time than one by one.

    Raises:
        ValueError: if one of them is not in its one valid form.
    """
    rows = known_rows(lines)
    _require_form(lines, row_lines(rows))
    if b"\\u0000" in lines:
        for row in rows:
            if any("\0" in text for text in row if isinstance(text, str)):
                raise ValueError("it has a NUL character, which no stored text has")
    return rows


def known_rows(lines: bytes) -> list[EventRow]:
    """Return the rows of lines that were parsed before."""
    return list(map(_row, _decode_lines(lines)))


def _row(read: _Line) -> EventRow:
    return EventRow(
        read.run_id,
        read.seq,
        read.kind,
        read.type,
        read.source_index,
        read.at,
        read.elapsed,
        read.keep,
        read.added,
        read.payload,
        None if read.salt is None else bytes.fromhex(read.salt),
        None if read.redacted is None else bytes.fromhex(read.redacted),
        bytes.fromhex(read.digest),
    )


def trailer_line(trailer: Trailer) -> bytes:
    """Format the last line."""
    return _encode(trailer) + b"\n"


def parse_trailer(line: bytes) -> Trailer:
    """Parse the last line.

    Raises:
        ValueError: if it is not in its one valid form.
    """
    trailer = _decode_trailer(line)
    _require_form(line, trailer_line(trailer))
    return trailer


def signed_bytes(trailer: Trailer) -> bytes:
    """Return what the signature of a file signs: the last line with the key and no signature."""
    unsigned = msgspec.structs.replace(trailer, signature=None)
    return SIGNED + hashlib.sha256(trailer_line(unsigned)).digest()


def hex_heads(heads: Mapping[str, bytes]) -> dict[str, str]:
    """Return the heads of runs as the last line has them."""
    return {run_id: digest.hex() for run_id, digest in heads.items()}
