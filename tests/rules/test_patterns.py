"""Patterns mean what they mean to ``re``, and end in time."""

from __future__ import annotations

import re
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.codec import secret_masking
from runreel.codec.patterns import Pattern, TooSlow
from runreel.codec.secret_masking import SecretFilter, StreamSecretFilter
from runreel.codec.stream_codec import PLACEHOLDER
from runreel.codec.text_search import SearchPattern
from runreel.model.errors import MissingExtra, UsageError

ENDLESS = [r"(a+)+$", r"(a|a)*$", r"(?:a|aa)+$", r"^(\w+\s?)*$", r"([a-z]+)*\d", r"(.*a){12}b"]
LONG = "a" * 100_000 + "!"
PLAIN = [
    *(r"a", r"a+b?", r"(a|b)+", r"[ab]{2}", r"a{2,}", r"a{,2}b", r"^a", r"b$", r"\ba\b", r"(?i)A"),
    *(r"x{e}", r"x{i}", r"a{s<=1}", r"{}", r"a{b}", r"\{a\}", r"[{}]", r"a{1,2}?", r"(?m)^b$"),
    *(r"(?P<n>a)(?P=n)", r"(?<=a)b", r"(?!a)b", r"a*+b", r"(?>a+)b", r"(?x) a b", (r"\N{LATIN SMALL"
      r" LETTER A}"), r".", r"(?s).b", r"\d+", r"\w\W", r"(?a)\w"),
]  # fmt: skip


@pytest.mark.parametrize("pattern", PLAIN)
@given(text=st.text("abAB xei{}s<=1,2\n\u00e9\u0661_", max_size=30))
def test_a_pattern_finds_what_re_finds(pattern, text):
    expected = [match.span() for match in re.finditer(pattern, text)]
    assert Pattern(pattern).spans(text, 10.0) == expected


@pytest.mark.parametrize(
    ("pattern", "flags"),
    [("a.b", re.DOTALL), ("A", re.IGNORECASE), ("^b", re.MULTILINE), (r"\w", re.ASCII)],
)
def test_flags_of_a_compiled_pattern_hold(pattern, flags):
    text = "a\nb A\u00e9"
    compiled = re.compile(pattern, flags)
    expected = [match.span() for match in compiled.finditer(text)]
    assert Pattern(compiled).spans(text, 10.0) == expected


@pytest.mark.parametrize("pattern", ENDLESS)
def test_a_pattern_that_takes_too_long_is_given_up(pattern):
    with pytest.raises(TooSlow, match=re.escape(repr(pattern))):
        Pattern(pattern).spans(LONG, 0.1)


@pytest.mark.parametrize("pattern", ["(", re.compile(b"a")])
def test_what_is_no_pattern_for_text_is_refused(pattern):
    with pytest.raises(UsageError, match="invalid mask pattern"):
        SecretFilter([pattern])
    if not isinstance(pattern, str):
        with pytest.raises(UsageError, match="invalid pattern"):
            SearchPattern(pattern)


@pytest.mark.parametrize("text", ["eyJ-" * 100_000, "-----BEGIN " * 36_000, "bearer " * 60_000])
def test_what_is_built_in_is_fast_on_any_text_without_the_package(monkeypatch, text):
    monkeypatch.setitem(sys.modules, "regex", None)
    rules = SecretFilter([secret_masking.SECRETS])
    began = time.process_time()
    rules.spans(text, 0.5)
    # Searching each place anew would take minutes.
    assert time.process_time() - began < 30


def test_patterns_of_others_need_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "regex", None)
    for make in (lambda: SecretFilter(["a+"]), lambda: SearchPattern(re.compile("a+"))):
        with pytest.raises(MissingExtra, match="regex") as raised:
            make()
        assert "runreel[patterns]" in str(raised.value.hint)
    assert SearchPattern("a").spans("banana") == [(1, 2), (3, 4), (5, 6)]


def test_a_string_on_which_a_pattern_takes_too_long_is_masked_whole(monkeypatch):
    monkeypatch.setattr(secret_masking, "SECONDS", 0.1)
    reports = []
    masker = StreamSecretFilter(SecretFilter([r"(a+)+$", "secret"]), reports.append)
    value = {"type": "note", "long": LONG, "delta": "a secret"}
    masked = {"type": "note", "long": PLACEHOLDER * len(LONG), "delta": "a " + PLACEHOLDER * 6}
    assert masker.apply(value) == masked
    assert masker.apply(value) == masked
    assert len(reports) == 1
    assert "(a+)+$" in reports[0]
    assert masker.masked_count == 4


def test_pieces_that_a_pattern_takes_too_long_on_cost_little(monkeypatch):
    monkeypatch.setattr(secret_masking, "SECONDS", 0.1)
    allowed = []
    spans = Pattern.spans

    def watched_spans(pattern, text, seconds):
        allowed.append(seconds)
        return spans(pattern, text, seconds)

    monkeypatch.setattr(Pattern, "spans", watched_spans)
    masker = StreamSecretFilter(SecretFilter([r"(a+)+$"]), lambda _: None)
    for _ in range(5):
        masker.apply({"note": LONG})
    assert allowed == [0.1, *[secret_masking.SECONDS_AFTER_TIMEOUT] * 4]
