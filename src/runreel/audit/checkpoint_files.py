"""Checkpoint files: reading, writing, finding them in a directory, and checking who signed them."""

from __future__ import annotations

import heapq
from contextlib import contextmanager
from hashlib import sha256, sha512
from itertools import groupby
from operator import itemgetter
from typing import IO, TYPE_CHECKING

from runreel.audit.signing import PublicKey
from runreel.integrity import checkpoint_format as rules
from runreel.integrity.checkpoint_format import CheckpointParser, HeadEntry
from runreel.model.errors import BadCheckpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


class Checkpoint:
    """A parsed checkpoint file; call ``is_by`` to check its signature.

    Raises:
        BadCheckpoint: if the file is not a checkpoint.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as lines:
            parser = CheckpointParser(lines)
            for _ in parser.heads():
                pass
        self.header = parser.header
        self.runs = parser.runs
        self.sha256 = lines.whole.hexdigest()
        self._signed = lines.signed.digest()
        self._signature = parser.signature

    def is_by(self, key: PublicKey) -> bool:
        """True if the header names the key and the signature is valid for it."""
        names_key = self.header.key_id == key.id
        return names_key and key.verify(self._signature, rules.SIGNED + self._signed)

    def heads(self) -> Iterator[HeadEntry]:
        """Read the heads of all listed runs from the file again, ordered by the bytes of their ids.

        Raises:
            BadCheckpoint: at the end of the file, if it has changed since it was parsed.
        """
        with _opened(self.path) as lines:
            yield from CheckpointParser(lines).heads()
        if lines.whole.hexdigest() != self.sha256:
            raise BadCheckpoint(f"{self.path} changed while it was being read")


class CheckpointWriter:
    """Writes the lines of a checkpoint file.

    ``signed`` is the hash that the key signs, ``whole`` the hash of the file.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.signed = sha512()
        self.whole = sha256()
        self._file = file

    def write(self, text: str) -> None:
        """Write lines that the signature covers."""
        line = text.encode("ascii")
        self.signed.update(line)
        self._write(line)

    def sign(self, signature: bytes) -> None:
        """Write the signature, which is the last line."""
        self._write(rules.signature_text(signature).encode("ascii"))

    def _write(self, line: bytes) -> None:
        self.whole.update(line)
        self._file.write(line)


def verify_chain(paths: Iterable[Path], key: PublicKey) -> list[Checkpoint]:
    """Return the checkpoints in order, after checking that they form one signed chain.

    The first is signed by ``key``; a checkpoint may name the key that signs the ones after it.
    A directory means all checkpoints in it.

    Raises:
        BadCheckpoint: if a signature is invalid, or the checkpoints do not form one chain.
    """
    by_hash = {item.sha256: item for path in paths for item in map(Checkpoint, _files_at(path))}
    ordered = sorted(by_hash.values(), key=lambda item: item.header.number)
    signer, before = key, None
    for checkpoint in ordered:
        if not checkpoint.is_by(signer):
            raise BadCheckpoint(
                f"{checkpoint.path} is not signed by the key {signer.id}",
                hint="It proves nothing. Is this the key of the first checkpoint given?",
            )
        if before is not None:
            _check_same_chain(before, checkpoint)
        if checkpoint.header.next_key is not None:
            signer = PublicKey(bytes.fromhex(checkpoint.header.next_key))
        before = checkpoint
    return ordered


def newest(folder: Path, database_id: str) -> Checkpoint | None:
    """Return the checkpoint of a database with the highest number in a directory.

    Raises:
        BadCheckpoint: if that one is damaged.
    """
    found = _checkpoints_in(folder)
    numbered = [(number, path) for path, owner, number in found if owner == database_id]
    return Checkpoint(max(numbered, key=itemgetter(0))[1]) if numbered else None


