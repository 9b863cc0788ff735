"""The recording of one call that a hook below a client makes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from runreel.capture.calls import recording
from runreel.capture.calls.call import model_call

if TYPE_CHECKING:
    from runreel.capture.http.calls import Call
    from runreel.model.errors import BadValue
    from runreel.store.database import Database

_log = logging.getLogger("runreel")


class CallRecording(recording.CallRecording):
    """Stores a call and its answer, in the run of the call's scope if that names one."""

    def __init__(
        self, database: Database, call: Call, *, on_error: str, blocking: bool, store_request: bool
    ) -> None:
        super().__init__(
            database,
            model_call(
                call.route.source, call.body, requested_at=call.requested_at, scope=call.scope
            ),
            on_error=on_error,
            blocking=blocking,
            store_request=store_request,
        )
        self.call = call
        self._warned = False

    def leave_out(self, error: BadValue) -> None:
        """Log once that an event is left out, because it is not JSON."""
        if not self._warned:
            self._warned = True
            _log.warning("an event of %s is not in the log: %s", self.source, error)

    async def end_unreadable(self, reason: str) -> None:
        """End the recording as interrupted because the rest of the answer cannot be read."""
        _log.warning("an answer of %s cannot be recorded: %s", self.source, reason)
        await self.end(reason)

    def _left_out(self, error: BadValue, _received: object) -> None:
        # The program gets the bytes anyway.
        self.leave_out(error)
