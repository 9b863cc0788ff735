"""One call of a model, as it is known before the request is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runreel.capture.calls import framework_ids
from runreel.capture.calls.request_content import stored_content
from runreel.capture.scope import NO_SCOPE, Scope
from runreel.sources import requests

if TYPE_CHECKING:
    from runreel.sources.requests import Body


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A request to a model, and what is known of its run.

    ``body`` is the request as it may be stored. ``requested_at`` is the time in µs since the epoch.
    ``scope`` is what the program says of it, ``found`` what the framework says that makes the call.
    """

    source: str
    body: Body
    requested_at: int
    scope: Scope
    found: Scope

    @property
    def request(self) -> requests.Request | None:
        """The request with its items, None if it has none."""
        return requests.parse(self.source, self.body)

    @property
    def labels(self) -> dict[str, str] | None:
        """The labels of the run."""
        return {**(self.found.labels or {}), **(self.scope.labels or {})} or None


def model_call(source: str, body: Body, *, requested_at: int, scope: Scope = NO_SCOPE) -> ModelCall:
    """Return the call of a request that the caller is about to send; ``body`` is its JSON.

    The ids of the framework that makes it are those of the calling task or thread.
    """
    found = framework_ids.current()
    return ModelCall(
        source,
        stored_content(body),
        requested_at,
        scope,
        Scope(thread_id=found.thread_id, labels=found.labels),
    )
