"""Which chat completion a run records: a run is one completion, and a second one is refused."""

from __future__ import annotations

from typing import Any

from runreel.codec import plain_json as pj
from runreel.model.errors import BadInput
from runreel.model.events import RUN, STREAM_EVENT

# So many chunks of one id show that a server gives all chunks of a completion the same.
_STABLE = 2


class Completion:
    """The completion whose chunks have come so far.

    Some servers give each chunk an id of its own, and some none: an id alone does not make another
    completion.
    """

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._ended = False

    def take(self, kind: str, value: Any) -> None:
        """Take in a chunk or a whole completion.

        Raises:
            BadInput: if it is of another completion than those before.
        """
        if kind not in (RUN, STREAM_EVENT):
            return
        value = pj.as_object(value)
        id_, choices = pj.as_text(value.get("id")), pj.as_list(value.get("choices"))
        if not id_ or not choices:
            return
        if self._ids and id_ not in self._ids and self._is_another(kind, choices):
            known = next(iter(self._ids))
            raise BadInput(
                f"this is of completion {id_}, and the run is completion {known}:"
                " record each as a run of its own"
            )
        self._ids[id_] = self._ids.get(id_, 0) + 1
        self._ended |= kind == RUN or any(map(_finishes, choices))

    def end(self) -> None:
        """Take in that the stream has ended."""
        self._ended = True

    def _is_another(self, kind: str, choices: list[Any]) -> bool:
        if kind == RUN:
            return True
        first = next((choice for choice in choices if _index(choice) == 0), None)
        if first is None or self._ended:
            return first is not None
        delta = pj.as_object(pj.as_object(first).get("delta"))
        return max(self._ids.values()) >= _STABLE and bool(delta.get("role"))


def _finishes(choice: Any) -> bool:
    return _index(choice) == 0 and bool(pj.as_object(choice).get("finish_reason"))


def _index(choice: Any) -> Any:
    return pj.as_object(choice).get("index", 0)
