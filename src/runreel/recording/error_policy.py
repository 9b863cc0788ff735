"""Error policy of recordings: raise, or warn and count the events that were not stored."""

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

# Seconds between two attempts to reach the database.
_PAUSE = 0.05
_LONGEST_PAUSE = 2.0


class GuardedRecorder:
    """A recorder with an error policy: ``raise`` or ``warn``.

    ``recorder`` may be a function that opens the recorder. It is called when the first event is to
    be stored, and retried for ``patience`` seconds while the database cannot be reached. With
    ``warn`` an event that cannot be stored is logged and counted; the count is stored as a note
    ``lost`` as soon as the database can be written again.
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
        self._unreported_drops = 0
        self._warned_unread: set[str] = set()
        self.lost = 0

    @property
    def recorder(self) -> Recorder:
        """The recorder; opened on first use.

        Raises:
            RunreelError: if it cannot be opened.
        """
        if self._recorder is None:
            self._recorder = self._opened()
        return self._recorder

    @property
    def made(self) -> Recorder | None:
        """The recorder, None until it is opened."""
        return self._recorder

    def append(self, kind: str, value: Any, event: Any) -> StoredEvent | None:
        """Append a value as a new row; ``event`` is the caller's object, for the error.

        Raises:
            RecordingError: if it cannot be stored (with ``warn``: returns None).
        """
        try:
            self.report_drops()
            return self.recorder.append(kind, value)
        except RunreelError as error:
            self.failed(error, event)
            return None

    def offer(self, kind: str, value: Any, event: Any = None) -> AppendOutcome | None:
        """Append a source's value if it is new; ``event`` is the caller's object, for the error.

        Raises:
            RecordingError: if it cannot be stored (with ``warn``: returns None).
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
        """End the recording with the note ``closed``.

        Raises:
            RunreelError: if the note cannot be stored (with ``warn``: the error is logged).
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
        """End the recording with the note ``interrupted``.

        Never raises RunreelError: the caller is already handling an error.
        """
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
        """Like ``recorder``, opened in a thread.

        On cancellation, waits until it is opened: the thread may have begun to write.
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
        """Append a note with the number of events that were not stored since the last one."""
        if self._unreported_drops:
            self.recorder.note(LOST, {"events": self._unreported_drops})
            self._unreported_drops = 0

    async def _areport_drops(self) -> None:
        if self._unreported_drops:
            await (await self.arecorder()).anote(LOST, {"events": self._unreported_drops})
            self._unreported_drops = 0

    def warn_unread(self, outcome: AppendOutcome) -> AppendOutcome:
        """Log a warning, once each, for what is not understood of an event; return ``outcome``."""
        for name in outcome.unread:
            if name not in self._warned_unread:
                self._warned_unread.add(name)
                _log.warning("%s of an event of %s is not understood", name, self._run)
        return outcome

    def failed(self, error: RunreelError, event: Any) -> None:
        """Apply the error policy to an event that could not be stored.

        Raises:
            RecordingError: unless the policy is ``warn``.
        """
        if not self.warns:
            raise RecordingError(
                f"an event of {self._run} could not be stored: {error}",
                event=event,
                hint=error.hint,
            ) from error
        self._unreported_drops += 1
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
