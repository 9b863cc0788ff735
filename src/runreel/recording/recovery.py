"""Recovery: resumes or ends recordings whose process no longer exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.errors import RunPruned, SourceError
from runreel.model.maintenance import Recovered
from runreel.query.open_recordings import open_recordings
from runreel.recording.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.model.runs import OpenRecording
    from runreel.store.database import Database

    Resume = Callable[[OpenRecording], None]

PROCESS_GONE = "its process is gone"


def recover(database: Database, resume: Resume | None = None) -> Iterator[Recovered]:
    """Resume or interrupt each open recording whose process is gone; yield what was done.

    Recordings of running processes and of other hosts are left as they are. ``resume`` listens to
    a run until it ends, and raises SourceError if it cannot. Safe to run at any time, also
    concurrently.
    """
    with database.reading() as connection:
        found = open_recordings(connection)
    for recording in found:
        if recording.alive is None:
            yield Recovered(recording, "left", f"it is recorded on {recording.host or 'a host'}")
        elif recording.alive:
            yield Recovered(recording, "left", "its process is at work")
        else:
            try:
                finished = _finish(database, recording, resume)
            except RunPruned:
                finished = Recovered(recording, "left", "it was ended and pruned meanwhile")
            yield finished


def _finish(database: Database, recording: OpenRecording, resume: Resume | None) -> Recovered:
    why = None
    if resume is not None:
        try:
            resume(recording)
        except SourceError as error:
            why = str(error)
        else:
            return Recovered(recording, "resumed", None)
    recorder = Recorder(database, recording.run_id, source=recording.source, via="recover")
    if recorder.abandon(PROCESS_GONE):
        return Recovered(recording, "interrupted", why)
    return Recovered(recording, "left", "another process has ended it meanwhile")
