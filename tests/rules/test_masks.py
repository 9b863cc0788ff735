from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.codec.json_text import dumps, loads
from runreel.codec.masks import mask_text, masked_payload, matches_mask, remask
from runreel.codec.stream_codec import PLACEHOLDER
from runreel.codec.text_search import Match, SearchPattern
from runreel.sources import reader_of
from tests.strategies import MANY, values

B = PLACEHOLDER


def hit(path: tuple[Any, ...], *spans: tuple[int, int]) -> Match:
    return Match(0, path, frozenset(spans))


def test_each_character_leaves_a_block():
    assert mask_text("secret!", [(0, 6)]) == B * 6 + "!"
    assert mask_text("ab", []) == "ab"


def test_a_stand_in_is_the_payload_but_for_what_was_found():
    value = {"a": ["x", {"secret": "my secret"}], "n": 12345, "usage": {"total": 3}}
    hits = [
        hit(("a", 1, "secret"), (3, 9)),
        hit(("a", 1, "secret", None), (0, 6)),
        hit(("n",), (0, 5)),
    ]
    left = loads(masked_payload(dumps(value), hits))
    assert left == {"a": ["x", {B * 6: "my " + B * 6}], "n": B * 5, "usage": {"total": 3}}
    assert matches_mask(left, value)


def test_names_that_become_equal_lose_nothing():
    value = {"ab": 1, "cd": 2}
    hits = [hit(("ab", None), (0, 2)), hit(("cd", None), (0, 2))]
    assert sorted(loads(masked_payload(dumps(value), hits)).values()) == [1, 2]


@pytest.mark.parametrize(
    ("mask", "value"),
    [
        (f"a{B}c", "abcd"),
        (f"a{B}c", "xbc"),
        ({"k": B}, {"k": "a", "l": 1}),
        ([B], ["a", "b"]),
        ({"k": 1}, {"k": True}),
        (1, 1.0),
    ],
)
def test_what_differs_beyond_what_is_put_out_is_another_value(mask, value):
    assert not matches_mask(mask, value)


@MANY
@given(values)
def test_every_value_covers_itself(value):
    assert matches_mask(value, value)


def test_a_message_that_tells_the_text_again_is_veiled_and_another_is_not():
    plain = reader_of("plain")
    text, hidden = f"call {B * 3} now", ((5, 8),)
    told = {"type": "PARTIAL_MESSAGE", "text": "call 123 now, please"}
    assert (
        remask(plain.interpret("stream_event", told), plain, text, hidden)["text"]
        == f"call {B * 3} now, please"
    )
    other = {"type": "PARTIAL_MESSAGE", "text": "something 123 else"}
    assert remask(plain.interpret("stream_event", other), plain, text, hidden) is other


@given(st.text(min_size=1, max_size=3), st.lists(st.text(max_size=3), max_size=5))
def test_what_is_put_out_stands_there_no_more(needle, pieces):
    text = needle.join(pieces)
    left = mask_text(text, SearchPattern(needle).spans(text))
    assert len(left) == len(text)
    assert needle not in left or PLACEHOLDER in needle
