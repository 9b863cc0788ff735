"""The helper of the anthropic client around its streams, with its texts and final message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.capture.streams.recorded import RecordedAsyncHelper, RecordedHelper

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


class AnthropicHelper(RecordedHelper):
    """A stream of ``client.messages.stream(...)``."""

    @property
    def text_stream(self) -> Iterator[str]:
        """The texts that are added to the message."""
        return (text for event in self if (text := _added_text(event)))

    def get_final_message(self) -> object:
        """Read to the end and return the message."""
        self.until_done()
        return self._stream.get_final_message()

    def get_final_text(self) -> object:
        """Read to the end and return the text of the message."""
        self.until_done()
        return self._stream.get_final_text()


class AsyncAnthropicHelper(RecordedAsyncHelper):
    """The asynchronous counterpart of ``AnthropicHelper``."""

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """The texts that are added to the message."""
        return self._texts()

    async def get_final_message(self) -> object:
        """Read to the end and return the message."""
        await self.until_done()
        return await self._stream.get_final_message()

    async def get_final_text(self) -> object:
        """Read to the end and return the text of the message."""
        await self.until_done()
        return await self._stream.get_final_text()

    async def _texts(self) -> AsyncIterator[str]:
        async for event in self:
            if text := _added_text(event):
                yield text


def _added_text(event: Any) -> str:
    if event.type != "content_block_delta" or event.delta.type != "text_delta":
        return ""
    return str(event.delta.text)
