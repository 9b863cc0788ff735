"""The chat completion that the chunks of a stream add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_values import as_list, as_object, number_in, object_in, objects_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Keys of chunks that the completion has too; the last value counts.
_SHARED = ("id", "created", "model", "system_fingerprint", "service_tier", "usage")
# Keys of texts that deltas continue, unlike names and ids.
_WHOLE = frozenset(("role", "id", "type", "index", "name"))

_Message = dict[str, object]


def whole_completion(values: Iterable[object]) -> dict[str, object] | None:
    """Return the completion of chunks; None if its end is missing or it has failed."""
    found: dict[str, object] = {"object": "chat.completion"}
    choices: dict[int, dict[str, object]] = {}
    for chunk in map(as_object, values):
        if "error" in chunk:
            return None
        found |= {key: chunk[key] for key in _SHARED if chunk.get(key) is not None}
        for choice in objects_in(chunk, "choices"):
            _add_choice(choices, choice)
    if not choices or any(one["finish_reason"] is None for one in choices.values()):
        return None
    return found | {"choices": [choices[number] for number in sorted(choices)]}


def _add_choice(choices: dict[int, dict[str, object]], choice: Mapping[str, object]) -> None:
    index = number_in(choice, "index")
    new: dict[str, object] = {
        "index": index,
        "message": {"role": "assistant", "content": None},
        "logprobs": None,
        "finish_reason": None,
    }
    known = choices.setdefault(index, new)
    known["message"] = _added(object_in(known, "message"), object_in(choice, "delta"))
    if choice.get("finish_reason") is not None:
        known["finish_reason"] = choice["finish_reason"]
    logprobs = object_in(choice, "logprobs")
    if logprobs:
        known["logprobs"] = _added(object_in(known, "logprobs"), logprobs)


def _added(known: _Message, delta: Mapping[str, object]) -> _Message:
    """Return a value after one of its deltas."""
    after = {**known}
    for key, new in delta.items():
        if new is None or (key == "index" and key in after):
            continue
        old = after.get(key)
        if isinstance(old, str) and isinstance(new, str) and key not in _WHOLE:
            after[key] = old + new
        elif isinstance(new, dict):
            after[key] = _added(as_object(old), new)
        elif isinstance(new, list):
            after[key] = _added_items(as_list(old), new)
        else:
            after[key] = new
    return after


def _added_items(known: list[object], deltas: list[object]) -> list[object]:
    """Return a list after deltas of its items, or with new ones at its end."""
    items = [*known]
    for delta in deltas:
        index = as_object(delta).get("index")
        place = next(
            (n for n, item in enumerate(items) if index is not None and _index(item) == index), None
        )
        if place is None:
            items.append(delta)
        else:
            items[place] = _added(as_object(items[place]), as_object(delta))
    return items


def _index(item: object) -> object:
    return as_object(item).get("index")
