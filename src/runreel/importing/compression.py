"""Decompresses files; the format is detected by the first bytes."""

from __future__ import annotations

import zlib
from contextlib import contextmanager
from importlib import import_module
from typing import IO, TYPE_CHECKING, Any, cast

from runreel.model.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Iterator

# First bytes, name, and modules that read the format, in order of preference.
_FORMATS = (
    (b"\x1f\x8b", "gzip", ("gzip",)),
    (b"\x28\xb5\x2f\xfd", "zstd", ("compression.zstd", "backports.zstd")),
    (b"BZh", "bzip2", ("bz2",)),
    (b"\xfd7zXZ\x00", "xz", ("lzma",)),
)
LONGEST_MAGIC = 6


def format_of(head: bytes) -> str | None:
    """Return the compression format of a file with these first bytes, None if uncompressed."""
    return next((name for magic, name, _ in _FORMATS if head.startswith(magic)), None)


@contextmanager
def decompressed(file: IO[bytes], name: str) -> Iterator[IO[bytes]]:
    """Open the decompressed content of a file in the format ``name``.

    Raises:
        BadInput: if no module for the format is installed, or the data is damaged or truncated.
    """
    modules = next(modules for _, known, modules in _FORMATS if known == name)
    module = _imported(name, modules)
    try:
        with module.open(file, "rb") as content:
            yield cast("IO[bytes]", content)
    except Exception as error:
        if not _is_of_the_data(error, module):
            raise
        raise BadInput(f"the {name} data is damaged or ends too early: {error}") from None


def _imported(name: str, modules: tuple[str, ...]) -> Any:
    for module in modules:
        try:
            return import_module(module)
        except ImportError:
            continue
    raise BadInput(
        f"the file is compressed with {name}; to read it, install {modules[-1]}"
        f" (the extra `{name}`) or decompress it first"
    )


def _is_of_the_data(error: Exception, module: Any) -> bool:
    """True if the decoder raised the error, not the operating system."""
    if isinstance(error, OSError):
        # Errors of the operating system have an errno; those of gzip and bz2 have none.
        return error.errno is None
    own = [getattr(module, name, EOFError) for name in ("LZMAError", "ZstdError")]
    return isinstance(error, (EOFError, zlib.error, *own))
