r"""Joiners are printed where Unicode gives them a meaning, and escaped everywhere else."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

import runreel
from runreel.codec import joiners
from runreel.codec.escaping import escape, escape_line, escape_part
from tests.cli.calls import on_terminal
from tests.cli.stories import partial

if TYPE_CHECKING:
    from tests.cli.calls import Caller

ZWJ, ZWNJ = "\u200d", "\u200c"
MEANINGFUL = {
    "family": "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "skin tone": "\U0001f469\U0001f3fd\u200d\U0001f680",
    "variation selector": "\u2764\ufe0f\u200d\U0001f525",
    "sign": "\U0001f3c3\u200d\u2640\ufe0f\u200d\u27a1\ufe0f",
    "Persian": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "Persian plural": "\u06a9\u062a\u0627\u0628\u200c\u0647\u0627",
    "Arabic with a mark": "\u0628\u0651\u200c\u0647",
    "Devanagari conjunct": "\u0915\u094d\u200d\u0937",
    "Devanagari virama": "\u0915\u094d\u200c\u0937",
    "Bengali ra": "\u09b0\u200d\u09cd\u09af",
    "Sinhala": "\u0d9a\u0dca\u200d\u0dbb",
}
MEANINGLESS = {
    "Latin": "a\u200db",
    "Latin with a mark": "e\u0301\u200cb",
    "digits": "1\u200c2",
    "alone": "\u200d",
    "beginning": "\u200d\U0001f525",
    "end": "\U0001f469\u200d",
    "two": "\U0001f469\u200d\u200d\U0001f467",
    "mixed": "\U0001f469\u200d\u200c\U0001f467",
    "non-joiner of emoji": "\U0001f469\u200c\U0001f467",
    "emoji and letter": "\U0001f469\u200da",
    "letter and emoji": "a\u200d\U0001f469",
    "Cyrillic": "\u0430\u200d\u0431",
    "right-joining letter": "\u062f\u200c\u0647",
    "Arabic and Latin": "\u06cc\u200ca",
    "Arabic joiner before a blank": "\u0647\u200d ",
    "virama and Latin": "\u0915\u094d\u200da",
    "virama and another script": "\u0915\u094d\u200d\u0995",
    "virama alone": "\u094d\u200d\u0937",
    "letters of India without virama": "\u0915\u200d\u0937",
    "skin tone alone": "\U0001f3fd\ufe0f\u200da",
    "box drawings": "\u2550\u200d\u2550",
    "private use": "\ue000\u200d\U0001f469",
    "unassigned": "\U0001f469\u200d\U0001faff",
    "surrogate": "\U0001f469\u200d\ud83d",
}


@pytest.mark.parametrize("text", MEANINGFUL.values(), ids=MEANINGFUL)
def test_a_joiner_with_a_meaning_is_printed(text: str) -> None:
    for around in (text, f"x {text} y", f"{text}\n", text * 3):
        assert escape(around) == around
        assert escape_line(around).replace("\\n", "\n") == around


@pytest.mark.parametrize("text", MEANINGLESS.values(), ids=MEANINGLESS)
def test_a_joiner_without_a_meaning_is_escaped(text: str) -> None:
    for around in (text, f"x {text} y", f"{text}\n"):
        assert ZWJ not in escape(around)
        assert ZWNJ not in escape(around)


ALPHABET = sorted(set("".join([*MEANINGFUL.values(), *MEANINGLESS.values(), "ab \n\u202e\u200b"])))
TEXTS = st.text(st.sampled_from(ALPHABET), max_size=30)


@given(TEXTS)
def test_what_stays_is_between_two_visible_characters(text: str) -> None:
    for place in joiners.meaningful_positions(text):
        assert text[place] in (ZWJ, ZWNJ)
        before, after = text[place - 1], text[place + 1]
        assert place > 0
        assert before.isprintable() and after.isprintable()
        assert not before.isascii() and not after.isascii()


@given(TEXTS, st.data())
def test_pieces_look_as_they_do_in_the_whole(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    places = [0, *cuts, len(text)]
    pieces = [escape_part(text, start, stop) for start, stop in itertools.pairwise(places)]
    assert "".join(pieces) == escape(text)


@given(TEXTS)
def test_what_is_settled_looks_the_same_whatever_follows(text: str) -> None:
    for stop in range(len(text) + 1):
        sure = joiners.stable_length(text[:stop])
        assert escape_part(text[:stop], 0, sure) == escape_part(text, 0, sure)


def test_deltas_that_cut_an_emoji_print_it_whole(call_sqlite: Caller) -> None:
    text = " ".join([*MEANINGFUL.values(), "end\u200d"])
    with runreel.open(call_sqlite.url) as reel, reel.recording("run") as recording:
        for stop in range(1, len(text) + 1):
            recording.append(partial(text[:stop]))
    shown = call_sqlite.good("replay", "run", "--instant").out
    assert shown == escape(text) + "\n"
    assert shown.count("\\u200d") == 1


def test_joined_characters_keep_tables_aligned(call_sqlite: Caller) -> None:
    with runreel.open(call_sqlite.url) as reel:
        for text in MEANINGFUL.values():
            with reel.recording(f"run-{text}", model=f"m-{text}") as recording:
                recording.append(partial(text))
    plain = call_sqlite.good("usage", "--by", "model").out.splitlines()[: 1 + len(MEANINGFUL)]
    assert len({cell_len(line) for line in plain}) == 1
    ((_, shown),) = on_terminal(
        ("--db", call_sqlite.url, "runs"),
        columns=60,
        env={"NO_COLOR": "1"},
    )
    lines = [line for line in shown.splitlines() if line.startswith("run-")]
    assert len(lines) == len(MEANINGFUL)
    assert all("\\u200" not in line and cell_len(line) <= 60 for line in lines)
