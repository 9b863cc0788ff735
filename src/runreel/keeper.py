"""Storing a stream's events without ever hiding that one could not be stored."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from runreel.words.errors import RecordingError, RunreelError
from runreel.words.log import LOST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from runreel.recorder import Recorder
    from runreel.rules.matching import Offer
    from runreel.words.log import StoredEvent

_log = logging.getLogger("runreel")


class Keeper:
    """A recorder that does with failures what the user wants: ``raise`` or ``warn``.

    ``recorder`` may be what makes it, asked when there is something to store. With ``warn`` an
    event that cannot be stored is counted and logged, and the count goes into the log as soon as
    that can be written again.
    """

    def __init__(
        self, recorder: Recorder | Callable[[], Recorder], on_error: str = "raise"
    ) -> None:
        self._make = recorder if callable(recorder) else lambda: recorder
        self._recorder = None if callable(recorder) else recorder
        self.warns = on_error == "warn"
        self._untold = 0
        self.lost = 0

    @property
    def recorder(self) -> Recorder:
        """The recorder, made if need be.

        Raises:
            RunreelError: if it cannot be made.
        """
        if self._recorder is None:
            self._recorder = self._make()
        return self._recorder

    def append(self, kind: str, value: Any, event: Any) -> StoredEvent | None:
        """Store a value as a new row; ``event`` is what the caller knows it as.

        Raises:
            RecordingError: if it cannot be stored (with ``warn``: answers None).
        """
        with _Minding(self, event):
            self.tell_lost()
            return self.recorder.append(kind, value)
        return None

    def offer(self, kind: str, value: Any, event: Any = None) -> Offer | None:
        """Store a source's value unless the log has it; ``event`` is what the caller knows it as.

        Raises:
            RecordingError: if it cannot be stored (with ``warn``: answers None).
        """
        with _Minding(self, value if event is None else event):
            self.tell_lost()
            return self.recorder.offer(kind, value)
        return None

    async def aoffer(self, kind: str, value: Any, event: Any = None) -> Offer | None:
        """Like ``offer``, in an event loop."""
        with _Minding(self, value if event is None else event):
            await self._atell_lost()
            return await (await self._arecorder()).aoffer(kind, value)
        return None

    def close(self) -> None:
        """Say that the recording is complete.

        Raises:
            RunreelError: if that cannot be stored (with ``warn``: is logged).
        """
        with self._ending(quiet=self.warns):
            self.tell_lost()
            if self._recorder is not None:
                self._recorder.close()

    async def aclose(self) -> None:
        """Like ``close``, in an event loop."""
        with self._ending(quiet=self.warns):
            await self._atell_lost()
            if self._recorder is not None:
                await self._recorder.aclose()

    def interrupt(self, reason: str) -> None:
        """Say that the recording was cut short. Never raises: the caller has troubles already."""
        with self._ending(quiet=True):
            self.tell_lost()
            if self._recorder is not None:
                self._recorder.interrupt(reason)

    async def ainterrupt(self, reason: str) -> None:
        """Like ``interrupt``, in an event loop."""
        with self._ending(quiet=True):
            await self._atell_lost()
            if self._recorder is not None:
                await self._recorder.ainterrupt(reason)

    async def _arecorder(self) -> Recorder:
        if self._recorder is None:
            self._recorder = await asyncio.to_thread(self._make)
        return self._recorder

    def tell_lost(self) -> None:
        """Note in the log how many events it lacks, if that is not told yet."""
        if self._untold:
            self.recorder.note(LOST, {"events": self._untold})
            self._untold = 0

    async def _atell_lost(self) -> None:
        if self._untold:
            await (await self._arecorder()).anote(LOST, {"events": self._untold})
            self._untold = 0

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


class _Minding:
    """What happens in its ``with`` block is the storing of an event, which may fail."""

    def __init__(self, keeper: Keeper, event: Any) -> None:
        self._keeper = keeper
        self._event = event

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, RunreelError):
            return False
        self._keeper.failed(error, self._event)
        return True
