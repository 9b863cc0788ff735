"""Writes recording files: every column of every row, with heads and a digest of the file.

See ``integrity.recording_format`` for the lines.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import time
from typing import IO, TYPE_CHECKING

from runreel.export.formats import Written
from runreel.export.masked_copy import MaskedCopy, rule_names
from runreel.export.run_selection import count_rows, damaged_row, stored_rows
from runreel.integrity import recording_format
from runreel.integrity.recording_format import Manifest, Trailer
from runreel.model.events import CONTEXT
from runreel.model.timestamps import rfc3339
from runreel.projection.chain_verifier import ChainVerifier
from runreel.sources import requests
from runreel.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.export.formats import ExportJob
    from runreel.model.events import EventRow

_GZIP_LEVEL = 6
_BUFFER = 1024 * 1024


def write(job: ExportJob) -> Written:
    """Write the runs of a job as a recording.

    The hash chain of each run is verified on the way.

    Raises:
        LogError: if a row cannot be read, or does not fit to its digest.
    """
    with _opened(job) as file:
        return _RecordingWriter(job, file).write()


@contextlib.contextmanager
def _opened(job: ExportJob) -> Iterator[IO[bytes]]:
    with job.target.open("wb", buffering=_BUFFER) as raw:
        if not job.path.name.lower().endswith(".gz"):
            yield raw
            return
        # Without name and time, so that equal recordings are equal files.
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as packed:
            yield packed  # type: ignore[misc]


class _RecordingWriter:
    """Writes one file; ``_sha256`` covers all lines so far."""

    def __init__(self, job: ExportJob, file: IO[bytes]) -> None:
        self._job = job
        self._file = file
        self._sha256 = hashlib.sha256()
        self._heads: dict[str, str] = {}
        self._rows = self._erased = self._masked = 0
        # Runs that requests in the file go on from, and runs that are in it.
        self._referenced: set[str] = set()

    def write(self) -> Written:
        """Write the manifest, the rows and the last line."""
        job = self._job
        mask = job.options.mask
        counts = count_rows(job.connection, job.run_ids)
        manifest = Manifest(
            format=recording_format.FORMAT,
            version=recording_format.VERSION,
            made_at=str(rfc3339(time.time_ns() // 1_000)),
            made_by=f"runreel {job.version}",
            schema=migrations.HEAD,
            runs=None if job.run_ids is None else len(job.run_ids),
            # A masked copy has other rows.
            rows=None if mask else counts.rows,
            erased=None if mask else counts.erased,
            masked=rule_names(mask),
        )
        self._write(recording_format.manifest_line(manifest))
        for run_id, chunks in stored_rows(job.connection, job.run_ids):
            self._write_run(run_id, chunks)
        self._file.write(recording_format.trailer_line(self._trailer()))
        return Written(len(self._heads), self._rows, self._notices())

    def _write_run(self, run_id: str, chunks: Iterator[list[EventRow]]) -> None:
        def report(seq: int | None, _: str, detail: str) -> None:
            raise damaged_row(run_id, seq, detail)

        chain = ChainVerifier(run_id, report)
        copy = None
        if mask := self._job.options.mask:
            copy = MaskedCopy(self._job.connection, run_id, mask)
        for rows in chunks:
            for row in rows:
                _check(chain, row)
            self._write_rows(rows if copy is None else copy.rows(rows))
            self._job.advance(len(rows))
        chain.end()
        if copy is not None:
            self._write_rows([copy.made_from()])
            self._masked += copy.masked_count

    def _write_rows(self, rows: Sequence[EventRow]) -> None:
        self._write(b"".join(map(recording_format.row_line, rows)))
        self._rows += len(rows)
        self._erased += sum(row.redacted is not None for row in rows)
        self._heads[rows[-1].run_id] = rows[-1].digest.hex()
        for row in rows:
            if row.kind == CONTEXT and row.payload is not None:
                self._referenced |= requests.referenced_runs(row.payload)

    def _write(self, data: bytes) -> None:
        self._sha256.update(data)
        self._file.write(data)

    def _trailer(self) -> Trailer:
        trailer = Trailer(
            rows=self._rows,
            runs=len(self._heads),
            erased=self._erased,
            heads=self._heads,
            sha256=self._sha256.hexdigest(),
        )
        if (key := self._job.options.key) is not None:
            trailer.key_id = key.id
            trailer.signature = key.sign(recording_format.signed_bytes(trailer)).hex()
        return trailer

    def _notices(self) -> list[str]:
        notices = []
        if self._job.options.mask:
            count = f"{self._masked:,}" if self._masked else "no"
            notices.append(f"{count} passage{'s' * (self._masked > 1)} masked")
        missing = sorted(self._referenced - self._heads.keys())
        if not missing:
            return notices
        named = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        notice = (
            f"requests in the file go on from those of other runs, which it does not hold: {named};"
            " name these too to keep such requests whole"
        )
        return [*notices, notice]


def _check(chain: ChainVerifier, row: EventRow) -> None:
    try:
        chain.check(row)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise damaged_row(row.run_id, row.seq, f"invalid value: {error}") from error
