"""Imports recorded traffic from complete files."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING

from runreel.importing import input_files
from runreel.importing.archives import folders
from runreel.importing.archives.import_archives import import_archives
from runreel.importing.draft_workers import drafting
from runreel.importing.drafted_import import DraftedImport
from runreel.importing.importer import Importer
from runreel.importing.prescan import ImportPrescan, LastLineIndex
from runreel.importing.recording_import import check_recording, import_recording
from runreel.importing.text_stretches import TextStretches
from runreel.model.errors import BadRecording
from runreel.model.import_report import Problem, Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runreel.importing.input_files import Input
    from runreel.importing.recording_check import Checked
    from runreel.store.database import Database

    Progress = Callable[[int, int | None, int], None]
    _Store = Callable[[IO[bytes], int, ImportPrescan, Callable[[int, int], None]], None]


def import_files(
    database: Database,
    paths: Sequence[str],
    *,
    archive: str | None = None,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Report:
    """Import recorded traffic from files; ``-`` is standard input. Duplicates are skipped.

    Folders and files of archives are recognised by their content, unless ``archive`` names what all
    of them are.

    Runs with an unreadable line and pruned runs are skipped; all others are stored. A recording is
    stored with its digests, or refused as a whole if it was changed: see ``recording_import``.
    Compressed files are decompressed. A file that is not JSON Lines is reported as one problem.
    Each file is read twice, but those of archives; all are checked before anything is stored.
    ``jobs`` is the number of processes: all but this one draft the runs of recorded traffic that
    are new to the log. ``progress`` receives the bytes read so far, the total of bytes to read and
    the lines stored.

    Raises:
        UsageError: if a file cannot be opened.
        LogError: if the database fails; runs stored before remain.
    """
    report, last_lines = Report(), LastLineIndex(with_places=jobs > 1)
    found = folders.expanded(paths, report)
    with (
        closing(TextStretches()) as stretches,
        drafting(database, jobs) as workers,
        input_files.opened(found.paths, archive) as given,
    ):
        files = folders.without_others(given, found.folders, report)
        recordings, archives, traffic = _by_kind(files)
        # All others are read twice.
        once = sum(source.size for source in archives)
        done = sum(source.size for source in files) - once
        step = _step(progress, done * 2 + once)
        if workers is not None:
            workers.expect(sum(source.size for source in traffic))
        prescans = [_prescan(source, last_lines, stretches) for source in traffic]
        checked = [_checked(source, report) for source in recordings]
        importer = Importer(database, report, last_lines, stretches)
        drafted = workers and DraftedImport(database, importer, last_lines, stretches, workers)
        store = (drafted or importer).store
        done = _store_traffic(store, zip(traffic, prescans, strict=True), report, step, done)
        importer.finish()
        report.notices += workers.notices() if workers else []
        import_archives(database, archives, report, step, done)
        done += once
        _store_recordings(database, zip(recordings, checked, strict=True), report, step, done)
    report.notices += _empty_notice([prescan for prescan in prescans if prescan])
    return report


def _by_kind(files: Iterable[Input]) -> tuple[list[Input], list[Input], list[Input]]:
    """Return the recordings, the archives, and the files of recorded traffic."""
    recordings: list[Input] = []
    archives: list[Input] = []
    traffic: list[Input] = []
    for source in files:
        kind = archives if source.archive else traffic
        (recordings if source.is_recording else kind).append(source)
    return recordings, archives, traffic


def _store_traffic(
    store: _Store,
    traffic: Iterable[tuple[Input, ImportPrescan | None]],
    report: Report,
    step: Callable[[int, int, int], None],
    done: int,
) -> int:
    """Store recorded traffic; ``done`` is the number of bytes read before, returned with it."""
    for source, prescan in traffic:
        if prescan is None:
            report.problems.append(Problem(source.name, 1, str(source.refusal), None))
            continue
        report.problems += prescan.problems
        with source.open() as file:
            store(file, source.size, prescan, partial(step, done))
        done += source.size
        step(done, 0, report.lines)
    return done


def import_file(
    database: Database,
    path: str,
    *,
    archive: str | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Import one file, as ``import_files`` does; ``progress`` receives bytes read and the total.

    ``path`` may be the folder of an archive.

    Raises:
        BadRecording: if it is a recording that was changed or cut off.
        UsageError: if it cannot be opened.
        LogError: if the database fails; runs stored before remain.
    """
    if not Path(path).is_dir():
        with input_files.opened([path], archive) as (source,):
            if source.is_recording:
                report = Report()
                step = None
                if progress is not None:
                    step = partial(_of_total, progress, 2 * source.size)
                import_recording(database, source, report, step)
                return report

    def counted(done: int, total: int | None, _: int) -> None:
        if progress is not None:
            progress(done, total or done)

    return import_files(database, [path], archive=archive, jobs=jobs, progress=counted)


def _of_total(progress: Callable[[int, int], None], total: int, done: int) -> None:
    progress(done, total)


def _advance(step: Callable[[int, int, int], None], done: int, read: int) -> None:
    step(done, read, 0)


def _store_recordings(
    database: Database,
    recordings: Iterable[tuple[Input, Checked | None]],
    report: Report,
    step: Callable[[int, int, int], None],
    done: int,
) -> None:
    """Store the recordings that are not refused; ``done`` is the number of bytes read before."""
    for source, found in recordings:
        if found is not None:
            advance = partial(_advance, step, done)
            import_recording(database, source, report, advance, checked=found)
        done += source.size
        step(done, 0, report.lines)


def _checked(source: Input, report: Report) -> Checked | None:
    """Verify a recording; None if it is refused, which is a problem of the report."""
    try:
        return check_recording(source)
    except BadRecording as error:
        report.problems.append(Problem(source.name, error.line or 1, str(error), None))
        return None


def _prescan(
    source: Input, last_lines: LastLineIndex, stretches: TextStretches
) -> ImportPrescan | None:
    if source.refusal is not None:
        return None
    with source.open() as file:
        return ImportPrescan(source.name, file, last_lines, stretches)


def _empty_notice(prescans: list[ImportPrescan]) -> list[str]:
    """Return the notice about files without events, if there are any."""
    empty = [prescan.name for prescan in prescans if prescan.is_empty]
    if not empty:
        return []
    names = ["standard input" if name == "-" else name for name in empty[:3]]
    more = ", …" if len(empty) > len(names) else ""
    hold = "holds" if len(empty) == 1 else "hold"
    return [f"{', '.join(names)}{more} {hold} no event of a run: nothing to import"]


def _step(progress: Progress | None, total: int) -> Callable[[int, int, int], None]:
    def step(done: int, read: int, lines: int) -> None:
        if progress is not None:
            progress(done + read, total, lines)

    return step
