"""The recording of one call of a model, from before the request is sent to the end of the answer.

A hook below a client drives it, once for each attempt of the client::

    recording = recordings.of_attempt(request, number)   # a retry gets the recording of its call
    await recording.before_send()                        # the request is in the log now
    await recording.attempt_failed(status=429, body=body)    # refused, time-out, 4xx, 5xx
    await recording.store_texts(texts, None)             # or else: store_finished(value, None)
    await recording.end(reason)                          # interrupted if its end is missing

With ``blocking`` no coroutine suspends: ``completed(recording.before_send())`` in a plain thread.
"""

from __future__ import annotations

import contextlib
import logging
import os
from typing import TYPE_CHECKING, Any

from runreel.capture import exit_hooks
from runreel.capture.calls import run_choice
from runreel.capture.scope import NO_SCOPE
from runreel.capture.streams.response_recording import ResponseRecording
from runreel.codec import json_text
from runreel.codec.json_values import as_object
from runreel.model.errors import BadValue, RunreelError
from runreel.model.events import ATTEMPT, LABELED
from runreel.model.timestamps import rfc3339
from runreel.sources.openai import values as oj
from runreel.store.write_check import check_writable
from runreel.system import loops
from runreel.system.sync_bridge import completed

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.capture.calls.call import ModelCall
    from runreel.recording.recorder import Recorder
    from runreel.store.database import Database

# Characters of the body of a failed attempt that are stored.
MAX_BODY = 20_000

_log = logging.getLogger("runreel")


class CallRecording(ResponseRecording):
    """Stores a call: its request before it is sent, its attempts, and the values of its answer.

    With ``store_request`` False the request is not stored, its time is.
    """

    def __init__(
        self,
        database: Database,
        call: ModelCall,
        *,
        on_error: str,
        blocking: bool,
        store_request: bool = True,
    ) -> None:
        super().__init__(
            database,
            call.source,
            None,
            request=None,
            scope=NO_SCOPE,
            on_error=on_error,
            blocking=blocking,
        )
        self.call = call
        self._warned = False
        self._store_request = store_request
        self._labels: dict[str, str] = {}
        self._refusal: Callable[[], dict[str, Any]] | None = None
        # What the base class stores before the first event is in the log already.
        self._started = True

    @property
    def run_id(self) -> str | None:
        """The id of the run, None until the recording has begun."""
        recorder = self._recorder.made
        return None if recorder is None else recorder.run_id

    async def before_send(self) -> None:
        """Begin the recording, with the request; before a retry, check that the log can be written.

        Raises:
            RecordingError: if the log cannot be written (with ``warn``: the error is logged).
        """
        await self._join_end_thread()
        if self._refusal is not None:
            # The client has not closed the response to the attempt before.
            await self._end("")
        try:
            if self._recorder.made is None:
                await self._recorder.recorder()
            elif self.blocking:
                check_writable(self._database)
            else:
                await loops.wait_to_end(loops.in_thread(lambda: check_writable(self._database)))
            self.open = True
            exit_hooks.register(self)
        except RunreelError as error:
            self._recorder.failed(error, self.call.body)

    def close_on_exit(self, reason: str) -> None:
        """End the recording at exit of the interpreter, unless it has ended."""
        with contextlib.suppress(RunreelError):
            completed(self._end(reason, blocking=True))

    async def attempt_failed(
        self,
        *,
        status: int | None = None,
        error: BaseException | str | None = None,
        body: object = None,
        sent_at: int | None = None,
    ) -> None:
        """Store that an attempt got no answer, and end the recording; a retry resumes it.

        ``status`` is the HTTP status and ``body`` the body of the response, as JSON, text or bytes;
        None if it was not read. ``error`` is the error of the client if there was no response.
        ``sent_at`` is the time of the attempt in µs since the epoch.

        Raises:
            RecordingError: if it cannot be stored (with ``warn``: the error is logged).
        """
        sent_at = sent_at or self.call.requested_at
        value = _attempt(status=status, error=error, body=body, sent_at=sent_at)
        try:
            await self._recorder.note(ATTEMPT, value)
        except RunreelError as failure:
            self._recorder.failed(failure, error or value)
        await self._join_end_thread()
        await self._close_session()

    def refused(self, refusal: Callable[[], dict[str, Any]]) -> None:
        """Note that the response has the status of an error.

        The end of the recording then stores the attempt: ``refusal`` returns the arguments of
        ``attempt_failed``, with the body as far as it was read.
        """
        self._refusal = refusal
        self.open = True

    def is_refused_by(self, refusal: Callable[[], dict[str, Any]]) -> bool:
        """Whether the attempt that ``refusal`` describes is still to be stored."""
        return self._refusal == refusal

    async def _end(self, reason: str, *, blocking: bool = False) -> None:
        if self.open and os.getpid() == self._pid:
            try:
                await self._store_labels(blocking=blocking)
            except RunreelError:
                _log.exception("the labels of a call could not be stored")
        refusal, self._refusal = self._refusal, None
        if refusal is None:
            await super()._end(reason, blocking=blocking)
            return
        try:
            await self._recorder.note(ATTEMPT, _attempt(**refusal()), blocking=blocking)
        except RunreelError:
            # The program gets the client's error.
            _log.exception("the failure of a call could not be stored")
        await self._close_session(blocking=blocking)

    async def _close_session(self, *, blocking: bool = False) -> None:
        """End the recording after a failed attempt; the next one may have begun meanwhile."""
        self.open = False
        if os.getpid() == self._pid:
            await self._recorder.end(None, blocking=blocking)

    def add_labels(self, labels: dict[str, str] | None) -> None:
        """Add labels to the run, with what is stored next or with its end."""
        self._labels |= labels or {}

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
        # The program gets what was sent anyway.
        self.leave_out(error)

    async def _store(
        self, kind: str, values: list[object], received: object, *, close: bool
    ) -> None:
        try:
            await self._store_labels()
        except RunreelError as error:
            self._recorder.failed(error, received)
        await super()._store(kind, values, received, close=close)

    async def _store_labels(self, *, blocking: bool = False) -> None:
        if self._labels:
            labels, self._labels = self._labels, {}
            await self._recorder.note(LABELED, {"labels": labels}, blocking=blocking)

    def _open_recorder(self) -> Recorder:
        return self._database.retry_unavailable(
            lambda: run_choice.begin(self._database, self.call, store_request=self._store_request)
        )


def _attempt(
    *,
    sent_at: int,
    status: int | None = None,
    error: BaseException | str | None = None,
    body: object = None,
) -> dict[str, object]:
    parsed = _parsed(body)
    message = _message(status, error, parsed)
    value = {"status": status, "error": message, "body": parsed, "sent_at": rfc3339(sent_at)}
    return {key: item for key, item in value.items() if item is not None}


def _message(status: int | None, error: BaseException | str | None, body: object) -> str:
    """The provider's message, or else that of the client's error."""
    found = oj.body_error(as_object(body))
    if found is not None and found[0]:
        return found[0]
    if isinstance(body, str) and body.strip() and not body.lstrip().startswith("<"):
        return body.strip()[:500]
    if isinstance(error, BaseException):
        return str(error) or type(error).__name__
    return error or (f"HTTP status {status}" if status is not None else "no answer")


def _parsed(body: object) -> object:
    """The body as JSON if it is that, else its text; None without one."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    if not isinstance(text, str):
        return text
    if not text:
        return None
    try:
        value = json_text.loads(text)
    except BadValue:
        return text[:MAX_BODY]
    return value if len(text) <= MAX_BODY else text[:MAX_BODY]
