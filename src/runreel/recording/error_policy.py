"""Storing a stream's events without ever hiding that one could not be stored."""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runreel.model.errors import DatabaseReadOnly, DatabaseUnavailable, RecordingError, RunreelError
from runreel.model.events import LOST
from runreel.system import loops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.model.events import StoredEvent
    from runreel.recording.deduplication import AppendOutcome
    from runreel.recording.recorder import Recorder

_log = logging.getLogger("runreel")

# Seconds between two tries to reach the database.
_PAUSE = 0.05
_LONGEST_PAUSE = 2.0


class GuardedRecorder:
    """A recorder that does with failures what the user wants: ``raise`` or ``warn``.

    ``recorder`` may be what makes it, asked when there is something to store, and asked anew for
    ``patience`` seconds while the database cannot be reached. With ``warn`` an event that cannot
    be stored is counted and logged, and the count goes into the log as soon as that can be written
    again.
    """

    def __init__(
        self,
        recorder: Recorder | Callable[[], Recorder],
        on_error: str = "raise",
        patience: float = 0.0,
    ) -> None:
        self._make = recorder if callable(recorder) else lambda: recorder
        self._recorder = None if callable(recorder) else recorder
        self._patience = patience
        self.warns = on_error == "warn"
        self._untold = 0
        self._misread: set[str] = set()
        self.lost = 0

    @property
    def recorder(self) -> Recorder:
        """The recorder, made if need be.

        Raises:
            RunreelError: if it cannot be made.
        """
        if self._recorder is None:
            self._recorder = self._opened()
        return self._recorder

    @property
    def made(self) -> Recorder | None:
        """The recorder, None as long as it is not made."""
        return self._recorder

    def append(self, kind: str, value: Any, event: Any) -> StoredEvent | None:
        """Store a value as a new row; ``event`` is what the caller knows it as.

        Raises:
            RecordingError: if it cannot be stored (with ``warn``: answers None).
        """
        try:
            self.report_drops()
            return self.recorder.append(kind, value)
        except RunreelError as error:
            self.failed(error, event)
            return None

    def offer(self, kind: str, value: Any, event: Any = None) -> AppendOutcome | None:
        """Store a source's value unless the log has it; ``event`` is what the caller knows it as.

        Raises:
            RecordingError: if it cannot be stored (with ``warn``: answers None).
        """
        try:
            self.report_drops()
            return self.warn_unread(self.recorder.offer(kind, value))
        except RunreelError as error:
            self.failed(error, value if event is None else event)
            return None

    async def aoffer(self, kind: str, value: Any, event: Any = None) -> AppendOutcome | None:
        """Like ``offer``, in an event loop."""
        try:
            await self._areport_drops()
            return self.warn_unread(await (await self.arecorder()).aoffer(kind, value))
        except RunreelError as error:
            self.failed(error, value if event is None else event)
            return None

    def close(self) -> None:
        """Say that the recording is complete.

        Raises:
            RunreelError: if that cannot be stored (with ``warn``: is logged).
        """
        with self._ending(quiet=self.warns):
            self.report_drops()
            if self._recorder is not None:
                self._recorder.close()

    async def aclose(self) -> None:
        """Like ``close``, in an event loop."""
        with self._ending(quiet=self.warns):
            await self._areport_drops()
            if self._recorder is not None:
                await self._recorder.aclose()

    def interrupt(self, reason: str) -> None:
        """Say that the recording was cut short. Never raises: the caller has troubles already."""
        with self._ending(quiet=True):
            self.report_drops()
            if self._recorder is not None:
                self._recorder.interrupt(reason)

    async def ainterrupt(self, reason: str) -> None:
        """Like ``interrupt``, in an event loop."""
        with self._ending(quiet=True):
            await self._areport_drops()
            if self._recorder is not None:
                await self._recorder.ainterrupt(reason)

    async def arecorder(self) -> Recorder:
        """Like ``recorder``, made in a thread.

        A cancelled task leaves once it is made, for it may have begun to write.
        """
        if self._recorder is None:
            loops.running()
            await loops.wait_to_end(loops.in_thread(lambda: self.recorder))
        return self.recorder

    def _opened(self) -> Recorder:
        deadline, pause = time.monotonic() + self._patience, _PAUSE
        while True:
            try:
                return self._make()
            except DatabaseUnavailable as error:
                if isinstance(error, DatabaseReadOnly) or time.monotonic() >= deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def report_drops(self) -> None:
        """Note in the log how many events it lacks, if that is not told yet."""
        if self._untold:
            self.recorder.note(LOST, {"events": self._untold})
            self._untold = 0

    async def _areport_drops(self) -> None:
        if self._untold:
            await (await self.arecorder()).anote(LOST, {"events": self._untold})
            self._untold = 0

    def warn_unread(self, offer: AppendOutcome) -> AppendOutcome:
        """Log once what is not understood of an offered event, and return the offer."""
        for what in offer.unread:
            if what not in self._misread:
                self._misread.add(what)
                _log.warning("%s of an event of %s is not understood", what, self._run)
        return offer

    def failed(self, error: RunreelError, event: Any) -> None:
        """Deal with an event that could not be stored."""
        if not self.warns:
            raise RecordingError(
                f"an event of {self._run} could not be stored: {error}",
                event=event,
                hint=error.hint,
            ) from error
        self._untold += 1
        self.lost += 1
        _log.warning("an event of %s is not in the log: %s", self._run, error)

    @contextmanager
    def _ending(self, *, quiet: bool) -> Iterator[None]:
        try:
            yield
        except RunreelError:
            if not quiet:
                raise
            _log.exception("the end of the recording of %s could not be stored", self._run)
        if self.lost:
            _log.warning("%d events of %s are not in the log", self.lost, self._run)

    @property
    def _run(self) -> str:
        return "a run" if self._recorder is None else f"run {self._recorder.run_id}"
