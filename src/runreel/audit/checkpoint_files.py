"""Checkpoints as files: read, found beside each other, and trusted for who signed them."""

from __future__ import annotations

from contextlib import contextmanager
from hashlib import sha256, sha512
from typing import IO, TYPE_CHECKING

from runreel.audit.signing import PublicKey
from runreel.integrity import checkpoint_format as rules
from runreel.integrity.checkpoint_format import CheckpointParser, HeadEntry
from runreel.model.errors import BadCheckpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class Checkpoint:
    """A file that has the form of a checkpoint; who signed it is still to be asked.

    Raises:
        BadCheckpoint: if it has not.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as lines:
            reading = CheckpointParser(lines)
            for _ in reading.heads():
                pass
        self.header = reading.header
        self.runs = reading.runs
        self.sha256 = lines.whole.hexdigest()
        self._signed = lines.signed.digest()
        self._signature = reading.signature

    def is_by(self, key: PublicKey) -> bool:
        """Whether the key signed it, and it says so."""
        said = self.header.key_id == key.id
        return said and key.verify(self._signature, rules.SIGNED + self._signed)

    def heads(self) -> Iterator[HeadEntry]:
        """The runs and where they ended, in the order of their ids' bytes, from the file again.

        Raises:
            BadCheckpoint: in the end, if it is not the same file any more.
        """
        with _opened(self.path) as lines:
            yield from CheckpointParser(lines).heads()
        if lines.whole.hexdigest() != self.sha256:
            raise BadCheckpoint(f"{self.path} was changed while it was read")


class CheckpointWriter:
    """Writes the lines of a checkpoint: ``signed`` is what its key signs, ``whole`` its name."""

    def __init__(self, file: IO[bytes]) -> None:
        self.signed = sha512()
        self.whole = sha256()
        self._file = file

    def write(self, text: str) -> None:
        """Write lines that are signed."""
        line = text.encode("ascii")
        self.signed.update(line)
        self._write(line)

    def sign(self, signature: bytes) -> None:
        """Write the last line."""
        self._write(rules.signature_text(signature).encode("ascii"))

    def _write(self, line: bytes) -> None:
        self.whole.update(line)
        self._file.write(line)


def verify_chain(paths: Iterable[Path], key: PublicKey) -> list[Checkpoint]:
    """The checkpoints in their order, each by the key in force: ``key``, or who follows on it.

    A directory stands for the checkpoints in it.

    Raises:
        BadCheckpoint: if one is not, or if they do not belong together.
    """
    given = {found.sha256: found for path in paths for found in map(Checkpoint, _inside(path))}
    ordered = sorted(given.values(), key=lambda found: found.header.number)
    force, before = key, None
    for found in ordered:
        if not found.is_by(force):
            raise BadCheckpoint(
                f"{found.path} is not signed by the key {force.id}",
                hint="It proves nothing, unless that is not the key of the first checkpoint given.",
            )
        if before is not None:
            _check_same_chain(before, found)
        if found.header.next_key is not None:
            force = PublicKey(bytes.fromhex(found.header.next_key))
        before = found
    return ordered


def newest(folder: Path, database_id: str) -> Checkpoint | None:
    """The newest checkpoint of a database in a directory, by its number.

    Raises:
        BadCheckpoint: if that is damaged.
    """
    told = [(path, number) for path, name, number in _checkpoints_in(folder) if name == database_id]
    return Checkpoint(max(told, key=lambda item: item[1])[0]) if told else None


def chain_to_full(previous: Checkpoint, key: PublicKey) -> list[Checkpoint]:
    """``previous`` and those before it, back to the last full one; none if one is missing.

    They are looked for in its directory, and are by ``key`` all of them.
    """
    found = [previous]
    while found[-1].is_by(key):
        if found[-1].header.full:
            return found
        before = _before(found[-1])
        if before is None:
            return []
        found.append(before)
    return []


def _before(checkpoint: Checkpoint) -> Checkpoint | None:
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


def _check_same_chain(before: Checkpoint, found: Checkpoint) -> None:
    old, new = before.header, found.header
    if old.database_id != new.database_id:
        raise BadCheckpoint(f"{before.path} and {found.path} are of two databases")
    if old.number == new.number:
        raise BadCheckpoint(
            f"{before.path} and {found.path} are both number {new.number}, and not the same",
            hint="Somebody has signed two histories. Neither proves anything without the other.",
        )
    if old.number + 1 == new.number and new.previous != before.sha256:
        raise BadCheckpoint(f"{found.path} does not follow on {before.path}")


def _inside(path: Path) -> list[Path]:
    with _errors(path):
        if not path.is_dir():
            return [path]
    found = [inner for inner, _, _ in _checkpoints_in(path)]
    if not found:
        raise BadCheckpoint(f"there is no checkpoint in {path}")
    return found


def _checkpoints_in(folder: Path) -> Iterator[tuple[Path, str, int]]:
    """Every file of a directory that begins as a checkpoint, its database and its number."""
    with _errors(folder):
        files = sorted(path for path in folder.iterdir() if path.is_file())
    for path in files:
        # What is being written has no name yet.
        if path.name.startswith("."):
            continue
        with _opened(path) as lines:
            try:
                header = CheckpointParser(lines).header
            except BadCheckpoint:
                continue
        yield path, header.database_id, header.number


class _HashedLines:
    """The lines of a file, hashed as they are read: all of them, and all but the last."""

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
