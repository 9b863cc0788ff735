"""Escape text of models, callers and drivers before a terminal sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Spaces of other scripts: the only harmless characters that Python calls unprintable.
_BLANKS = frozenset(map(chr, (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))
_KEPT = _BLANKS | {"\n", "\t"}


def escape(text: str) -> str:
    r"""Escape every character that could control a terminal or is invisible.

    These are controls other than ``\n`` and ``\t``, format characters (bidi, zero width),
    surrogates, private and unassigned characters, line and paragraph separators. Joiners of
    letters and emoji are kept where Unicode gives them a meaning.
    """
    if text.isprintable() or text.replace("\n", "").isprintable():
        return text
    from runreel.cli.render import joiners

    kept = joiners.meaningful_positions(text)
    return "".join(char if index in kept else _escaped(char) for index, char in enumerate(text))


def escape_part(text: str, start: int, stop: int) -> str:
    """Escape the characters from ``start`` to ``stop`` as ``escape`` does in the whole text."""
    from runreel.cli.render import joiners

    first = max(0, start - joiners.NEAR)
    window = text[first : stop + joiners.NEAR]
    kept = joiners.meaningful_positions(window)
    return "".join(
        char if index in kept else _escaped(char)
        for index, char in enumerate(window)
        if start <= first + index < stop
    )


def escape_line(text: str) -> str:
    r"""Escape ``text`` for one line: ``\n`` and ``\t`` too."""
    return escape(text).replace("\n", "\\n").replace("\t", "\\t")


def escape_json(text: str) -> str:
    r"""Escape JSON text with ``\uXXXX``, so that it stays equal as JSON.

    Outside of strings, JSON contains no such characters but line ends, which are kept.
    """
    if text.replace("\n", "").isprintable():
        return text
    return "".join(char if _is_safe(char) else _json_escape(char) for char in text)


def visible_chars(text: str) -> Iterator[str]:
    """The visible characters: no white space, and none that ``escape`` would escape."""
    return (char for char in text if not char.isspace() and _is_safe(char))


def _is_safe(char: str) -> bool:
    return char.isprintable() or char in _KEPT


def _escaped(char: str) -> str:
    return char if _is_safe(char) else char.encode("unicode_escape").decode("ascii")


def _json_escape(char: str) -> str:
    code = ord(char)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
