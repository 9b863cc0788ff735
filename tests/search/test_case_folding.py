"""Case is folded in every script, and offsets are those of the text as it is."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.codec import case_folding
from tests.search.oracle import occurrences

ODD = st.text(st.sampled_from("aAsSßẞİiIı\u0307ﬁfFΣσςéE\u0301Ппŉʼnǰ\u030cj😀ΐ"), max_size=12)


@given(ODD | st.text(max_size=20), ODD.filter(bool) | st.text(min_size=1, max_size=3))
def test_occurrences_are_those_whose_folded_characters_are_the_same(text: str, wanted: str) -> None:
    assert list(case_folding.spans(text, wanted)) == list(occurrences(text, wanted))


@given(ODD, st.integers(0, 12), st.integers(1, 12))
def test_each_part_of_a_text_is_found_in_it(text: str, start: int, length: int) -> None:
    part = text[start : start + length]
    if not part:
        return
    assert part.casefold() in case_folding.fold(text)
    upper = part.upper()
    wanted = upper if upper.casefold() == part.casefold() else part
    spans = list(case_folding.spans(text, wanted))
    assert spans
    assert all(text[a:b].casefold() == part.casefold() for a, b in spans)


def test_every_character_that_folds_to_several_is_known() -> None:
    known = case_folding._expanding()
    for code in range(sys.maxunicode + 1):
        if len(chr(code).casefold()) > 1:
            assert known.match(chr(code)), hex(code)


@pytest.mark.parametrize(
    ("text", "wanted", "spans"),
    [
        ("Straße", "STRASSE", [(0, 6)]),
        ("Straße", "stras", []),
        ("x ß y", "Y", [(4, 5)]),
        ("İstanbul", "i̇STANBUL", [(0, 8)]),
        ("ПОГОДА погода", "погода", [(0, 6), (7, 13)]),
        ("aaaa", "aa", [(0, 2), (2, 4)]),
        ("ὈΔΥΣΣΕΎΣ", "ὀδυσσεύς", [(0, 8)]),
        ("", "a", []),
    ],
)
def test_examples(text: str, wanted: str, spans: list[tuple[int, int]]) -> None:
    assert list(case_folding.spans(text, wanted)) == spans
