"""Which characters are harmless to show, and JSON without the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Spaces of other scripts: the only harmless characters that Python calls unprintable.
_BLANKS = frozenset(map(chr, (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))
_KEPT = _BLANKS | {"\n", "\t"}


def is_safe(char: str) -> bool:
    """Return whether a character neither controls a terminal nor is invisible."""
    return char.isprintable() or char in _KEPT


def visible_chars(text: str) -> Iterator[str]:
    """Yield the visible characters: no white space, and only safe ones."""
    return (char for char in text if not char.isspace() and is_safe(char))


def escape_json(text: str) -> str:
    r"""Escape JSON text with ``\uXXXX``, so that it stays equal as JSON.

    Outside of strings, JSON contains no such characters but line ends, which are kept.
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(char if is_safe(char) else _json_escape(char) for char in text)


def _json_escape(char: str) -> str:
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
