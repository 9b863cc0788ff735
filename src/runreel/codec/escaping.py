"""Escape text of models, callers and drivers before a terminal or a reader sees it."""

from __future__ import annotations

from runreel.codec.visible_text import is_safe


def escape(text: str) -> str:
    r"""Escape every character that could control a terminal or is invisible.

    These are controls other than ``\n`` and ``\t``, format characters (bidi, zero width),
    surrogates, private and unassigned characters, line and paragraph separators. Joiners of
    letters and emoji are kept where Unicode gives them a meaning.
    """
    if text.isprintable() or text.replace("\n", "").isprintable():
        return text
    from runreel.codec import joiners

    kept = joiners.meaningful_positions(text)
    return "".join(char if index in kept else _escaped(char) for index, char in enumerate(text))


def escape_part(text: str, start: int, stop: int) -> str:
    """Escape the characters from ``start`` to ``stop`` as ``escape`` does in the whole text."""
    from runreel.codec import joiners

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


def _escaped(char: str) -> str:
    return char if is_safe(char) else char.encode("unicode_escape").decode("ascii")
