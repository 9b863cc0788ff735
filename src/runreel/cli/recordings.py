"""Recording files on the command line: in place of RUN, and as the log of ``--db``."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.api.reel import Reel
    from runreel.importing.recording_log import RecordingLog

_ENDINGS = (".reel.jsonl", ".reel.jsonl.gz")


def is_recording(text: str) -> bool:
    """True if ``text`` names a recording: by its ending, or it is a file that begins as one.

    Imports nothing for other texts: most commands have a RUN.
    """
    if text.lower().endswith(_ENDINGS):
        return True
    try:
        if "://" in text or "\0" in text or not os.path.isfile(text):  # noqa: PTH113 - faster
            return False
    except (OSError, ValueError):
        return False
    from runreel.importing import recording_reader

    return recording_reader.is_recording(Path(text))


@contextmanager
def opened(paths: Sequence[str]) -> Iterator[Reel]:
    """Open recordings as one log that can only be read; a progress bar is shown meanwhile."""
    from runreel.api.reel import Reel
    from runreel.cli.render import progress
    from runreel.importing.recording_log import RecordingLog

    with progress.bar("Reading", in_bytes=True) as step:
        log = RecordingLog(paths, progress=step)
    with Reel(log) as reel:
        yield reel


def runs_of(reel: Reel, paths: Sequence[str]) -> list[str]:
    """Return the only run of each of the files that ``opened`` has opened.

    Raises:
        UsageError: if one has none or several.
    """
    from runreel.importing.recording_log import only_run

    log: RecordingLog = reel.db  # type: ignore[assignment]
    return [only_run(log, path) for path in paths]


def files_among(runs: Sequence[str]) -> list[str]:
    """Return the recordings that are given in place of runs; none, or all of ``runs``.

    Raises:
        UsageError: if some are files and others are runs.
    """
    files = [run for run in runs if is_recording(run)]
    if files and len(files) < len(runs):
        other = next(run for run in runs if run not in files)
        raise UsageError(
            f"{files[0]} is a recording file, and {other} is a run of the log",
            hint="Give files or runs, not both; `runreel import FILE` stores a file in the log.",
        )
    return files
