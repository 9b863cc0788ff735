"""Verifies recording files by themselves, without a log."""

from __future__ import annotations

import contextlib
from typing import IO, TYPE_CHECKING, NamedTuple, Protocol

from runreel.importing import compression
from runreel.importing.recording_check import Checked, check
from runreel.integrity import recording_format
from runreel.model.errors import BadInput, BadRecording, UsageError
from runreel.model.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runreel.integrity.recording_format import Trailer

    Progress = Callable[[int, int], None]


class Verifier(Protocol):
    """A key that verifies signatures; ``id`` is the short ID that is shown to users."""

    @property
    def id(self) -> str:
        """The ID of the key."""

    def verify(self, signature: bytes, message: bytes, /) -> bool:
        """True if the key signed exactly this message."""


class VerifiedFile(NamedTuple):
    """A verified file: its findings, the numbers of its runs and rows, and what it says of itself.

    ``key_id`` is the ID of the key that it names, ``masked`` that its rows are masked copies.
    """

    path: Path
    findings: tuple[Finding, ...]
    runs: int = 0
    rows: int = 0
    key_id: str | None = None
    masked: bool = False


def verify_file(
    path: Path, key: Verifier | None = None, *, progress: Progress | None = None
) -> VerifiedFile:
    """Verify a recording file, and its signature if there is a ``key``.

    ``progress`` receives the bytes read and the total.

    Raises:
        UsageError: if the file cannot be read.
    """
    try:
        checked = _checked(path, progress)
    except BadRecording as error:
        return VerifiedFile(path, (Finding(None, None, "file", str(error)),))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    trailer = checked.trailer
    problem = None if key is None else _signature_problem(trailer, key)
    findings = () if problem is None else (Finding(None, None, "signature", f"{path} {problem}"),)
    return VerifiedFile(
        path,
        findings,
        trailer.runs,
        trailer.rows,
        trailer.key_id,
        bool(checked.manifest.masked),
    )


def _checked(path: Path, progress: Progress | None) -> Checked:
    with path.open("rb") as file, _content(file, str(path)) as content:
        size = path.stat().st_size

        def step(_: int) -> None:
            if progress is not None:
                progress(min(file.tell(), size), size)

        return check(content, str(path), progress=step)


@contextlib.contextmanager
def _content(file: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    format_ = compression.format_of(file.read(compression.LONGEST_MAGIC))
    file.seek(0)
    if format_ is None:
        yield file
        return
    try:
        with compression.decompressed(file, format_) as content:
            yield content
    except BadInput as error:
        raise BadRecording(f"{name}: {error}", line=1) from None


def _signature_problem(trailer: Trailer, key: Verifier) -> str | None:
    if trailer.signature is None or trailer.key_id is None:
        return "is not signed"
    if trailer.key_id != key.id:
        return f"names the key {trailer.key_id}, not {key.id}"
    try:
        signature = bytes.fromhex(trailer.signature)
    except ValueError:
        signature = b""
    if not key.verify(signature, recording_format.signed_bytes(trailer)):
        return f"is not signed by the key {key.id} that it names"
    return None
