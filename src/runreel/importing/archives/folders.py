"""The files of archives in folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runreel.model.import_report import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runreel.importing.input_files import Input
    from runreel.model.import_report import Report

# Where programs keep their sessions, in the folder that they own.
_PLACES = ("projects", "sessions", "archived_sessions")
_ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst", "logs.db", ".otlp.json")


class Expanded(NamedTuple):
    """The files at some paths; ``folders`` has the folder of those that are in one."""

    paths: list[str]
    folders: dict[str, str]


def files_in(folder: str) -> list[str]:
    """Return the paths of the files in a folder, and in its folders, that may be archives.

    Of a folder that a program owns, only the places where it keeps sessions are looked at.
    """
    root = Path(folder)
    places = [root / name for name in _PLACES if (root / name).is_dir()] or [root]
    found = [
        path
        for place in places
        for path in place.rglob("*")
        if path.name.lower().endswith(_ENDINGS) and path.is_file()
    ]
    return [str(path) for path in sorted(found)]


def expanded(paths: Sequence[str], report: Report) -> Expanded:
    """Return the files at these paths; one in a folder that cannot be read is a problem."""
    found = Expanded([], {})
    for path in paths:
        if path == "-" or not Path(path).is_dir():
            found.paths.append(path)
            continue
        inside = [file for file in files_in(path) if _is_readable(file, report)]
        found.paths.extend(inside)
        found.folders.update(dict.fromkeys(inside, path))
        if not inside:
            report.problems.append(_no_archive(path))
    return found


def without_others(files: Iterable[Input], folders: dict[str, str], report: Report) -> list[Input]:
    """Return the files without those in folders that are no archive, which are problems.

    A folder without any archive is one problem.
    """
    kept: list[Input] = []
    others: dict[str, list[Input]] = {}
    known: set[str] = set()
    for file in files:
        folder = folders.get(file.name)
        if folder is None or file.archive is not None or file.is_recording:
            kept.append(file)
            known.add(folder or "")
        elif file.size:
            others.setdefault(folder, []).append(file)
    for folder, found in others.items():
        if folder not in known:
            report.problems.append(_no_archive(folder))
            continue
        message = "the file is no archive that is known"
        report.problems += [Problem(file.name, 1, message, None) for file in found]
    return kept


def _is_readable(path: str, report: Report) -> bool:
    try:
        with Path(path).open("rb"):
            return True
    except OSError as error:
        report.problems.append(Problem(path, 1, f"cannot read it: {error.strerror}", None))
        return False


def _no_archive(folder: str) -> Problem:
    return Problem(folder, 1, "the folder is no archive: there are no sessions in it", None)
