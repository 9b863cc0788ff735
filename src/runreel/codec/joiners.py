r"""Find the zero-width joiners of a text that have a meaning by the rules of Unicode.

ZERO WIDTH JOINER (U+200D) combines emoji (UAX #29, GB11) and shapes conjuncts after a virama.
ZERO WIDTH NON-JOINER (U+200C) separates letters that would join, in the Arabic scripts and after a
virama (UAX #31, 3.1.1.1). Elsewhere they are invisible and could hide in a text.
"""

from __future__ import annotations

import re
from functools import cache
from unicodedata import category, combining, decomposition

ZWNJ, ZWJ = "\u200c", "\u200d"
JOINERS = ZWNJ + ZWJ

_VIRAMA = 9
# Extended_Pictographic of Unicode's emoji data.
_EMOJI = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u231a\u231b\u2328\u2388\u23cf"
    "\u23e9-\u23f3\u23f8-\u23fa\u24c2\u25aa\u25ab\u25b6\u25c0\u25fb-\u25fe\u2600-\u2605\u2607-\u2612"
    "\u2614-\u2685\u2690-\u2705\u2708-\u2712\u2714\u2716\u271d\u2721\u2728\u2733\u2734\u2744\u2747"
    "\u274c\u274e\u2753-\u2755\u2757\u2763-\u2767\u2795-\u2797\u27a1\u27b0\u27bf\u2934\u2935"
    "\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001f0ff"
    "\U0001f10d-\U0001f10f\U0001f12f\U0001f16c-\U0001f171\U0001f17e\U0001f17f\U0001f18e"
    "\U0001f191-\U0001f19a\U0001f1ad-\U0001f1e5\U0001f201-\U0001f20f\U0001f21a\U0001f22f"
    "\U0001f232-\U0001f23a\U0001f23c-\U0001f23f\U0001f249-\U0001f3fa\U0001f400-\U0001f53d"
    "\U0001f546-\U0001f64f\U0001f680-\U0001f6ff\U0001f774-\U0001f77f\U0001f7d5-\U0001f7ff"
    "\U0001f80c-\U0001f80f\U0001f848-\U0001f84f\U0001f85a-\U0001f85f\U0001f888-\U0001f88f"
    "\U0001f8ae-\U0001f8ff\U0001f90c-\U0001f93a\U0001f93c-\U0001f945\U0001f947-\U0001faff]"
)
# An emoji may be followed by a variation selector and a skin tone.
_BEFORE = re.compile(_EMOJI + "[\ufe0f\U0001f3fb-\U0001f3ff]*$")
_AFTER = re.compile(_EMOJI)
# Number of characters on either side that decide.
NEAR = 8

# Arabic, Syriac, Arabic Supplement, N'Ko and later blocks of joining scripts.
_JOINING = ((0x0620, 0x077F), (0x07CA, 0x07EA), (0x0840, 0x08C9))
_FORMS = (*range(0xFB50, 0xFE00), *range(0xFE70, 0xFF00))


def meaningful_positions(text: str) -> frozenset[int]:
    """The indexes of the joiners in ``text`` that have a meaning."""
    if ZWNJ not in text and ZWJ not in text:
        return frozenset()
    return frozenset(
        index for index, char in enumerate(text) if char in JOINERS and _has_meaning(text, index)
    )


def stable_length(text: str) -> int:
    """The number of characters of an unfinished text that later text cannot change."""
    if text[-2:-1] in JOINERS and _is_virama(text[-1:]):
        text = text[:-1]
    return len(text.rstrip(JOINERS))


def _has_meaning(text: str, index: int) -> bool:
    after = text[index + 1 : index + 2]
    if not after.isprintable():
        return False
    before = text[max(0, index - NEAR) : index]
    emoji = _BEFORE.search(before)
    if text[index] == ZWJ and emoji is not None:
        # A code point that Unicode has not assigned yet is escaped.
        return emoji[0][0].isprintable() and _AFTER.match(after) is not None
    end = len(before)
    while end and category(before[end - 1]) in ("Mn", "Mc"):
        end -= 1
    base, marks = before[end - 1 : end], before[end:]
    if not _is_letter(base):
        return False
    if any(map(_is_virama, marks)):
        return _is_of_script(after, base)
    if text[index] == ZWNJ:
        return base in _dual_joining() and _is_joining(after)
    # Bengali ra keeps its form in: letter, joiner, virama, letter.
    return _is_virama(after) and _is_of_script(text[index + 2 : index + 3], base)


def _is_virama(char: str) -> bool:
    return bool(char) and combining(char) == _VIRAMA


def _is_letter(char: str) -> bool:
    return bool(char) and category(char) == "Lo"


def _is_of_script(char: str, base: str) -> bool:
    """True if both are letters of one script: each Indic script has a block of 128 code points."""
    return _is_letter(char) and ord(char) >> 7 == ord(base) >> 7


def _is_joining(char: str) -> bool:
    return _is_letter(char) and any(first <= ord(char) <= last for first, last in _JOINING)


@cache
def _dual_joining() -> frozenset[str]:
    """The Arabic letters that join to the next one: those with an initial form."""
    found = set()
    for code in _FORMS:
        form, _, letters = decomposition(chr(code)).partition(" ")
        if form == "<initial>" and " " not in letters:
            found.add(chr(int(letters, 16)))
    return frozenset(found)
