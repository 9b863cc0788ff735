"""Recording files on the command line: in place of RUN, and as the log of ``--db``."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from runreel.api.reel import Reel
    from runreel.importing.recording_log import RecordingLog

_ENDINGS = (".reel.jsonl", ".reel.jsonl.gz")
# The first bytes of recordings, also of compressed ones.
_FIRST = (b"{", b"\x1f", b"\x28", b"B", b"\xfd")


def is_recording(text: str) -> bool:
    """True if ``text`` names a recording: by its ending, or it is a file that begins as one.

    Imports nothing for other texts: most commands have a RUN.
    """
    if text.lower().endswith(_ENDINGS):
        return True
    try:
        if "://" in text or "\0" in text or not os.path.isfile(text):  # noqa: PTH113 - faster
            return False
        with Path(text).open("rb") as file:
            # Most files are SQLite's: nothing is imported for them.
            if file.read(1) not in _FIRST:
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


@contextmanager
def opened_for(
    runs: Sequence[str], log_of_runs: Callable[[], AbstractContextManager[Reel]]
) -> Iterator[tuple[Reel, dict[str, str]]]:
    """Open the recordings among ``runs`` as one log, and map each of ``runs`` to the ID of its run.

    A recording stands for its only run. The other runs are taken from ``log_of_runs``, and are in
    the opened log as well.

    Raises:
        UsageError: if a file has none or several runs, or two of them have different rows of one.
        RunNotFound: if one of the other runs is not in the log.
    """
    import shutil

    from runreel.importing.recording_log import only_run, temporary_folder

    files = files_among(runs)
    others = [run for run in runs if run not in files]
    ids: dict[str, str] = {}
    with ExitStack() as stack:
        paths = [*dict.fromkeys(files)]
        if others:
            folder = temporary_folder()
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            copy = Path(folder) / f"log{_ENDINGS[0]}"
            with log_of_runs() as reel:
                ids = {run: reel.resolve(run) for run in others}
                reel.export(copy, list(ids.values()))
            # The first one, so that a message about other rows names a file of the user.
            paths.insert(0, str(copy))
        reel = stack.enter_context(opened(paths))
        log = cast("RecordingLog", reel.db)
        yield reel, ids | {file: only_run(log, file) for file in files}


@contextmanager
def opened_one(
    run: str, log_of_runs: Callable[[], AbstractContextManager[Reel]]
) -> Iterator[tuple[Reel, str]]:
    """Open the log of a run, or the recording that stands for it; yield it with the run's ID.

    Raises:
        UsageError: if a file has none or several runs.
        RunNotFound: if the run is not in the log.
    """
    if not is_recording(run):
        with log_of_runs() as reel:
            yield reel, reel.resolve(run)
        return
    from runreel.importing.recording_log import only_run

    with opened([run]) as reel:
        yield reel, only_run(cast("RecordingLog", reel.db), run)


def files_among(runs: Sequence[str]) -> list[str]:
    """Return the recordings that are given in place of runs."""
    return [run for run in runs if is_recording(run)]
