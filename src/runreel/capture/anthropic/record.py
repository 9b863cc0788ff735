"""What the anthropic client returns: streams and finished messages."""

from __future__ import annotations

from typing import Any

from runreel.capture.anthropic.helpers import AnthropicHelper, AsyncAnthropicHelper
from runreel.capture.streams.recorded import RecordedAsyncStream, RecordedStream
from runreel.capture.streams.vendor import Vendor
from runreel.codec.json_values import objects_in
from runreel.sources.requests import ANTHROPIC_MESSAGES

_HELPERS = (AnthropicHelper, AsyncAnthropicHelper)
# The key that the client's `parse` and `stream` add to the blocks of a message.
_PARSED = "parsed_output"


def _value_of(model: Any) -> dict[str, object]:
    """The server's JSON of a message, without what the client added."""
    value: dict[str, object] = model.to_dict(mode="json", warnings=False)
    for block in objects_in(value, "content"):
        block.pop(_PARSED, None)
    return value


VENDOR = Vendor(
    name="anthropic",
    streams={
        "Stream": (RecordedStream, RecordedAsyncStream),
        "MessageStream": _HELPERS,
        "BetaMessageStream": _HELPERS,
    },
    managers={"MessageStreamManager": _HELPERS, "BetaMessageStreamManager": _HELPERS},
    finished={"Message": ANTHROPIC_MESSAGES, "BetaMessage": ANTHROPIC_MESSAGES},
    value_of=_value_of,
    call="client.messages.create(...)",
    things="a stream of a message, or a finished one",
)
