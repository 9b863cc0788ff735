"""Check that a run records one chat completion only; a second one is refused."""

from __future__ import annotations

from runreel.codec.json_values import as_object, object_in, objects_in, text_in
from runreel.model.errors import BadInput
from runreel.model.events import RUN, STREAM_EVENT

# After this number of chunks with one id, the server is taken to use one id per completion.
_STABLE_CHUNKS = 2


class Completion:
    """The completion whose chunks were added so far.

    Some servers give each chunk its own id, and some none: a new id alone does not mean another
    completion.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._ended = False

    def add(self, kind: str, value: object) -> None:
        """Add a chunk or a complete completion.

        Raises:
            BadInput: if it belongs to another completion than the previous ones.
        """
        if kind not in (RUN, STREAM_EVENT):
            return
        value = as_object(value)
        id_, choices = text_in(value, "id"), objects_in(value, "choices")
        if not id_ or not choices:
            return
        if self._ids and id_ not in self._ids and self._is_another(kind, choices):
            current = next(iter(self._ids))
            raise BadInput(
                f"this belongs to completion {id_}, but the run records completion {current}:"
                " record each completion as its own run"
            )
        self._ids[id_] = self._ids.get(id_, 0) + 1
        self._ended |= kind == RUN or any(map(_finishes, choices))

    def mark_ended(self) -> None:
        """Note the end of the stream."""
        self._ended = True

    def _is_another(self, kind: str, choices: list[dict[str, object]]) -> bool:
        if kind == RUN:
            return True
        first = next((choice for choice in choices if choice.get("index", 0) == 0), None)
        if first is None or self._ended:
            return first is not None
        role = object_in(first, "delta").get("role")
        return max(self._ids.values()) >= _STABLE_CHUNKS and bool(role)


def _finishes(choice: dict[str, object]) -> bool:
    return choice.get("index", 0) == 0 and bool(choice.get("finish_reason"))
