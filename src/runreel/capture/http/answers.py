"""Stores the answers of a model from the bytes of their bodies."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from runreel.capture.calls.recording import MAX_BODY
from runreel.capture.http.calls import ROUTES
from runreel.capture.http.content_coding import BodyDecoder, UndecodableBody
from runreel.capture.http.credentials import without_credentials
from runreel.capture.streams.response_recording import CUT, DONE
from runreel.codec import json_values as pj
from runreel.codec.json_text import loads
from runreel.model.errors import BadValue
from runreel.sources.sse import SSEParser

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.capture.calls.recording import CallRecording
    from runreel.sources.sse import ServerSentEvent

# The end of a recording whose request looked like one to a model.
FOREIGN = "the answer is not that of a model"

_log = logging.getLogger("runreel")


class Answer(ABC):
    """An answer whose body is stored as it is read.

    ``content_encoding`` is the header of this name; the bytes given to ``add`` are a copy.
    """

    def __init__(self, recording: CallRecording, content_encoding: str) -> None:
        self.recording = recording
        self._route = ROUTES[recording.source]
        self._content_encoding = content_encoding
        self._decoder: BodyDecoder | None = None
        # Set once it is clear that the body cannot be read or is of another service.
        self._ignored = False

    @property
    def open(self) -> bool:
        """Whether the recording of this answer has not ended."""
        return self.recording.open

    async def add(self, chunk: bytes) -> None:
        """Store what ``chunk`` completes.

        Raises:
            RecordingError: if it cannot be stored.
        """
        if self._ignored:
            return
        try:
            if self._decoder is None:
                self._decoder = BodyDecoder(self._content_encoding)
            decoded = self._decoder.decode(chunk)
        except UndecodableBody as error:
            self._ignored = True
            await self.recording.end_unreadable(str(error))
            return
        await self._add(decoded)

    async def add_decoded(self, body: bytes) -> None:
        """Store a body that is complete and decoded already, and end the recording.

        Raises:
            RecordingError: if it cannot be stored.
        """
        await self._add(body)
        await self.finish()

    async def finish(self) -> None:
        """Store the rest at the end of the body, and end the recording.

        Raises:
            RecordingError: if it cannot be stored.
        """
        if not self._ignored:
            await self._finish()
        await self.recording.end(FOREIGN if self._ignored else CUT)

    async def fail(self, error: BaseException) -> None:
        """End the recording after an error while the body was read or stored."""
        await self.recording.end(type(error).__name__)

    @abstractmethod
    async def _add(self, decoded: bytes) -> None:
        """Store what decoded bytes complete."""

    async def _finish(self) -> None:  # noqa: B027 - a refusal has no rest
        """Store the rest at the end of the body."""


class EventAnswer(Answer):
    """An answer of server-sent events: all events that a chunk completes share a commit."""

    def __init__(self, recording: CallRecording, content_encoding: str) -> None:
        super().__init__(recording, content_encoding)
        self._parser = SSEParser()
        self._recognized = False

    async def _add(self, decoded: bytes) -> None:
        await self._store(self._parser.feed(decoded))

    async def _finish(self) -> None:
        # The standard drops an event that no empty line ends; its data may be complete.
        await self._store([event for event in self._parser.end() if _is_complete(event.data)])

    async def _store(self, events: Iterable[ServerSentEvent]) -> None:
        texts: list[str] = []
        for event in events:
            try:
                texts.append(event.data.decode())
            except UnicodeDecodeError as error:
                self.recording.leave_out(BadValue(f"it is not UTF-8: {error}"))
        if not texts or self._is_foreign(texts[0]):
            return
        if await self.recording.store_texts(texts, None, close=True):
            # The recording ends before the program sees the end.
            await self.recording.end(CUT)

    def _is_foreign(self, text: str) -> bool:
        """Whether the first event, if this is it, is that of another service at the same path."""
        if not self._recognized:
            self._recognized = True
            if not text.startswith(DONE):
                with suppress(BadValue):
                    self._ignored = not self._route.is_event(pj.as_object(loads(text)))
        return self._ignored


class WholeAnswer(Answer):
    """An answer in one JSON object: a finished response or completion."""

    def __init__(self, recording: CallRecording, content_encoding: str) -> None:
        super().__init__(recording, content_encoding)
        self._body: list[bytes] = []

    async def _add(self, decoded: bytes) -> None:
        self._body.append(decoded)

    async def _finish(self) -> None:
        try:
            value: Any = loads(b"".join(self._body))
        except BadValue:
            _log.debug("an answer that is not JSON is not recorded", exc_info=True)
            value = None
        if isinstance(value, dict) and self._route.is_answer(value):
            await self.recording.store_finished(value, None)
        else:
            await self.recording.end(FOREIGN)


class Refusal(Answer):
    """The body of a response with the status of an error: the attempt has failed.

    It is stored once the client has read the body, or has closed it without reading it.
    """

    def __init__(
        self,
        recording: CallRecording,
        content_encoding: str,
        request: Any,
        status: int,
        sent_at: int,
    ) -> None:
        super().__init__(recording, content_encoding)
        self._request = request
        self._status = status
        self._sent_at = sent_at
        self._body = bytearray()
        recording.refused(self._failed)

    @property
    def open(self) -> bool:
        """Whether the attempt is not stored; after that, the recording is that of the next one."""
        return self.recording.open and self.recording.is_refused_by(self._failed)

    async def finish(self) -> None:
        """Store the attempt with its body."""
        if self.open:
            await self.recording.end(CUT)

    async def fail(self, _error: BaseException) -> None:
        """Store the attempt with what was read of the body."""
        await self.finish()

    async def _add(self, decoded: bytes) -> None:
        self._body += decoded[: max(0, MAX_BODY - len(self._body))]

    def _failed(self) -> dict[str, Any]:
        body = without_credentials(bytes(self._body), self._request)
        return {"status": self._status, "body": body, "sent_at": self._sent_at}


def _is_complete(data: bytes) -> bool:
    with suppress(BadValue, UnicodeDecodeError):
        text = data.decode()
        if not text.startswith(DONE):
            loads(text)
        return True
    return False
