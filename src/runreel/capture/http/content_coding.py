"""Decodes the copy of a compressed body that is recorded."""

from __future__ import annotations

import importlib
import sys
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Decode = Callable[[bytes], bytes]

# The first module that is installed decodes; the name of the first one is in messages.
_BROTLI = ("brotli", "brotlicffi")
_ZSTD = ("compression.zstd",) if sys.version_info >= (3, 14) else ("backports.zstd",)

# Bytes after which zlib has checked its header.
_ZLIB_HEADER = 2


class UndecodableBody(Exception):
    """The coding of a body is unknown or not installed, or its bytes are damaged."""


class BodyDecoder:
    """Decodes the chunks of one body by its header ``Content-Encoding``.

    Raises:
        UndecodableBody: if a coding in the header cannot be decoded here.
    """

    def __init__(self, content_encoding: str) -> None:
        names = [name.strip().lower() for name in content_encoding.split(",")]
        applied = [name for name in names if name not in ("", "identity")]
        self._codings = [_decoder(name) for name in reversed(applied)]

    def decode(self, chunk: bytes) -> bytes:
        """Return the bytes that ``chunk`` completes.

        Raises:
            UndecodableBody: if the bytes are damaged.
        """
        try:
            for decode in self._codings:
                chunk = decode(chunk)
        except Exception as error:
            raise UndecodableBody(f"the compressed stream is damaged: {error}") from error
        return chunk


def _decoder(name: str) -> Decode:
    if name not in _DECODERS:
        raise UndecodableBody(f"the stream has the content encoding {name!r}, which is not known")
    return _DECODERS[name]()


def _gzip() -> Decode:
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress


def _deflate() -> Decode:
    """The decoder of deflate, which some servers send without the header of zlib."""
    inflater, header = zlib.decompressobj(), b""

    def decode(chunk: bytes) -> bytes:
        nonlocal inflater, header
        begun = len(header) >= _ZLIB_HEADER
        if not begun:
            header += chunk
        try:
            return inflater.decompress(chunk)
        except zlib.error:
            if begun:
                raise
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        return inflater.decompress(header)

    return decode


def _brotli() -> Decode:
    decompressor = _installed("br", _BROTLI).Decompressor()
    decode: Decode = getattr(decompressor, "process", None) or decompressor.decompress
    return decode


def _zstd() -> Decode:
    new = _installed("zstd", _ZSTD).ZstdDecompressor
    frame = new()

    def decode(chunk: bytes) -> bytes:
        nonlocal frame
        decoded = []
        while chunk:
            # A stream may consist of several frames.
            frame = new() if frame.eof else frame
            decoded.append(frame.decompress(chunk))
            chunk = frame.unused_data if frame.eof else b""
        return b"".join(decoded)

    return decode


def _installed(coding: str, modules: tuple[str, ...]) -> Any:
    for name in modules:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise UndecodableBody(
        f"the stream has the content encoding {coding!r}, and {modules[0]} is not installed"
    )


_DECODERS: dict[str, Callable[[], Decode]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstd,
}
