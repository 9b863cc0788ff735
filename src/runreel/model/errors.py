"""The exceptions of runreel.

RunreelError
├── UsageError            the request is invalid                      exit 2
│   ├── RunNotFound
│   ├── AmbiguousRun
│   └── BadKey
├── LogError              the database cannot be used                 exit 3
│   ├── DatabaseUnavailable
│   │   ├── DatabaseLocked
│   │   └── DatabaseReadOnly
│   ├── BadDatabaseUrl
│   ├── NotOurDatabase
│   ├── SchemaMissing
│   ├── SchemaTooOld
│   ├── SchemaTooNew
│   └── ProjectionOutdated
├── SourceError           the source misbehaves or cannot be used     exit 4
│   ├── SourceMismatch
│   └── MissingExtra
├── BadInput              a value or line that cannot be stored       exit 1
│   └── BadValue
├── SourceConflict        one event with two contents                 exit 1
├── PartNotSearched       a search left out a part of a run         exit 1
├── BadPrices             an invalid price book or file of rates      exit 1
├── RunPruned             an event of a run that was pruned           exit 1
├── AuditError            a verification failed                       exit 1
│   ├── BadCheckpoint
│   ├── BadRecording
│   └── LogContradicted
└── RecordingError        an event could not be stored                exit of its cause
"""

from __future__ import annotations

from typing import Any, ClassVar


class RunreelError(Exception):
    """Base class: a message that states the problem, and ``hint``, the next step to take."""

    exit_code: int = 1
    hint: str | None = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class UsageError(RunreelError):
    """The request is invalid."""

    exit_code = 2


class RunNotFound(UsageError):
    """The log has no events of this run."""

    hint = "`runreel runs` lists all runs."


class AmbiguousRun(UsageError):
    """Several run ids start with this prefix; ``candidates`` are some of them."""

    def __init__(self, message: str, *, candidates: tuple[str, ...]) -> None:
        super().__init__(message, hint="Use a longer prefix of the run id.")
        self.candidates = candidates


class BadKey(UsageError):
    """The file does not contain the expected key, or cannot be opened."""

    hint = "`runreel keygen FILE` creates a key and its public key FILE.pub."


class LogError(RunreelError):
    """The database of the log cannot be used."""

    exit_code = 3


class DatabaseUnavailable(LogError):
    """The database cannot be reached or opened."""

    hint = "Check the URL (--db or RUNREEL_DB), that the server runs, and the permissions."


class DatabaseLocked(DatabaseUnavailable):
    """Another process held the database lock for longer than the time limit."""

    hint = "Another process holds the lock. Try again when it has finished."


class DatabaseReadOnly(DatabaseUnavailable):
    """The database is read-only."""

    hint = (
        "A database file and its directory must be writable. A Postgres replica is read-only: use"
        " the primary server."
    )


class BadDatabaseUrl(LogError):
    """The URL is not one that runreel can open."""

    hint = "Use a file path, sqlite:///PATH or postgresql://USER@HOST/NAME."


class NotOurDatabase(LogError):
    """The database belongs to another program."""

    hint = "Nothing was changed. Use another file or database."


class SchemaMissing(LogError):
    """This Postgres database has no runreel tables yet."""

    hint = "`runreel db upgrade` creates them."


class SchemaTooOld(LogError):
    """The schema was created by an older version of runreel."""

    hint = "`runreel db upgrade` brings it up to date."


class SchemaTooNew(LogError):
    """The schema was created by a newer version of runreel."""

    hint = "Nothing was changed. Install the newer version of runreel."


class ProjectionOutdated(LogError):
    """The projections were computed by an older version of runreel and may be wrong."""

    hint = "`runreel rebuild` recomputes them from the log."


class SourceError(RunreelError):
    """The source of a run misbehaves or cannot be used."""

    exit_code = 4


class SourceMismatch(SourceError):
    """The run is already recorded from another source."""

    hint = "A run has one source. Use another run id for the second recording."


class MissingExtra(SourceError):
    """An optional package is missing or has an unsupported version."""


class BadInput(RunreelError):
    """The input cannot be recorded; nothing was stored."""


class BadValue(BadInput):
    """Not a JSON value, such as NaN or infinity, or nesting or a number out of range."""


class SourceConflict(RunreelError):
    """The log already has this event with other content, which stays."""

    hint = "The new content is in the log of the run, as a conflict note."


class RunPruned(RunreelError):
    """The run was pruned; no more events are stored for it."""

    hint = "A pruned run cannot be recorded again. Use another run id."


class BadPrices(RunreelError):
    """A price book or a file of exchange rates is not valid; ``problems`` names each line."""

    hint = "Nothing of it was used. `runreel prices check FILE` lists all problems."

    def __init__(self, name: str, problems: tuple[str, ...], *, hint: str | None = None) -> None:
        more = f"; and {len(problems) - 1} more" if len(problems) > 1 else ""
        super().__init__(f"{name}: {problems[0]}{more}", hint=hint)
        self.problems = problems


class PartNotSearched(RunreelError):
    """Parts of runs could not be searched; ``parts`` has the reason for each."""

    def __init__(self, parts: tuple[str, ...]) -> None:
        more = f"; and {len(parts) - 1} more" if len(parts) > 1 else ""
        super().__init__(f"not searched: {parts[0]}{more}")
        self.parts = parts


class AuditError(RunreelError):
    """A verification failed."""


class BadCheckpoint(AuditError):
    """The file is not a checkpoint, or not signed by the expected key."""

    hint = "It proves nothing. Use the copy that was stored when the checkpoint was created."


class BadRecording(AuditError):
    """The file is no recording, or was changed or cut off; ``line`` counts from 1, or is None."""

    hint = "Nothing of it was used. Ask for the file again, and compare its SHA-256."

    def __init__(self, message: str, *, line: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.line = line


class LogContradicted(AuditError):
    """The log contradicts a checkpoint."""

    hint = "`runreel verify --checkpoint FILE --public-key FILE` lists the affected runs."


class RecordingError(RunreelError):
    """An event could not be stored; ``event`` is the only copy of it."""

    event: Any = None
    _exits: ClassVar[int] = 3

    def __init__(self, message: str, *, event: Any = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.event = event

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        """The exit code of the cause."""
        return getattr(self.__cause__, "exit_code", self._exits)