def chain_to_full(previous: Checkpoint, key: PublicKey) -> list[Checkpoint]:
    """Return ``previous`` and its predecessors back to the last full one, newest first.

    They are read from its directory. The list is empty if one is missing or not signed by ``key``.
    """
    chain = [previous]
    while chain[-1].is_by(key):
        if chain[-1].header.full:
            return chain
        before = _predecessor(chain[-1])
        if before is None:
            return []
        chain.append(before)
    return []


def latest_heads(lineage: Sequence[Checkpoint]) -> Iterator[HeadEntry]:
    """Yield the latest known head of each run; ``lineage`` starts with the newest checkpoint."""
    tagged = (_tagged(found.heads(), age) for age, found in enumerate(lineage))
    for _, same in groupby(heapq.merge(*tagged), key=itemgetter(0)):
        yield next(same)[2]


def joined_heads(
    old: Iterable[HeadEntry], new: Iterable[HeadEntry]
) -> Iterator[tuple[HeadEntry | None, HeadEntry | None]]:
    """Yield the old and the new head of each run; None where there is none."""
    for _, same in groupby(heapq.merge(_tagged(old, 0), _tagged(new, 1)), key=itemgetter(0)):
        found = {side: head for _, side, head in same}
        yield found.get(0), found.get(1)


def _tagged(heads: Iterable[HeadEntry], tag: int) -> Iterator[tuple[bytes, int, HeadEntry]]:
    return ((head.sort_key, tag, head) for head in heads)


def _predecessor(checkpoint: Checkpoint) -> Checkpoint | None:
    header = checkpoint.header
    for path, database_id, number in _checkpoints_in(checkpoint.path.parent):
        if (database_id, number) == (header.database_id, header.number - 1):
            try:
                found = Checkpoint(path)
            except BadCheckpoint:
                continue
            if found.sha256 == header.previous:
                return found
    return None


def _check_same_chain(before: Checkpoint, after: Checkpoint) -> None:
    old, new = before.header, after.header
    if old.database_id != new.database_id:
        raise BadCheckpoint(f"{before.path} and {after.path} belong to different databases")
    if old.number == new.number:
        raise BadCheckpoint(
            f"{before.path} and {after.path} differ but both have the number {new.number}",
            hint="Two histories were signed with this key. Neither is proof without the other.",
        )
    if old.number + 1 == new.number and new.previous != before.sha256:
        raise BadCheckpoint(f"{after.path} does not follow {before.path}")


def _files_at(path: Path) -> list[Path]:
    with _errors(path):
        if not path.is_dir():
            return [path]
    files = [file for file, _, _ in _checkpoints_in(path)]
    if not files:
        raise BadCheckpoint(f"no checkpoint found in {path}")
    return files


def _checkpoints_in(folder: Path) -> Iterator[tuple[Path, str, int]]:
    """Yield each file that starts like a checkpoint, with its database and its number."""
    with _errors(folder):
        files = sorted(path for path in folder.iterdir() if path.is_file())
    for path in files:
        # A hidden file is still being written.
        if path.name.startswith("."):
            continue
        with _opened(path) as lines:
            try:
                header = CheckpointParser(lines).header
            except BadCheckpoint:
                continue
        yield path, header.database_id, header.number


class _HashedLines:
    """The lines of a file, hashed while they are read.

    ``whole`` covers all lines; ``signed`` all but the last one, which is the signature.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.whole = sha256()
        self.signed = sha512()
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        before = b""
        while line := self._file.readline(rules.MAX_LINE):
            self.signed.update(before)
            self.whole.update(line)
            before = line
            yield line


@contextmanager
def _opened(path: Path) -> Iterator[_HashedLines]:
    try:
        with _errors(path), path.open("rb") as file:
            yield _HashedLines(file)
    except BadCheckpoint as error:
        if str(path) in str(error):
            raise
        raise BadCheckpoint(f"{path}: {error}", hint=error.hint) from None


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadCheckpoint(f"cannot read {path}: {error.strerror}") from error
