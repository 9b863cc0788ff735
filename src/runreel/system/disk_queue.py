"""Values that are set aside: on disk where they are many."""

from __future__ import annotations

import pickle
from contextlib import AbstractContextManager
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

_IN_MEMORY = 1_000_000
_AT_ONCE = 500


class DiskQueue(AbstractContextManager["DiskQueue[T]"], Generic[T]):
    """Values in the order in which they came, little of which is held in memory.

    A context manager: they are gone afterwards.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - see __exit__

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def extend(self, values: Iterable[T]) -> None:
        """Set more aside."""
        more = iter(values)
        while some := list(islice(more, _AT_ONCE)):
            pickle.dump(some, self._file, pickle.HIGHEST_PROTOCOL)

    def __iter__(self) -> Iterator[T]:
        self._file.seek(0)
        while True:
            try:
                some: list[T] = pickle.load(self._file)  # noqa: S301 - we wrote it
            except EOFError:
                return
            yield from some
