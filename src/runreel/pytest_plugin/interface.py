"""What the plugin does for one test: it replays a recording, or makes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Urls(NamedTuple):
    """Base URLs of the server for a test, for the clients of both vendors."""

    openai: str
    anthropic: str


class Outcome(NamedTuple):
    """What the plugin knows after a test.

    ``unused`` names the calls of the recording that were not served, None if that is unknown;
    ``part`` is the file with what the test has recorded.
    """

    unused: list[str] | None = None
    part: str | None = None


class Calls(Protocol):
    """The model calls of one test, which are replayed or recorded from its beginning on."""

    def problems(self) -> list[str]:
        """Return why calls were not answered, since the last time."""
        ...

    def serving(self) -> AbstractContextManager[Urls]:
        """Do the same for the calls of other processes, while the block lasts.

        Raises:
            MissingExtra: if a package of the server is not installed.
        """
        ...

    def end(self) -> Outcome:
        """End it: clients are as they were before."""
        ...
