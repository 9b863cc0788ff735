"""The part of a ``Reel`` for files: exports, and recordings to read and import."""

from __future__ import annotations

# Types of signatures are imported at run time because `checked` resolves them.
# ruff: noqa: TC001, TC003
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Unpack

import runreel
from runreel.model.arguments import checked
from runreel.model.errors import UsageError
from runreel.model.import_report import Report
from runreel.model.run_filter import Filters
from runreel.store.database import Database

if TYPE_CHECKING:
    from runreel.export.export import ExportReport
    from runreel.export.formats import Signer
else:
    # Their modules take longer to import than short commands run.
    ExportReport = Signer = object


class FilesMixin:
    """Writes runs to files, and imports them."""

    db: Database

    @checked
    def export(  # noqa: PLR0913 - options of the operation
        self,
        path: str | os.PathLike[str],
        run_ids: Sequence[str] | None = None,
        *,
        format: str | None = None,  # noqa: A002
        mask: Sequence[str] = (),
        key: Signer | None = None,
        partition: str | None = None,
        table: str | None = None,
        force: bool = False,
        jobs: int = 1,
        progress: Callable[[int, int], None] | None = None,
        **filters: Unpack[Filters],
    ) -> ExportReport:
        """Write runs to a file, which appears complete or not at all; returns what was written.

        ``run_ids``, or filters as in ``runs``, select runs; without both, the whole log is written,
        also what remains of pruned runs. All of it is one snapshot of the log. The ending of the
        file is its format, unless ``format`` names it. ``NAME.reel.jsonl`` and
        ``NAME.reel.jsonl.gz`` are recordings, which keep every row with its proof. ``force``
        replaces an existing file.

        ``mask`` makes masked copies of the runs, with new hash chains: ``"secrets"`` (keys and
        tokens of well-known services) or patterns. ``key`` signs the file: see ``runreel keygen``.
        ``NAME.parquet`` is a folder with the tables ``runs`` and ``events``; with ``partition``
        ``"day"`` each has a file for each UTC day on which runs started. ``NAME.csv`` holds runs
        or, with ``table`` ``"events"``, events, as the command line prints them. ``NAME.html`` is
        a page, ``NAME.md`` a transcript, ``NAME.cast`` a replay of one run for asciinema, and
        ``NAME.otlp.json`` has spans for OpenTelemetry. ``jobs`` is the number of worker processes
        that make recordings and CSV files; the file is the same. ``progress`` receives the rows
        done and the total.

        Raises:
            MissingExtra: if a package that the format needs is not installed.
            UsageError: if the file exists or cannot be written, or an argument is invalid.
            RunNotFound: if a run is not in the log, or no run matches.
            LogError: if the log cannot be read, or is damaged.
        """
        from runreel.export import export as exports
        from runreel.export.formats import ExportOptions

        return exports.export(
            self.db,
            path,
            run_ids,
            filters,
            format_name=format,
            options=ExportOptions(tuple(mask), key, partition, table),
            force=force,
            jobs=jobs,
            version=runreel.__version__,
            progress=progress,
        )

    @checked
    def import_file(
        self,
        path: str | os.PathLike[str],
        *,
        archive: str | None = None,
        jobs: int = 1,
        progress: Callable[[int, int], None] | None = None,
    ) -> Report:
        """Import a recording, recorded traffic or an archive, and return what was stored.

        Archives are files of other programs, or folders of them, such as ``~/.claude``. They are
        recognised by their content, unless ``archive`` names what they are: ``"claude-code"``,
        ``"codex"``, ``"llm-log"``, ``"openai-batch"`` or ``"otlp-genai"``.

        The rows of a recording keep their digests, salts and times. Runs that the log has with the
        same rows are known, those of which it has the first rows are extended, and any other is a
        problem of the report and not changed. ``progress`` receives the bytes read and the total.

        ``jobs`` is the number of processes that import recorded traffic: this one stores the runs
        that the others prepare. The report and the log are the same with any number.

        Raises:
            BadRecording: if it is a recording that was changed or cut off; nothing is stored.
            UsageError: if the file cannot be read, or no archive has this name.
            LogError: if the database fails; runs stored before remain.
        """
        from runreel.importing.import_files import import_file
        from runreel.sources.archives.lines import ARCHIVES

        if archive is not None and archive not in ARCHIVES:
            raise UsageError(
                f"unknown archive {archive!r}", hint=f"Choose from {', '.join(ARCHIVES)}."
            )
        if jobs < 1:
            raise UsageError("jobs must be at least 1")
        return import_file(self.db, os.fspath(path), archive=archive, jobs=jobs, progress=progress)
