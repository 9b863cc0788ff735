"""The recording of the answer to one call of a model."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from runreel.capture.openai.request import SentRequest
from runreel.capture.openai.response_recording import ResponseRecording
from runreel.system import loops
from runreel.system.sync_bridge import completed

if TYPE_CHECKING:
    from runreel.capture.http.calls import Call
    from runreel.model.errors import BadValue
    from runreel.store.database import Database

_log = logging.getLogger("runreel")


class CallRecording(ResponseRecording):
    """Stores the answer to a call, in the run of the call's scope if that names one."""

    def __init__(self, database: Database, call: Call, *, on_error: str, blocking: bool) -> None:
        super().__init__(
            database,
            call.route.source,
            SentRequest(call.path, creates=True, body=call.body),
            request=None,
            scope=call.scope,
            on_error=on_error,
            blocking=blocking,
        )
        self.call = call
        self._warned = False

    def add_labels(self, labels: dict[str, str] | None) -> None:
        """Add labels to the run; of no effect once its first event is stored."""
        if labels:
            self._scope = self._scope._replace(labels={**(self._scope.labels or {}), **labels})

    def leave_out(self, error: BadValue) -> None:
        """Log once that an event is left out, because it is not JSON."""
        if not self._warned:
            self._warned = True
            _log.warning("an event of %s is not in the log: %s", self.source, error)

    async def end_unreadable(self, reason: str) -> None:
        """End the recording as interrupted because the rest of the answer cannot be read."""
        _log.warning("an answer of %s cannot be recorded: %s", self.source, reason)
        if self.open:
            await self.end(reason)
        elif self.blocking:
            self._store_unreadable(reason)
        else:
            await loops.wait_to_end(loops.in_thread(lambda: self._store_unreadable(reason)))

    def _store_unreadable(self, reason: str) -> None:
        if not self._started:
            self._recorder.open().begin(lambda: True)
            completed(self._recorder.end(reason, blocking=True))

    def _left_out(self, error: BadValue, _received: object) -> None:
        # The program gets the bytes anyway.
        self.leave_out(error)
