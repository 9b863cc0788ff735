from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from runreel.codec.escaping import escape, escape_line
from runreel.codec.visible_text import escape_json
from runreel.model.passwords import mask_passwords
from tests.cli.stories import HARM

HARMFUL = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def is_harmful(char: str) -> bool:
    return unicodedata.category(char) in HARMFUL and char not in "\n\t"


@given(st.text())
def test_nothing_harmful_is_left(text: str) -> None:
    assert not any(map(is_harmful, escape(text)))


@given(st.text())
def test_harmless_text_stays_as_it_is(text: str) -> None:
    harmless = "".join(char for char in text if not is_harmful(char))
    assert escape(harmless) == harmless


@given(st.text(), st.text())
def test_pieces_are_as_safe_as_the_whole(one: str, other: str) -> None:
    assert escape(one) + escape(other) == escape(one + other)


@given(st.text())
def test_a_line_is_one_line(text: str) -> None:
    shown = escape_line(text)
    assert len(shown.splitlines()) <= 1
    assert "\t" not in shown


@given(
    st.recursive(
        st.none() | st.text() | st.integers() | st.booleans(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_json_is_safe_and_the_same_json(value: object) -> None:
    told = escape_json(json.dumps(value, ensure_ascii=False, indent=2))
    assert not any(map(is_harmful, told))
    assert json.loads(told) == value


def test_every_character_of_unicode_is_decided_by_its_category() -> None:
    import sys

    for code in range(sys.maxunicode + 1):
        char = chr(code)
        assert (escape(char) != char) == is_harmful(char), hex(code)


def test_what_is_escaped_is_shown() -> None:
    assert (
        escape("\x1b[31m\r\x9b\u202e\ud800\U000e0041")
        == "\\x1b[31m\\r\\x9b\\u202e\\ud800\\U000e0041"
    )
    assert (
        escape("tabs\tand\nlines, Привет, 世界, e\u0301, \u00a0")
        == "tabs\tand\nlines, Привет, 世界, e\u0301, \u00a0"
    )
    assert not any(map(is_harmful, escape(HARM)))


def test_passwords_are_masked_in_every_form() -> None:
    for told in (
        "postgresql://me:hush@host/db",
        "postgresql://me:hu@sh@host/db",
        "postgresql+psycopg://me:hush@host:5432/db?sslmode=require",
        "postgresql://me@host/db?password=hush",
        "host=h password=hush dbname=d",
        "host=h password='hu sh' dbname=d",
        "PGPASSWORD=hush",
        "failed to resolve host 'hush@host': no such name",
    ):
        assert "hu" not in mask_passwords(told), told
        assert mask_passwords(mask_passwords(told)) == mask_passwords(told)
    assert mask_passwords("postgresql://me@host:5432/db") == "postgresql://me@host:5432/db"
    assert mask_passwords("write to me@host about it") == "write to me@host about it"
