"""A queue of values that moves to disk when it grows large."""

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
_BATCH = 500


class DiskQueue(AbstractContextManager["DiskQueue[T]"], Generic[T]):
    """Values in insertion order, few of them in memory.

    A context manager; leaving it discards the values.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - see __exit__

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def extend(self, values: Iterable[T]) -> None:
        """Append values."""
        remaining = iter(values)
        while batch := list(islice(remaining, _BATCH)):
            pickle.dump(batch, self._file, pickle.HIGHEST_PROTOCOL)

    def __iter__(self) -> Iterator[T]:
        self._file.seek(0)
        while True:
            try:
                batch: list[T] = pickle.load(self._file)  # noqa: S301 - we wrote it
            except EOFError:
                return
            yield from batch
