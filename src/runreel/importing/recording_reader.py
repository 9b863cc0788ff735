"""Reads recording files and verifies them line by line.

See ``integrity.recording_format`` for the lines. Any change of a file is found at the latest at its
last line, so nothing of a file may be used before it was read to its end once.
"""

from __future__ import annotations

import hashlib
import struct
from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import IO, TYPE_CHECKING

from runreel.importing import compression
from runreel.importing.recording_blocks import blocks
from runreel.integrity import recording_format
from runreel.integrity.checkpoint_format import HeadEntry
from runreel.model.errors import BadInput, BadRecording, BadValue
from runreel.model.identifiers import check_run_id
from runreel.projection.chain_verifier import ChainVerifier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from runreel.importing.recording_blocks import Block
    from runreel.integrity.recording_format import Manifest, Trailer
    from runreel.model.events import EventRow

# Lines of more bytes are not read.
MAX_LINE = 256 * 1024 * 1024
_NO_RECORDING = "Recordings are files that `runreel export --out NAME.reel.jsonl` has written."
_NEWER = "Install a newer version of runreel."


class RecordingReader:
    """Yields the rows of one file, each verified; ``name`` is that of the file for messages.

    ``line`` is the number of the line read last, from 1. ``blocks`` are the digests of the file up
    to the end of each block of lines that was verified.

    Raises:
        BadRecording: if the first line is not that of a recording of a known version.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.line = 0
        self.heads: dict[str, HeadEntry] = {}
        self.erased = 0
        self.blocks: list[bytes] = []
        self._file = file
        self.name = name
        self._sha256 = hashlib.sha256()
        self._rows = 0
        self._chain: ChainVerifier | None = None
        self._last: EventRow | None = None
        self._trailer: Trailer | None = None
        self.manifest = self._manifest()

    @property
    def trailer(self) -> Trailer:
        """The last line, once all rows were read."""
        assert self._trailer is not None  # noqa: S101 - see above
        return self._trailer

    def rows(self) -> Iterator[EventRow]:
        """Yield the rows in order.

        Raises:
            BadRecording: if the file was changed, or is cut off.
        """
        found = blocks(self._file, MAX_LINE)
        while (block := self._next(found)) is not None:
            lines, rest = block
            self._sha256.update(lines)
            self.blocks.append(self._sha256.digest())
            yield from self._verified(lines)
            if rest:
                self._end(rest)
                return
        missing = "the last line, which counts the rows, is missing"
        raise BadRecording(
            f"{self.name} is cut off after line {self.line}: {missing}", line=self.line
        )

    def known_rows(self, digests: Iterable[bytes], trailer: Trailer) -> Iterator[EventRow]:
        """Yield the rows of a file that was verified, in less time.

        ``digests`` are its ``blocks`` then; no row of a block that has another one is yielded.

        Raises:
            BadRecording: if the file was changed since.
        """
        expected, end = iter(digests), recording_format.trailer_line(trailer)
        for lines, rest in iter(partial(self._next, blocks(self._file, MAX_LINE)), None):
            self._sha256.update(lines)
            if self._sha256.digest() != next(expected, None):
                break
            for row in recording_format.known_rows(lines):
                self.line += 1
                yield row
            if rest == end and not self._has_more():
                return
        self.line += 1
        raise self._bad("was changed while the file was read")

    def _next(self, found: Iterator[Block]) -> Block | None:
        try:
            return next(found, None)
        except BadInput as error:
            raise BadRecording(f"{self.name}: {error}", line=self.line + 1) from None

    def _has_more(self) -> bool:
        try:
            return bool(self._file.read(1))
        except BadInput as error:
            raise BadRecording(f"{self.name}: {error}", line=self.line + 1) from None

    def _verified(self, lines: bytes) -> Iterator[EventRow]:
        """Yield the rows of lines, each verified."""
        try:
            rows = recording_format.parse_rows(lines)
        except ValueError:
            # One by one, to name the line.
            for line in lines.split(b"\n")[:-1]:
                yield from self._checked([self._parsed(line + b"\n")])
            return
        for _, of_run in groupby(rows, key=itemgetter(0)):
            yield from self._checked(list(of_run))

    def _checked(self, rows: list[EventRow]) -> Iterator[EventRow]:
        """Check rows of a run, and yield each; ``line`` is then its own."""
        before = self.line
        self._check_run(rows)
        for number, row in enumerate(rows, before + 1):
            self.line = number
            yield row

    def _parsed(self, line: bytes) -> EventRow:
        try:
            return recording_format.parse_row(line)
        except ValueError as error:
            self.line += 1
            raise self._bad(f"was changed: {error}") from None

    def _end(self, rest: bytes) -> None:
        """Check what stands after the last row."""
        line, ended, more = rest.partition(b"\n")
        self.line += 1
        if not ended:
            raise BadRecording(f"{self.name} is cut off in line {self.line}", line=self.line)
        self._end_run()
        self._check_end(line + b"\n", more)

    def _manifest(self) -> Manifest:
        line = self._read()
        if not line.startswith(recording_format.START):
            raise BadRecording(
                f"{self.name} is not a recording of runreel", line=1, hint=_NO_RECORDING
            )
        version = recording_format.version_of(line)
        if version is not None and version > recording_format.VERSION:
            raise BadRecording(
                f"{self.name} is of version {version} of the format; this runreel reads"
                f" {recording_format.VERSION}",
                line=1,
                hint=_NEWER,
            )
        try:
            manifest = recording_format.parse_manifest(line)
        except ValueError as error:
            raise self._bad(f"was changed: {error}") from None
        if (manifest.format, manifest.version) != (
            recording_format.FORMAT,
            recording_format.VERSION,
        ):
            raise self._bad("was changed: it names no known version of the format")
        self._sha256.update(line)
        return manifest

    def _read(self) -> bytes:
        """Return the next line, empty at the end of the file."""
        try:
            line = self._file.readline(MAX_LINE)
        except BadInput as error:
            raise BadRecording(f"{self.name}: {error}", line=self.line + 1) from None
        if line:
            self.line += 1
            if not line.endswith(b"\n"):
                raise BadRecording(
                    f"{self.name} is cut off in line {self.line}", line=self.line
                ) from None
        return line

    def _check_run(self, rows: list[EventRow]) -> None:
        """Check that rows of a run follow those before; ``line`` is the one before the first."""
        last, before, run_id = self._last, self.line, rows[0].run_id
        if last is None or run_id != last.run_id:
            self.line = before + 1
            self._end_run()
            self._begin_run(rows[0], last)
        chain = self._chain
        assert chain is not None  # noqa: S101 - set for each run
        for place, row in chain.suspects(rows):
            self.line = before + place + 1
            try:
                chain.check(row)
            except (
                *(BadValue, TypeError, ValueError, KeyError, AttributeError, struct.error),
            ) as error:
                raise self._bad(f"was changed: invalid value: {error}") from None
        self._last = rows[-1]
        self._rows += len(rows)
        self.erased += sum(row.redacted is not None for row in rows)
        self.heads[run_id] = HeadEntry(run_id, rows[-1].seq, rows[-1].digest)

    def _begin_run(self, row: EventRow, last: EventRow | None) -> None:
        try:
            check_run_id(row.run_id)
        except BadInput as error:
            raise self._bad(f"was changed: {error}") from None
        if last is not None and row.run_id.encode() < last.run_id.encode():
            raise self._bad("was moved: the runs are not in order")
        self._chain = ChainVerifier(row.run_id, self._report)

    def _end_run(self) -> None:
        if self._chain is not None:
            self._chain.end()

    def _report(self, seq: int | None, _: str, detail: str) -> None:
        where = "the run" if seq is None else f"row {seq}"
        raise self._bad(f"does not fit: {where}: {detail}")

    def _check_end(self, line: bytes, more: bytes) -> None:
        """Check the last line against what was read; ``more`` is what follows it."""
        try:
            trailer = recording_format.parse_trailer(line)
        except ValueError as error:
            raise self._bad(f"was changed: {error}") from None
        for what, listed, found in (
            ("runs", trailer.runs, len(self.heads)),
            ("rows", trailer.rows, self._rows),
            ("erased rows", trailer.erased, self.erased),
        ):
            if listed != found:
                raise self._bad(f"says {listed:,} {what}, but the file has {found:,}")
        heads = {run_id: head.digest.hex() for run_id, head in self.heads.items()}
        if trailer.heads != heads or [*trailer.heads] != [*heads]:
            raise self._bad("was changed: its heads are not those of the runs")
        if trailer.sha256 != self._sha256.hexdigest():
            raise self._bad("has another digest than the lines before it: it or line 1 was changed")
        if (trailer.key_id is None) != (trailer.signature is None):
            raise self._bad("was changed: its signature is incomplete")
        if more or self._has_more():
            self.line += 1
            raise self._bad("comes after the last one: it was added")
        self._trailer = trailer

    def _bad(self, problem: str) -> BadRecording:
        return BadRecording(f"line {self.line} of {self.name} {problem}", line=self.line)


def is_recording(path: Path) -> bool:
    """True if the file begins as a recording does, compressed or not, and can be read."""
    try:
        with path.open("rb") as file:
            head = file.read(len(recording_format.START))
            name = compression.format_of(head)
            if name is None:
                return head == recording_format.START
            file.seek(0)
            with compression.decompressed(file, name) as content:
                return content.read(len(recording_format.START)) == recording_format.START
    except (OSError, BadInput):
        return False
