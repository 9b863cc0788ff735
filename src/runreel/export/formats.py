"""The formats of exported files, by their names and the endings of file names.

A format is one module of this package with a function ``write(job)``, and one line in ``FORMATS``.
The module is imported when the format is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runreel.integrity import recording_format
from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from runreel.store.connection import Connection
    from runreel.store.database import Database
    from runreel.store.worker_pool import WorkerPool


class Signer(Protocol):
    """A key that signs a file; ``id`` is the short ID that is shown to users."""

    @property
    def id(self) -> str:
        """The ID of the public key."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature of these bytes."""


class Format(NamedTuple):
    """A format: its name, the endings of its files, and its module in this package.

    ``takes`` are the options of ``ExportOptions`` that it accepts. With ``is_folder`` it makes a
    folder of files, and with ``in_parts`` it can use workers.
    """

    name: str
    endings: tuple[str, ...]
    module: str
    takes: frozenset[str] = frozenset()
    is_folder: bool = False
    in_parts: bool = False


FORMATS = (
    Format(
        *("reel", recording_format.ENDINGS, "recording_file", frozenset(("mask", "key"))),
        in_parts=True,
    ),
    Format("parquet", (".parquet",), "parquet", frozenset(("partition",)), is_folder=True),
    Format("csv", (".csv",), "csv", frozenset(("table",)), in_parts=True),
    Format("otlp", (".otlp.json",), "otlp"),
    Format("asciicast", (".cast",), "asciicast"),
    Format("markdown", (".md",), "markdown"),
    Format("html", (".html",), "html"),
)


class ExportOptions(NamedTuple):
    """What a caller may ask of a format.

    ``mask`` are rules that mask text, ``key`` signs the file, ``partition`` is ``day``, and
    ``table`` is ``runs`` or ``events``.
    """

    mask: tuple[str, ...] = ()
    key: Signer | None = None
    partition: str | None = None
    table: str | None = None


@dataclass(slots=True)
class Written:
    """What a format has written: numbers of runs and rows; ``notices`` are for the user."""

    runs: int = 0
    rows: int = 0
    notices: list[str] = field(default_factory=list)


class ExportJob(NamedTuple):
    """What to write, and where.

    ``run_ids`` are in the order of their bytes; None means every run, also pruned ones.
    ``connection`` is in one snapshot until the end of the job. ``target`` is the file or folder to
    write; it exists, is empty and gets its final name, ``path``, when ``write`` has returned.
    ``version`` is that of runreel. Call ``advance`` with the number of rows written since its last
    call. ``pool`` has workers in the same snapshot, or is None.
    """

    database: Database
    connection: Connection
    run_ids: Sequence[str] | None
    target: Path
    path: Path
    options: ExportOptions
    version: str
    advance: Callable[[int], None]
    pool: WorkerPool | None = None


def write(format_: Format, job: ExportJob) -> Written:
    """Write a job in this format.

    Raises:
        MissingExtra: if a package that the format needs is not installed.
        LogError: if the log cannot be read, or is damaged.
    """
    written: Written = import_module(module_name(format_)).write(job)
    return written


def module_name(format_: Format) -> str:
    """Return the full name of a format's module."""
    return f"{__package__}.{format_.module}"


def format_of(path: Path, name: str | None = None) -> Format:
    """Return the format with this name, or else the one of the file's ending.

    Raises:
        UsageError: if there is none.
    """
    if name is not None:
        for known in FORMATS:
            if known.name == name:
                return known
        raise UsageError(f"unknown format {name!r}", hint=f"Choose from {', '.join(names())}.")
    lower = path.name.lower()
    found = [(len(end), known) for known in FORMATS for end in known.endings if lower.endswith(end)]
    if not found:
        raise UsageError(
            f"the name {path.name!r} does not say which format to write",
            hint=f"Use one of the endings {', '.join(_endings())}, or name a format:"
            f" {', '.join(names())}.",
        )
    return max(found, key=lambda pair: pair[0])[1]


def names() -> tuple[str, ...]:
    """Return the names of all formats."""
    return tuple(known.name for known in FORMATS)


def _endings() -> Iterable[str]:
    return (end for known in FORMATS for end in known.endings)


def check_options(format_: Format, options: ExportOptions) -> None:
    """Check that a format accepts the given options.

    Raises:
        UsageError: if it does not.
    """
    for name, value in options._asdict().items():
        if value and name not in format_.takes:
            raise UsageError(f"the format {format_.name} has no option {name}")
