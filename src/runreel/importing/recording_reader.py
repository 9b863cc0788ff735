"""Reads recording files and verifies them line by line.

See ``integrity.recording_format`` for the lines. Any change of a file is found at the latest at its
last line, so nothing of a file may be used before it was read to its end once.
"""

from __future__ import annotations

import hashlib
import struct
from typing import IO, TYPE_CHECKING, NamedTuple

from runreel.codec.json_text import loads
from runreel.codec.json_values import as_object
from runreel.importing import compression
from runreel.integrity import recording_format
from runreel.integrity.checkpoint_format import HeadEntry
from runreel.model.errors import BadInput, BadRecording, BadValue
from runreel.model.events import MASKED, NOTE, PRUNED
from runreel.model.identifiers import check_run_id
from runreel.projection.chain_verifier import ChainVerifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runreel.integrity.recording_format import Manifest, Trailer
    from runreel.model.events import EventRow

    Progress = Callable[[int, int], None]

# Lines of more bytes are not read.
MAX_LINE = 256 * 1024 * 1024
_NO_RECORDING = "Recordings are files that `runreel export --out NAME.reel.jsonl` has written."
_NEWER = "Install a newer version of runreel."


class Checked(NamedTuple):
    """What a file holds: its first and last line, and the head of each run, in order.

    ``masks`` are the masked payloads of erased rows, by run and position.
    """

    manifest: Manifest
    trailer: Trailer
    heads: dict[str, HeadEntry]
    masks: dict[str, dict[int, str]]
    pruned: int


class RecordingReader:
    """Yields the rows of one file, each verified; ``name`` is that of the file for messages.

    ``line`` is the number of the line read last, from 1.

    Raises:
        BadRecording: if the first line is not that of a recording of a known version.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self.line = 0
        self.heads: dict[str, HeadEntry] = {}
        self.erased = 0
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
        while line := self._read():
            if line.startswith(recording_format.LAST):
                self._end_run()
                self._check_end(line)
                return
            self._sha256.update(line)
            try:
                row = recording_format.parse_row(line)
            except ValueError as error:
                raise self._bad(f"was changed: {error}") from None
            self._check(row)
            yield row
        missing = "the last line, which counts the rows, is missing"
        raise BadRecording(
            f"{self.name} is cut off after line {self.line}: {missing}", line=self.line
        )

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

    def _check(self, row: EventRow) -> None:
        """Check that a row follows the one before."""
        last = self._last
        if last is None or row.run_id != last.run_id:
            self._end_run()
            self._begin_run(row, last)
        chain, self._last = self._chain, row
        assert chain is not None  # noqa: S101 - set for each run
        try:
            chain.check(row)
        except (BadValue, TypeError, ValueError, KeyError, AttributeError, struct.error) as error:
            raise self._bad(f"was changed: invalid value: {error}") from None
        self._rows += 1
        self.erased += row.redacted is not None
        self.heads[row.run_id] = HeadEntry(row.run_id, row.seq, row.digest)

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

    def _check_end(self, line: bytes) -> None:
        """Check the last line against what was read."""
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
        if self._read():
            raise self._bad("comes after the last one: it was added")
        self._trailer = trailer

    def _bad(self, problem: str) -> BadRecording:
        return BadRecording(f"line {self.line} of {self.name} {problem}", line=self.line)


def check(file: IO[bytes], name: str, *, progress: Callable[[int], None] | None = None) -> Checked:
    """Verify a whole file; ``progress`` receives the number of rows read so far.

    Raises:
        BadRecording: if it is no recording, or was changed or cut off.
    """
    reader = RecordingReader(file, name)
    masks: dict[str, dict[int, str]] = {}
    pruned = 0
    for number, row in enumerate(reader.rows()):
        if row.kind == NOTE:
            pruned += row.type == PRUNED
            if row.type == MASKED and row.payload is not None:
                masks.setdefault(row.run_id, {}).update(_masked(row.payload))
        if progress is not None and number % 1_000 == 0:
            progress(number)
    return Checked(reader.manifest, reader.trailer, reader.heads, masks, pruned)


def _masked(payload: str) -> dict[int, str]:
    payloads = as_object(as_object(loads(payload)).get("payloads"))
    return {int(seq): text for seq, text in payloads.items() if isinstance(text, str)}


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
