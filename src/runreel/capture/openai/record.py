"""What the openai client returns: streams, finished responses and completions."""

from __future__ import annotations

from typing import Any

from runreel.capture.openai.helpers import AsyncOpenAIHelper, OpenAIHelper
from runreel.capture.streams.recorded import RecordedAsyncStream, RecordedStream
from runreel.capture.streams.response_recording import CHAT, RESPONSES
from runreel.capture.streams.vendor import Vendor
from runreel.codec import json_values as pj

_HELPERS = (OpenAIHelper, AsyncOpenAIHelper)
# Keys that the client's `parse` and `stream` add to the server's JSON.
_PARSED = frozenset(("parsed", "parsed_arguments"))


def _value_of(model: Any) -> dict[str, object]:
    """The server's JSON of a client object, without what the client added."""
    value: dict[str, Any] = model.to_dict(mode="json", warnings=False)
    for item in map(pj.as_object, pj.as_list(value.get("output") or value.get("choices"))):
        for holder in (item, item.get("message"), *pj.as_list(item.get("content"))):
            _strip(holder)
    return value


def _strip(holder: object) -> None:
    if isinstance(holder, dict):
        for key in _PARSED & holder.keys():
            del holder[key]
        for call in holder.get("tool_calls") or ():
            _strip(call.get("function"))


VENDOR = Vendor(
    name="openai",
    streams={
        "Stream": (RecordedStream, RecordedAsyncStream),
        "ResponseStream": _HELPERS,
        "ChatCompletionStream": _HELPERS,
    },
    managers={"ResponseStreamManager": _HELPERS, "ChatCompletionStreamManager": _HELPERS},
    finished={"Response": RESPONSES, "ChatCompletion": CHAT},
    value_of=_value_of,
    call="client.responses.create(...)",
    things="a stream of a response or chat completion, or a finished one",
)
