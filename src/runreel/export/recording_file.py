"""Writes recording files: every column of every row, with heads and a digest of the file.

See ``integrity.recording_format`` for the lines.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import time
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, NamedTuple

from runreel.export import parts
from runreel.export.formats import Written
from runreel.export.masked_copy import MaskedCopy, rule_names
from runreel.export.run_selection import (
    count_rows,
    damaged_row,
    neighbouring_rows,
    stored_rows,
)
from runreel.integrity import recording_format
from runreel.integrity.recording_format import Manifest, Trailer
from runreel.model.events import CONTEXT
from runreel.model.timestamps import rfc3339
from runreel.projection.chain_verifier import ChainVerifier
from runreel.sources import requests
from runreel.store.events import stream_ids
from runreel.store.schema import migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runreel.export.formats import ExportJob
    from runreel.model.events import EventRow
    from runreel.store.connection import Connection
    from runreel.store.worker_pool import WorkerPool

_GZIP_LEVEL = 6
_BUFFER = 1024 * 1024
# Runs and rows of a part that a worker makes.
_PART_RUNS, _PART_ROWS = 200, 5_000


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


@dataclass(slots=True)
class _Counts:
    """What the lines of rows hold: ``read`` counts the rows of the log that they come from.

    ``referenced`` are runs that requests in the file go on from.
    """

    read: int = 0
    rows: int = 0
    erased: int = 0
    masked: int = 0
    heads: dict[str, str] = field(default_factory=dict)
    referenced: set[str] = field(default_factory=set)

    def add(self, more: _Counts) -> None:
        """Add those of later runs."""
        self.read += more.read
        self.rows += more.rows
        self.erased += more.erased
        self.masked += more.masked
        self.heads |= more.heads
        self.referenced |= more.referenced


class _Runs(NamedTuple):
    """Runs of which a worker makes the lines; ``is_all`` if the log has no other between them.

    ``after`` is then the run before the first one.
    """

    run_ids: list[str]
    mask: tuple[str, ...]
    is_all: bool
    after: str | None


def _lines(connection: Connection, asked: _Runs, write: Callable[[bytes], None]) -> _Counts:
    """Write the lines of runs; return what they hold."""
    lines = _RunLines(connection, asked.mask, write, lambda _: None)
    if asked.is_all:
        runs = neighbouring_rows(connection, asked.run_ids, asked.after)
    else:
        runs = stored_rows(connection, asked.run_ids)
    for run_id, chunks in runs:
        lines.write_run(run_id, chunks)
    return lines.counts


class _RunLines:
    """Writes the lines of runs, after verifying their hash chains."""

    def __init__(
        self,
        connection: Connection,
        mask: tuple[str, ...],
        write: Callable[[bytes], None],
        advance: Callable[[int], None],
    ) -> None:
        self.counts = _Counts()
        self._connection = connection
        self._mask = mask
        self._write = write
        self._advance = advance

    def write_run(self, run_id: str, chunks: Iterator[list[EventRow]]) -> None:
        """Write the lines of a run."""

        def report(seq: int | None, _: str, detail: str) -> None:
            raise damaged_row(run_id, seq, detail)

        chain = ChainVerifier(run_id, report)
        copy = MaskedCopy(self._connection, run_id, self._mask) if self._mask else None
        for rows in chunks:
            _check(chain, rows)
            self._write_rows(rows if copy is None else copy.rows(rows))
            self.counts.read += len(rows)
            self._advance(len(rows))
        chain.end()
        if copy is not None:
            self._write_rows([copy.made_from()])
            self.counts.masked += copy.masked_count

    def _write_rows(self, rows: Sequence[EventRow]) -> None:
        counts = self.counts
        self._write(recording_format.row_lines(rows))
        counts.rows += len(rows)
        counts.erased += sum(row.redacted is not None for row in rows)
        counts.heads[rows[-1].run_id] = rows[-1].digest.hex()
        for row in rows:
            if row.kind == CONTEXT and row.payload is not None:
                counts.referenced |= requests.referenced_runs(row.payload)


class _RecordingWriter:
    """Writes one file; ``_sha256`` covers all lines so far."""

    def __init__(self, job: ExportJob, file: IO[bytes]) -> None:
        self._job = job
        self._file = file
        self._sha256 = hashlib.sha256()
        self._counts = _Counts()

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
        if job.pool is None:
            lines = _RunLines(job.connection, mask, self._write, job.advance)
            for run_id, chunks in stored_rows(job.connection, job.run_ids):
                lines.write_run(run_id, chunks)
            self._counts = lines.counts
        else:
            self._write_in_workers(job.pool, counts.rows)
        self._file.write(recording_format.trailer_line(self._trailer()))
        return Written(len(self._counts.heads), self._counts.rows, self._notices())

    def _write_in_workers(self, pool: WorkerPool, rows: int) -> None:
        job = self._job
        for made in parts.written(pool, self._asked(), _lines, self._write):
            self._counts.add(made)
            job.advance(made.read)
        if self._counts.read != rows:
            raise damaged_row("*", None, "rows of it are out of order")

    def _asked(self) -> Iterator[_Runs]:
        job, after = self._job, None
        for run_ids in stream_ids.sized_pages(
            job.connection, job.run_ids, runs=_PART_RUNS, rows=_PART_ROWS
        ):
            yield _Runs(run_ids, job.options.mask, job.run_ids is None, after)
            after = run_ids[-1]

    def _write(self, data: bytes) -> None:
        self._sha256.update(data)
        self._file.write(data)

    def _trailer(self) -> Trailer:
        trailer = Trailer(
            rows=self._counts.rows,
            runs=len(self._counts.heads),
            erased=self._counts.erased,
            heads=self._counts.heads,
            sha256=self._sha256.hexdigest(),
        )
        if (key := self._job.options.key) is not None:
            trailer.key_id = key.id
            trailer.signature = key.sign(recording_format.signed_bytes(trailer)).hex()
        return trailer

    def _notices(self) -> list[str]:
        notices = []
        if self._job.options.mask:
            count = f"{self._counts.masked:,}" if self._counts.masked else "no"
            notices.append(f"{count} passage{'s' * (self._counts.masked > 1)} masked")
        missing = sorted(self._counts.referenced - self._counts.heads.keys())
        if not missing:
            return notices
        named = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        notice = (
            f"requests in the file go on from those of other runs, which it does not hold: {named};"
            " name these too to keep such requests whole"
        )
        return [*notices, notice]


def _check(chain: ChainVerifier, rows: Sequence[EventRow]) -> None:
    for _, row in chain.suspects(rows):
        try:
            chain.check(row)
        except (TypeError, ValueError, AttributeError, KeyError) as error:
            raise damaged_row(row.run_id, row.seq, f"invalid value: {error}") from error
