"""What an import leaves behind, to compare two ways of it."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

import runreel
from runreel.importing.import_files import import_files
from tests import logs

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.model.events import EventRow
    from runreel.model.import_report import Report


class Imported(NamedTuple):
    """The report, and every row but for its times, its salt and its digest."""

    report: Report
    rows: list[EventRow]


def stored(folder: Path, *paths: str, jobs: int = 1) -> Imported:
    """Import files into the log in this folder; its projections agree with its rows."""
    folder.mkdir(exist_ok=True)
    with runreel.open(folder / "log.db") as reel:
        report = import_files(reel.db, paths, jobs=jobs)
        assert reel.rebuild(check=True) == []
        logs.verify(reel)
        rows = [row._replace(at=0, elapsed=0, salt=None, digest=b"") for row in logs.rows(reel)]
    return Imported(report, rows)


def difference(one: Imported, other: Imported) -> tuple[object, object] | None:
    """The first difference of two imports, None if they are equal; brief, unlike pytest's."""
    if one.report != other.report:
        return one.report, other.report
    pairs = zip_longest(one.rows, other.rows)
    return next(((row, another) for row, another in pairs if row != another), None)
