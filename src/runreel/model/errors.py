"""Everything that runreel raises on purpose.

RunreelError
├── UsageError            what was asked for makes no sense           exit 2
│   ├── RunNotFound
│   ├── AmbiguousRun
│   └── BadKey
├── LogError              the database                                exit 3
│   ├── DatabaseUnavailable
│   │   ├── DatabaseLocked
│   │   └── DatabaseReadOnly
│   ├── BadDatabaseUrl
│   ├── NotOurDatabase
│   ├── SchemaMissing
│   ├── SchemaTooOld
│   ├── SchemaTooNew
│   └── ProjectionOutdated
├── SourceError           what a source said, or did not say          exit 4
│   ├── SourceMismatch
│   └── MissingExtra
├── BadInput              a value or line that cannot be stored       exit 1
│   └── BadValue
├── SourceConflict        an event with two contents                  exit 1
├── RunPruned             an event of a run that was pruned           exit 1
├── AuditError            what should prove something does not        exit 1
│   ├── BadCheckpoint
│   └── LogContradicted
└── RecordingError        an event could not be stored                its cause's exit
"""

from __future__ import annotations

from typing import Any, ClassVar


class RunreelError(Exception):
    """The root: a message that says what is true, and ``hint``, what to do next."""

    exit_code: int = 1
    hint: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class UsageError(RunreelError):
    """The question itself is wrong."""

    exit_code = 2


class RunNotFound(UsageError):
    """The log has no events of such a run."""

    hint = "`runreel runs` lists the runs that there are."


class AmbiguousRun(UsageError):
    """Several runs begin like this; ``candidates`` are some of them."""

    def __init__(self, message: str, *, candidates: tuple[str, ...]) -> None:
        super().__init__(message, hint="Give more of the run's id.")
        self.candidates = candidates


class BadKey(UsageError):
    """The file holds no such key, or it cannot be opened."""

    hint = "`runreel keygen FILE` makes a key, and beside it FILE.pub, its public one."


class LogError(RunreelError):
    """The log's database cannot be used as it is."""

    exit_code = 3


class DatabaseUnavailable(LogError):
    """The database cannot be reached or opened."""

    hint = "Check the URL (--db or RUNREEL_DB), that the server runs, and the permissions."


class DatabaseLocked(DatabaseUnavailable):
    """Another process holds the database's lock for longer than we wait."""

    hint = "Another process is writing for long. Try again when it is done."


class DatabaseReadOnly(DatabaseUnavailable):
    """The database can be read, not written."""

    hint = (
        "Writing needs write permission on a file and on its directory. A replica of Postgres is"
        " only read: name the primary server."
    )


class BadDatabaseUrl(LogError):
    """The URL is not one that runreel can open."""

    hint = "Use a file path, sqlite:///PATH or postgresql://USER@HOST/NAME."


class NotOurDatabase(LogError):
    """There is something else in this database."""

    hint = "Nothing was changed. Name another file or database."


class SchemaMissing(LogError):
    """This Postgres database has no runreel tables yet."""

    hint = "`runreel db upgrade` creates them."


class SchemaTooOld(LogError):
    """The database is of an older runreel."""

    hint = "`runreel db upgrade` brings it up to date."


class SchemaTooNew(LogError):
    """The database was written by a newer runreel."""

    hint = "Nothing was changed. Install the newer runreel."


class ProjectionOutdated(LogError):
    """The projections were made by an older runreel and would answer wrongly."""

    hint = "`runreel rebuild` makes them anew from the log."


class SourceError(RunreelError):
    """The source of a run misbehaves or cannot be used."""

    exit_code = 4


class SourceMismatch(SourceError):
    """The run is already recorded from another source."""

    hint = "A run has one source. Give the second recording another run id."


class MissingExtra(SourceError):
    """An optional package is not installed, or is of a version that does not work."""


class BadInput(RunreelError):
    """Input that cannot be recorded; nothing of it was."""


class BadValue(BadInput):
    """Not a JSON value: NaN, an infinity, nesting or a number out of bounds."""


class SourceConflict(RunreelError):
    """The log has the event with other content, which stays."""

    hint = "The content that was offered is kept in the run's log as a conflict note."


class RunPruned(RunreelError):
    """The run was pruned, and nothing that is told of it is stored any more."""

    hint = "What was pruned stays so. Give a new recording another run id."


class AuditError(RunreelError):
    """Something does not prove what it should."""


class BadCheckpoint(AuditError):
    """The file is no checkpoint, or none of the one who should have signed it."""

    hint = "It proves nothing. Take the checkpoint from where it was put when it was made."


class LogContradicted(AuditError):
    """The log is not what a checkpoint says it was."""

    hint = "`runreel verify --checkpoint FILE --public-key FILE` names every run and what is wrong."


class RecordingError(RunreelError):
    """An event could not be stored; ``event`` is the source's own, which nothing else has now."""

    event: Any = None
    _exits: ClassVar[int] = 3

    def __init__(self, message: str, *, event: Any = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.event = event

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """The exit code of what caused it."""
        return getattr(self.__cause__, "exit_code", self._exits)
