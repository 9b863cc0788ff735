"""Files that are written in parts by worker processes: what they make is joined in order."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.store.connection import Connection
    from runreel.store.worker_pool import WorkerPool

A = TypeVar("A")
Q = TypeVar("Q")
A_co = TypeVar("A_co", covariant=True)
Q_contra = TypeVar("Q_contra", contravariant=True)

# Bytes of a part in memory: a longer one, of a long run, is kept in a file.
_IN_MEMORY = 4_000_000
_CHUNK = 1 << 20


class Part(NamedTuple):
    """The bytes of a part, which begins with ``data`` and goes on in the file ``rest``."""

    data: bytes
    rest: Path | None = None


class Maker(Protocol[Q_contra, A_co]):
    """Writes the bytes for a question and returns what a program has to know about them."""

    def __call__(
        self, connection: Connection, question: Q_contra, write: Callable[[bytes], None], /
    ) -> A_co:
        """Write."""


def written(
    pool: WorkerPool,
    questions: Iterable[Q],
    make: Maker[Q, A],
    write: Callable[[bytes], object],
) -> Iterator[A]:
    """Write what ``make`` writes for each question, in order; yields what it returns.

    Raises:
        WorkerLost: if a worker has ended.
    """
    # Workers may be killed: what they leave goes with this folder, which others cannot read.
    with tempfile.TemporaryDirectory(prefix="runreel-") as folder:
        works = (
            partial(_made, question=question, make=make, folder=Path(folder))
            for question in questions
        )
        for part, made in pool.map(works):
            write(part.data)
            if part.rest is not None:
                with part.rest.open("rb") as file:
                    for chunk in iter(partial(file.read, _CHUNK), b""):
                        write(chunk)
                part.rest.unlink()
            yield made


def _made(connection: Connection, question: Q, make: Maker[Q, A], folder: Path) -> tuple[Part, A]:
    collected = _Collected(folder)
    try:
        made = make(connection, question, collected.write)
        return collected.part(), made
    finally:
        collected.close()


class _Collected:
    """Bytes that are written one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: list[bytes] = []
        self._size = 0
        self._file: IO[bytes] | None = None
        self._path: Path | None = None

    def write(self, data: bytes) -> None:
        if self._file is not None:
            self._file.write(data)
            return
        self._parts.append(data)
        self._size += len(data)
        if self._size > _IN_MEMORY:
            descriptor, name = tempfile.mkstemp(dir=self._folder)
            self._file, self._path = os.fdopen(descriptor, "wb"), Path(name)

    def part(self) -> Part:
        self.close()
        return Part(b"".join(self._parts), self._path)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
