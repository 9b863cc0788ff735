"""What a program says about the calls that it makes inside a block: labels and ids."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Scope(NamedTuple):
    """Ids and labels for the runs recorded in a block; None where the block names none."""

    run_id: str | None = None
    thread_id: str | None = None
    assistant_id: str | None = None
    labels: dict[str, str] | None = None

    def within(self, outer: Scope) -> Scope:
        """This scope inside of ``outer``: what it does not name is that of ``outer``."""
        return Scope(
            self.run_id or outer.run_id,
            self.thread_id or outer.thread_id,
            self.assistant_id or outer.assistant_id,
            {**(outer.labels or {}), **(self.labels or {})} or None,
        )

    @property
    def identity(self) -> dict[str, Any]:
        """The keys of a note ``opened`` that it names."""
        identity = {
            "thread_id": self.thread_id,
            "assistant_id": self.assistant_id,
            "labels": self.labels,
        }
        return {key: value for key, value in identity.items() if value}


NO_SCOPE = Scope()
# By the log that a scope is for: tasks and threads that inherit the context share it.
_scopes: ContextVar[dict[str, Scope]] = ContextVar("runreel_scopes")


def current(log: str) -> Scope:
    """Return the scope of the caller for a log, given by its URL."""
    return _scopes.get({}).get(log, NO_SCOPE)


@contextmanager
def entered(log: str, scope: Scope) -> Iterator[None]:
    """Use ``scope``, inside of the current one, for what is recorded in the block."""
    token = _scopes.set({**_scopes.get({}), log: scope.within(current(log))})
    try:
        yield
    finally:
        _scopes.reset(token)
