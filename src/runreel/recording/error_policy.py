"""Error policy of recordings: raise, or warn and count the events that were not stored."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from runreel.model.errors import BadInput, RecordingError, RunreelError
from runreel.model.events import LOST
from runreel.system import loops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runreel.model.events import StoredEvent
    from runreel.recording.deduplication import AppendOutcome
    from runreel.recording.recorder import Recorder

_log = logging.getLogger("runreel")


class GuardedRecorder:
    """A recorder with an error policy: ``raise`` or ``warn``.

    ``recorder`` may be a function that opens the recorder; it is called on first use. With
    ``warn`` an event that cannot be stored is logged and counted; the count is stored as a note
    ``lost`` as soon as the database can be written again. With ``blocking``, for threads that may
    wait, the coroutines never suspend; without it, they never block the event loop.
    """

    def __init__(
        self,
        recorder: Recorder | Callable[[], Recorder],
        on_error: str = "raise",
        *,
        blocking: bool = True,
    ) -> None:
        self._make = recorder if callable(recorder) else lambda: recorder
        self._recorder = None if callable(recorder) else recorder
        self.warns = on_error == "warn"
        self.blocking = blocking
        self._unreported_drops = 0
        self._warned_unread: set[str] = set()
        self.lost = 0

    @property
    def made(self) -> Recorder | None:
        """The recorder, None until it is opened."""
        return self._recorder

    def open(self) -> Recorder:
        """Return the recorder, opened in this thread on first use.

        Raises:
            RunreelError: if it cannot be opened.
        """
        if self._recorder is None:
            self._recorder = self._make()
        return self._recorder

    async def recorder(self) -> Recorder:
        """Like ``open``, without blocking an event loop.

        On cancellation, waits until it is opened: the thread may have begun to write.
        """
        if self._recorder is None and not self.blocking:
            loops.running()
            await loops.wait_to_end(loops.in_thread(self.open))
        return self.open()

    async def append(self, kind: str, value: object, event: object) -> StoredEvent | None:
        """Append a value as a new row; ``event`` is the caller's object, for the error.

        Raises:
            RecordingError: if it cannot be stored (with ``warn``: returns None).
        """
        try:
            await self.report_drops()
            recorder = self._recorder or await self.recorder()
            if self.blocking:
                return recorder.append(kind, value)
            return await recorder.aappend(kind, value)
        except RunreelError as error:
            self.failed(error, event)
            return None

    async def offer(self, kind: str, value: object, event: object = None) -> AppendOutcome | None:
        """Append a source's value if it is new; ``event`` is the caller's object, for the error.

        Raises:
            RecordingError: if it cannot be stored (with ``warn``: returns None).
        """
        try:
            if self._unreported_drops:
                await self.report_drops()
            recorder = self._recorder or await self.recorder()
            if self.blocking:
                return self.warn_unread(recorder.offer(kind, value))
            return self.warn_unread(await recorder.aoffer(kind, value))
        except RunreelError as error:
            self.failed(error, value if event is None else event)
            return None

    async def offer_all(
        self, events: Sequence[tuple[str, object]], event: object = None, *, close: bool = False
    ) -> None:
        """Like ``offer`` for several kinds and values, in one commit.

        With ``close`` the recording ends in it, if it can: call ``end`` too.
        """
        try:
            if self._unreported_drops:
                await self.report_drops()
            recorder = self._recorder or await self.recorder()
            if self.blocking:
                outcomes = recorder.offer_all(events, close=close)
            else:
                outcomes = await recorder.aoffer_all(events, close=close)
            for outcome in outcomes:
                self.warn_unread(outcome)
        except BadInput:
            # It is one event's error: the others can be stored.
            for kind, value in events:
                await self.offer(kind, value, event)
        except RunreelError as error:
            for _, value in events:
                self.failed(error, value if event is None else event)

    async def note(self, type_: str, value: dict[str, object], *, blocking: bool = False) -> None:
        """Append a note.

        Raises:
            RunreelError: if it cannot be stored.
        """
        if blocking or self.blocking:
            self.open().note(type_, value)
        else:
            await (await self.recorder()).anote(type_, value)

    async def end(self, reason: str | None = None, *, blocking: bool = False) -> None:
        """End the recording: with the note ``interrupted`` and a reason, or with ``closed``.

        ``blocking`` is for threads without the event loop of the other calls.

        Raises:
            RunreelError: if ``closed`` cannot be stored. With ``warn`` the error is logged, and
                with a reason too: the caller is already handling an error.
        """
        try:
            await self._end(reason, blocking=blocking)
        except RunreelError:
            if reason is None and not self.warns:
                raise
            _log.exception("the end of the recording of %s could not be stored", self._run)
        if self.lost:
            _log.warning("%d events of %s are not in the log", self.lost, self._run)

    async def _end(self, reason: str | None, *, blocking: bool) -> None:
        await self.report_drops(blocking=blocking)
        recorder = self._recorder
        if recorder is None:
            return
        if blocking or self.blocking:
            recorder.close() if reason is None else recorder.interrupt(reason)
        else:
            await (recorder.aclose() if reason is None else recorder.ainterrupt(reason))

    async def report_drops(self, *, blocking: bool = False) -> None:
        """Append a note with the number of events that were not stored since the last one."""
        if self._unreported_drops:
            await self.note(LOST, {"events": self._unreported_drops}, blocking=blocking)
            self._unreported_drops = 0

    def warn_unread(self, outcome: AppendOutcome) -> AppendOutcome:
        """Log a warning, once each, for what is not understood of an event; return ``outcome``."""
        for name in outcome.unread:
            if name not in self._warned_unread:
                self._warned_unread.add(name)
                _log.warning("%s of an event of %s is not understood", name, self._run)
        return outcome

    def failed(self, error: RunreelError, event: object) -> None:
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

    @property
    def _run(self) -> str:
        return "a run" if self._recorder is None else f"run {self._recorder.run_id}"
