"""Exports runs of a log to a file that appears complete or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from runreel.export import formats
from runreel.export.formats import ExportJob, ExportOptions
from runreel.export.run_selection import count_rows, selected_ids
from runreel.model.errors import UsageError
from runreel.store import database_url, shared_snapshot
from runreel.store.worker_pool import workers
from runreel.system import atomic_files

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    from runreel.model.run_filter import Filters
    from runreel.store.database import Database

    Progress = Callable[[int, int], None]


class ExportReport(NamedTuple):
    """A finished export: ``size`` is in bytes, ``notices`` are for the user."""

    path: Path
    format: str
    runs: int
    rows: int
    size: int
    notices: tuple[str, ...]


def export(  # noqa: PLR0913 - options of the operation
    database: Database,
    path: str | os.PathLike[str],
    run_ids: Sequence[str] | None = None,
    filters: Filters | None = None,
    *,
    format_name: str | None = None,
    options: ExportOptions | None = None,
    force: bool = False,
    jobs: int = 1,
    version: str = "",
    progress: Progress | None = None,
) -> ExportReport:
    """Write runs to a file, of one snapshot of the log; readable by its owner only.

    ``run_ids`` or ``filters`` select runs; without both, the whole log is written, also pruned
    runs. The format is that of the file's ending unless ``format_name`` names it. ``force``
    replaces an existing file. ``jobs`` is the number of worker processes, of a format
    that is made in parts. ``version`` is that of runreel. ``progress`` receives the rows done and
    the total.

    Raises:
        UsageError: if the file exists or cannot be written, or an argument is invalid.
        RunNotFound: if a run is not in the log, or no run matches.
        LogError: if the log cannot be read, or is damaged.
    """
    final, options = Path(path), options or ExportOptions()
    format_ = formats.format_of(final, format_name)
    formats.check_options(format_, options)
    given = cast("Filters", {name: value for name, value in (filters or {}).items() if value})
    if run_ids is not None and given:
        raise UsageError("give runs or filters that select them, not both")
    with atomic_files.errors(final):
        if force:
            _refuse_log(database, final)
        else:
            atomic_files.refuse_existing(
                final, hint="Name a new file, or replace this one with --force."
            )
    create = atomic_files.atomic_folder if format_.is_folder else atomic_files.atomic_create
    some = jobs if format_.in_parts else 1
    with (
        workers(database, some, (formats.module_name(format_),)) as pool,
        database.reading() as connection,
        shared_snapshot.snapshot(database, connection, pool) as sharing,
        create(final, replace=force) as target,
    ):
        ids = selected_ids(connection, run_ids, given)
        advance = _advance(progress, lambda: count_rows(connection, ids).rows)
        parts = database, connection, ids, target, final, options, version, advance
        job = ExportJob(*parts, pool=sharing)
        with atomic_files.errors(final):
            written = formats.write(format_, job)
        size = _size(target)
    return ExportReport(
        final, format_.name, written.runs, written.rows, size, tuple(written.notices)
    )


def _refuse_log(database: Database, final: Path) -> None:
    """Refuse to replace the log itself, also by another name, or its write-ahead log."""
    log = database_url.sqlite_path(database.driver.url)
    if log is None or not final.exists():
        return
    for end in ("", "-wal", "-shm"):
        part = log.with_name(log.name + end)
        if part.exists() and part.samefile(final):
            raise UsageError(
                f"{final} is the log itself", hint="Nothing was changed. Name a new file."
            )


def _advance(progress: Progress | None, count: Callable[[], int]) -> Callable[[int], None]:
    if progress is None:
        return lambda _: None
    done, total = 0, count()

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done, max(done, total))

    advance(0)
    return advance


def _size(target: Path) -> int:
    files = target.rglob("*") if target.is_dir() else (target,)
    return sum(file.stat().st_size for file in files if file.is_file())
