"""The events in an archive, each with its run and the identity that the archive gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.model.import_report import Report


class Origin(NamedTuple):
    """What is the same in all events of a run: its source, archive, thread and labels."""

    source: str
    archive: str
    thread_id: str | None = None
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def note(self) -> dict[str, object]:
        """What the first note of the run says of it."""
        noted: dict[str, object] = {"archive": self.archive}
        if self.thread_id is not None:
            noted["thread_id"] = self.thread_id
        if self.labels:
            noted["labels"] = dict(self.labels)
        return noted


class Entry(NamedTuple):
    """One event of a run in an archive, read from line ``number`` of a file.

    ``identity`` is by what the event is known in every copy of it; None if only its content is.
    """

    run_id: str
    origin: Origin
    kind: str
    value: object
    identity: str | None
    number: int


class LineReader(Protocol):
    """Reads the lines of one file of an archive."""

    def read(self, number: int, value: dict[str, object]) -> Iterable[Entry]:
        """Return the events that a line completes.

        Raises:
            BadInput: if its shape is not known.
        """
        ...


class ArchiveLines(Protocol):
    """The lines of the files of one kind of archive."""

    def begin(self, name: str) -> LineReader:
        """Return a reader for the next file."""
        ...


class Problems:
    """Adds problems to a report, those of one kind only once."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self._seen: set[str] = set()

    def is_new(self, kind: str) -> bool:
        """Return whether this kind was not named before."""
        if kind in self._seen:
            return False
        self._seen.add(kind)
        return True
