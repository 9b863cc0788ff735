"""Recording files as read-only logs: their rows in a temporary SQLite file.

The file is on disk, so that a large recording needs little memory. It is removed when the log is
closed, or at the end of the process.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from runreel.importing import input_files
from runreel.importing.recording_import import import_recording
from runreel.model.errors import DatabaseUnavailable, UsageError
from runreel.model.import_report import Report
from runreel.store import database_url
from runreel.store.database import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runreel.importing.recording_check import Checked
    from runreel.store.connection import Connection

_NAME = "recording.db"


def temporary_folder() -> str:
    """Make a folder for temporary copies of recordings, and return its path.

    Raises:
        DatabaseUnavailable: if there is no room for it.
    """
    try:
        return tempfile.mkdtemp(prefix="runreel-")
    except OSError as error:
        raise DatabaseUnavailable(
            f"no room for a temporary copy of the recording: {error.strerror or error}",
            hint="Name a directory with room in the variable TMPDIR.",
        ) from error


class RecordingLog(Database):
    """A read-only log of recording files; ``checked`` is what each of them holds.

    Raises:
        BadRecording: if a file is no recording, was changed or is cut off.
        UsageError: if a file cannot be read, or two files have different rows of one run.
        DatabaseUnavailable: if there is no room for the temporary file.
    """

    is_temporary = True

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._folder = temporary_folder()
        self._remove = weakref.finalize(self, _remove_folder, self._folder, os.getpid())
        try:
            file = Path(self._folder) / _NAME
            self.checked = _fill(file, [os.fspath(path) for path in paths], progress)
            super().__init__(
                f"sqlite:///{database_url.file_uri(file, 'mode=ro&immutable=1&uri=true')}",
                create=False,
            )
        except BaseException:
            self._remove()
            raise
        self.shown = ", ".join(os.fspath(path) for path in paths)

    def close(self) -> None:
        """Close every connection and remove the temporary file."""
        super().close()
        self._remove()

    def upgrade(self, *, partitions: int | None = None) -> tuple[str | None, str]:  # noqa: ARG002
        """Refuse to write."""
        raise self._read_only()

    def _connect(self, *, checked: bool = True, reserved: bool = False) -> Connection:
        if reserved:
            # For writing.
            raise self._read_only()
        return super()._connect(checked=checked)

    def _read_only(self) -> UsageError:
        return UsageError(
            f"{self.shown} is a recording, which can only be read",
            hint="`runreel import FILE` stores it in a log.",
        )


def _fill(
    file: Path, paths: list[str], progress: Callable[[int, int], None] | None
) -> dict[str, Checked]:
    """Store the recordings in a new SQLite file."""
    checked: dict[str, Checked] = {}
    # Nothing is lost with the file: it is made again from the recording.
    database = Database(str(file), durability="normal")
    try:
        database.upgrade()
        with input_files.opened(paths) as sources:
            total = 2 * sum(source.size for source in sources)
            done = 0
            for source in sources:
                report = Report()

                def step(read: int, done: int = done) -> None:
                    if progress is not None:
                        progress(done + read, total)

                checked[source.name] = _import(database, source, report, step)
                _check_heads(checked, source.name)
                done += 2 * source.size
    finally:
        database.close()
    return checked


def _import(
    database: Database,
    source: input_files.Input,
    report: Report,
    step: Callable[[int], None],
) -> Checked:
    found = import_recording(database, source, report, step)
    for problem in report.problems:
        raise _other_rows(problem.run_id, source.name)
    return found


def _check_heads(checked: dict[str, Checked], name: str) -> None:
    """Check that the runs of a file are those of the files before it.

    The log would have what was added to a run, or erased of it, in any of them.
    """
    heads = checked[name].heads
    for other in checked.values():
        for run_id in heads.keys() & other.heads.keys():
            if heads[run_id] != other.heads[run_id]:
                raise _other_rows(run_id, name)


def _other_rows(run_id: object, name: str) -> UsageError:
    return UsageError(
        f"run {run_id} has other rows in {name} than in the log or the file given with it",
        hint="Show each by itself, or compare them: `runreel diff A B`.",
    )


def _remove_folder(folder: str, process: int) -> None:
    # A forked child has the same folder as its parent.
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def only_run(log: RecordingLog, path: str) -> str:
    """Return the id of the only run in a file.

    Raises:
        UsageError: if it has none or several.
    """
    heads = log.checked[path].heads
    if len(heads) != 1:
        raise UsageError(
            f"{path} holds {len(heads):,} runs, not one",
            hint=f"Open it as a log to name one: `runreel --db {path} runs`.",
        )
    return next(iter(heads))


def run_ids(log: RecordingLog, paths: Sequence[str]) -> Iterator[str]:
    """Yield the ids of all runs in these files."""
    for path in paths:
        yield from log.checked[path].heads
