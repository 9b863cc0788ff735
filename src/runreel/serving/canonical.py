"""The form of a request in which it is compared with recorded ones.

Two requests are equal if their JSON is, less what ``EXCEPTIONS`` names. Secrets, credentials and
binary data are in the form in which the log stores them, on both sides. Ids of earlier answers,
such as those of tool calls, may differ if they stand in the same places.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from runreel.capture.calls.request_content import stored_content
from runreel.codec.json_text import sorted_bytes
from runreel.codec.json_values import as_object
from runreel.codec.secret_masking import SECRETS, SecretFilter, StreamSecretFilter
from runreel.codec.stream_codec import PLACEHOLDER
from runreel.sources import requests
from runreel.sources.requests import Request

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.codec.secret_masking import SecretPattern
    from runreel.sources.requests import Body

# Parameters that do not count: who asks, and how the answer is sent.
EXCEPTIONS = (
    *("metadata", "user", "safety_identifier", "prompt_cache_key", "client_metadata"),
    *("stream", "stream_options", "background"),
)
# Parameters and keys of items that hold the id of an earlier answer or of a part of one.
_ID_PARAMETERS = ("previous_response_id", "conversation")
_ID_KEYS = frozenset(
    ("id", "call_id", "tool_call_id", "tool_use_id", "item_id", "approval_request_id")
)
_ID = "\0id "
_BLOCK = PLACEHOLDER.encode()


class Canonical(NamedTuple):
    """A request as it is compared: its parameters and items; None if it has no items.

    Both have numbers in place of the ids, which are in ``ids`` in their order. ``exact`` is equal
    for requests that are equal with their ids, ``loose`` also for those with other ids. ``parts``
    has a number for each parameter and item: the more two requests share, the closer they are.
    ``streamed``: the answer was asked for as a stream. ``blocked``: parts of it were erased.
    """

    source: str
    parameters: Body
    items: list[object] | None
    ids: tuple[str, ...]
    exact: bytes
    loose: bytes
    parts: frozenset[int]
    streamed: bool
    blocked: bool

    @property
    def body(self) -> Body:
        """The request as JSON."""
        if self.items is None:
            return self.parameters
        return Request(self.source, self.items, self.parameters).body

    @property
    def missing(self) -> int:
        """The number of items at its start that the log does not have any more."""
        first = as_object(self.items[0]) if self.items else {}
        if not str(first.get("type")).startswith(requests.OWN_TYPES):
            return 0
        number = first.get("items")
        return number if isinstance(number, int) else 0


class Canonicalizer:
    """Brings requests into the form in which they are compared; ``mask`` as for ``open``."""

    def __init__(self, mask: Iterable[SecretPattern] = ()) -> None:
        self._filter = SecretFilter([SECRETS, *(rule for rule in mask if rule != SECRETS)])

    def canonical(self, source: str, body: Body) -> Canonical:
        """Return a request, sent or stored, as it is compared."""
        masked: Body = StreamSecretFilter(self._filter, lambda _: None).apply(stored_content(body))
        request = requests.parse(source, masked)
        kept = masked if request is None else request.parameters
        ids: dict[str, str] = {}
        parameters = {
            key: _numbered(value, ids) if key in _ID_PARAMETERS else _plain(value, None)
            for key, value in kept.items()
            if key not in EXCEPTIONS
        }
        items = None if request is None else [_plain(item, ids) for item in request.items]
        parts = [sorted_bytes([key, value]) for key, value in parameters.items()]
        parts += [sorted_bytes([number, item]) for number, item in enumerate(items or ())]
        loose = _digest(sorted_bytes([parameters, items]))
        found = Canonical(
            source,
            parameters,
            items,
            tuple(ids),
            _digest(loose + sorted_bytes(list(ids))),
            loose,
            frozenset(map(hash, parts)),
            streamed=body.get("stream") is True,
            blocked=any(_BLOCK in part for part in parts),
        )
        return found._replace(blocked=found.blocked or found.missing > 0)


def _plain(value: object, ids: dict[str, str] | None) -> object:
    """Return a copy in which 1.0 is 1 and, with ``ids``, ids are numbers in their order."""
    if isinstance(value, dict):
        return {
            key: _numbered(item, ids) if ids is not None and key in _ID_KEYS else _plain(item, ids)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_plain(item, ids) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _numbered(value: object, ids: dict[str, str] | None) -> object:
    if ids is not None and isinstance(value, str):
        return ids.setdefault(value, f"{_ID}{len(ids) + 1}")
    return _plain(value, ids)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:16]
