"""What a span of a model call says that the model was asked, in each dialect."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from runreel.codec.json_values import as_object, as_text, objects_in, text_in
from runreel.sources.archives import spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.sources.archives.spans import Attributes

_TRACELOOP = ("gen_ai.prompt.", ".role", ".content")
_OPENINFERENCE = ("llm.input_messages.", ".message.role", ".message.content")
_CONTENTS = ".message.contents.{}.message_content.text"
_INSTRUCTIONS = "gen_ai.system_instructions"
_MESSAGES = "gen_ai.input.messages"


def messages_of(span: object) -> list[object]:
    """Return the messages that were sent, each with its ``role`` and its text as ``content``.

    They are empty if content was not exported. Of a message without text, ``content`` is empty.
    """
    found = spans.attributes(span)
    if spans.operation(found) != "inference":
        return []
    return [*(_of_conventions(found) or _of_names(found))]


def _of_conventions(found: Attributes) -> list[object]:
    instructions = found.get(_INSTRUCTIONS)
    parts = spans.messages(found, _INSTRUCTIONS)
    text = _text(parts) if parts else as_text(instructions)
    messages: list[object] = [_message("system", text)] if text else []
    messages += [
        _message(text_in(message, "role"), _text(objects_in(message, "parts")))
        for message in spans.messages(found, _MESSAGES)
    ]
    return messages


def _text(parts: list[dict[str, object]]) -> str:
    texts = (text_in(part, "content") for part in parts if part.get("type", "text") == "text")
    return "\n".join(text for text in texts if text)


def _of_names(found: Attributes) -> Iterator[object]:
    """Yield the messages of dialects that number their attributes."""
    for start, role, content in (_TRACELOOP, _OPENINFERENCE):
        for number in count():
            one = f"{start}{number}"
            parts = [found.get(one + content), *_contents(found, one)]
            texts = [text for text in map(as_text, parts) if text]
            if not texts and found.get(one + role) is None:
                break
            yield _message(as_text(found.get(one + role)), "\n".join(texts))


def _contents(found: Attributes, message: str) -> Iterator[object]:
    for number in count():
        name = message + _CONTENTS.format(number)
        if name not in found:
            return
        yield found[name]


def _message(role: str | None, text: str) -> dict[str, object]:
    return {"role": role or "user", "content": text}


def after_last_answer(messages: list[object]) -> list[object]:
    """Return the messages that follow the last answer of a model in them; all if there is none."""
    start = len(messages)
    while start and as_object(messages[start - 1]).get("role") != "assistant":
        start -= 1
    return messages[start:]
