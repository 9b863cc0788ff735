"""The texts of runs as they are stored in a SQLite file: compressed, each by itself."""

from __future__ import annotations

import zlib

from runreel.model.errors import BadValue

# Of zlib: higher ones take three times as long, and save 6 % of a text of 20 KiB.
_LEVEL = 3
# Bytes from which zlib's usual window and tables are worth clearing.
_LONG = 8_192


def packed(text: str) -> object:
    """Return a text as it is stored."""
    data = text.encode()
    window, memory = (12, 4) if len(data) < _LONG else (15, 8)
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, window, memory)
    return compressor.compress(data) + compressor.flush()


def unpacked(stored: object) -> str:
    """Return a stored text.

    Raises:
        BadValue: if it is damaged.
    """
    try:
        return zlib.decompress(stored).decode()  # type: ignore[arg-type]
    except (zlib.error, TypeError, UnicodeDecodeError) as error:
        raise BadValue(f"a text for searches is damaged: {error}") from None


def checksum(text: str) -> int:
    """Return a number by which a text is recognized."""
    return zlib.crc32(text.encode())
