"""Input files of an import: each can be read twice, line by line."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack, contextmanager, nullcontext
from io import SEEK_END
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Protocol

from runreel.codec.json_text import MAX_DEPTH, dumps
from runreel.importing import compression, file_kinds
from runreel.importing.file_kinds import UTF8_BOM
from runreel.integrity import recording_format
from runreel.model.errors import BadInput, UsageError
from runreel.model.events import CONTEXT, NOTE
from runreel.sources.archives import lines as archive_lines
from runreel.sources.line_parser import Line, parse, read_object
from runreel.store import foreign_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_LINE = 64 * 1024 * 1024
_BUFFER = 1024 * 1024


class Input(NamedTuple):
    """A file that can be read twice.

    ``size`` is in bytes. ``copy`` is a temporary file with the content of a pipe or a compressed
    file. ``refusal`` is the reason why the file is not recorded traffic, None if it may be.
    ``is_recording``: it begins as a recording file does, or is named as one. ``archive`` is the
    name of the archive that it is of, if it is.
    """

    name: str
    size: int
    copy: IO[bytes] | None
    refusal: str | None = None
    is_recording: bool = False
    archive: str | None = None

    def open(self) -> IO[bytes]:
        """Open the content at its beginning."""
        if self.copy is None:
            return Path(self.name).open("rb", buffering=_BUFFER)
        self.copy.seek(0)
        return os.fdopen(os.dup(self.copy.fileno()), "rb", buffering=_BUFFER)


@contextmanager
def opened(paths: Sequence[str], archive: str | None = None) -> Iterator[list[Input]]:
    """Open input files; ``-`` is standard input. They are of ``archive``, if it is given.

    Raises:
        UsageError: if a file cannot be read.
    """
    with ExitStack() as copies:
        yield [_input(path, copies, archive) for path in paths]


def _input(path: str, copies: ExitStack, archive: str | None) -> Input:
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as file:
            copy = None
            if path == "-" or not file.seekable():
                copy = _copy_to_disk(file, copies)
            name = compression.format_of(_head(copy or file, compression.LONGEST_MAGIC))
            if name is not None:
                with compression.decompressed(copy or file, name) as content:
                    copy = _copy_to_disk(content, copies)
            head = _head(copy or file, file_kinds.HEAD)
            size = (copy or file).seek(0, SEEK_END)
            return _classified(Input(path, size, copy, archive=archive), head)
    except BadInput as error:
        return Input(path, 0, None, str(error), _is_named_recording(path))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None


def _classified(source: Input, head: bytes) -> Input:
    """Return a file with what its first bytes say that it is."""
    is_recording = head.startswith(recording_format.START) or _is_named_recording(source.name)
    archive = source.archive
    if archive is None and not is_recording:
        archive = _archive_of(source.name, head, is_copy=source.copy is not None)
    refusal = file_kinds.refusal(head)
    return source._replace(refusal=refusal, is_recording=is_recording, archive=archive)


def _archive_of(path: str, head: bytes, *, is_copy: bool) -> str | None:
    """Return the archive that a file with these first bytes is, None if it is none."""
    if head.startswith(file_kinds.SQLITE):
        return None if is_copy else _archive_in_database(path)
    return archive_lines.recognised(head)


def _archive_in_database(path: str) -> str | None:
    """Return the archive that a SQLite file is; also while another program holds it."""
    try:
        with foreign_sqlite.opened(path) as database:
            is_log = any(map(database.columns, ("conversations", "threads")))
    except foreign_sqlite.DatabaseHeld:
        is_log = True
    except BadInput:
        is_log = False
    return archive_lines.LLM_LOG if is_log else None


def _is_named_recording(path: str) -> bool:
    return path.lower().endswith(recording_format.ENDINGS)


def _copy_to_disk(file: IO[bytes], copies: ExitStack) -> IO[bytes]:
    copy = copies.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    shutil.copyfileobj(file, copy, _BUFFER)
    return copy


def _head(file: IO[bytes], size: int) -> bytes:
    file.seek(0)
    head = file.read(size)
    file.seek(0)
    return head


def read(raw: bytes) -> Line | None:
    """Parse a line; None if it is empty.

    Raises:
        BadInput: if it is not an event or cannot be stored.
    """
    if len(raw) > MAX_LINE:
        raise BadInput(f"the line is longer than {MAX_LINE >> 20} MiB")
    line = parse(raw)
    if line is not None and raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        dumps(line.value)  # raises if it is nested too deeply, before its run is stored
    return line


def read_value(raw: bytes) -> dict[str, Any]:
    """Parse the JSON object of a line or of an event's data.

    Raises:
        BadInput: if it is not a JSON object or cannot be stored.
    """
    if len(raw) > MAX_LINE:
        raise BadInput(f"the line is longer than {MAX_LINE >> 20} MiB")
    value = read_object(raw)
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH:
        dumps(value)
    return value


def is_of_one_run(line: Line) -> bool:
    """True if the line is an event of one run: not a note, and not a shared context."""
    return line.kind != NOTE and (line.kind != CONTEXT or line.run_id is not None)


class LineSource(Protocol):
    """Lines with their numbers and offsets in a file."""

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]: ...

    def skip(self, count: int, offset: int, /) -> None:
        """Go on after the next ``count`` lines, at ``offset``."""
        ...


class Lines:
    """The lines of a file, or those after line ``number``, from ``offset`` on, up to ``last``.

    ``number`` is that of the last line read.
    """

    def __init__(
        self, file: IO[bytes], number: int = 0, offset: int = 0, last: int | None = None
    ) -> None:
        self.number = number
        self._file = file
        # Of the next line.
        self._offset = offset
        self._last = last

    def __iter__(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield line number, byte offset and bytes of each line, without a byte order mark.

        Lines longer than ``MAX_LINE`` are cut to ``MAX_LINE + 1`` bytes.
        """
        file, last = self._file, self._last
        file.seek(self._offset)
        if not self._offset and file.read(len(UTF8_BOM)) == UTF8_BOM:
            self._offset = len(UTF8_BOM)
        file.seek(self._offset)
        while self.number != last and (raw := file.readline(MAX_LINE + 1)):
            self.number += 1
            offset = self._offset
            self._offset += len(raw)
            yield self.number, offset, raw
            while len(raw) > MAX_LINE and not raw.endswith(b"\n"):
                raw = file.readline(MAX_LINE + 1)
                self._offset += len(raw)

    def skip(self, count: int, offset: int) -> None:
        """Go on after the next ``count`` lines, at ``offset``."""
        self._file.seek(offset)
        self.number += count
        self._offset = offset


def lines(file: IO[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Yield the lines of a file: see ``Lines``."""
    return iter(Lines(file))


def reread(file: IO[bytes], offsets: list[int]) -> Iterator[Line]:
    """Parse the lines at these byte offsets; restores the position of the file."""
    if not offsets:
        return
    resume_at = file.tell()
    for offset in offsets:
        file.seek(offset)
        if (line := read(file.readline(MAX_LINE))) is not None:
            yield line
    file.seek(resume_at)
