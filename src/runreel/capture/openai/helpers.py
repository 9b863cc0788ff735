"""The helpers of the openai client around its streams, with their final results."""

from __future__ import annotations

from runreel.capture.streams.recorded import RecordedAsyncHelper, RecordedHelper


class OpenAIHelper(RecordedHelper):
    """A stream of ``client.responses.stream(...)`` or ``client.chat.completions.stream(...)``."""

    def get_final_response(self) -> object:
        """Read to the end and return the response."""
        self.until_done()
        return self._stream.get_final_response()

    def get_final_completion(self) -> object:
        """Read to the end and return the completion."""
        self.until_done()
        return self._stream.get_final_completion()


class AsyncOpenAIHelper(RecordedAsyncHelper):
    """The asynchronous counterpart of ``OpenAIHelper``."""

    async def get_final_response(self) -> object:
        """Read to the end and return the response."""
        await self.until_done()
        return await self._stream.get_final_response()

    async def get_final_completion(self) -> object:
        """Read to the end and return the completion."""
        await self.until_done()
        return await self._stream.get_final_completion()
