"""The vocabulary: identifiers and prose use the words of the glossary, not the old ones."""

from __future__ import annotations

import re
import tokenize
from typing import TYPE_CHECKING

import pytest

from tests.docs.checkout import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Parts of identifiers that say nothing to a reader who knows event stores (`tell` is a method of
# files).
IDENTIFIERS = frozenset(
    [
        "told",
        "tells",
        "telling",
        "spoken",
        "speak",
        "glide",
        "veiled",
        "epitaph",
        "beside",
        "besides",
        "anew",
        "piece",
        "pen",
        "ear",
        "paper",
        "led",
        "owes",
        "owed",
        "stood",
        "whoever",
        "somebody",
        "nobody",
        "said",
        "heard",
        "bury",
        "stone",
        "mend",
    ]
)
# Phrases of the old prose; whole words, in any case.
PHRASES = re.compile(
    r"\b(told|tells?|telling|whoever|whatever|somebody|nobody|anew|thereof|besides?|spoken"
    r"|mend(?:s|ed)?|so many|so long as|epitaph|veiled|a careless hand|without further words)\b",
    re.IGNORECASE,
)
SOURCES = sorted((CHECKOUT / "src").rglob("*.py"))
PAGES = sorted([*(CHECKOUT / "docs").rglob("*.md"), CHECKOUT / "README.md"])
# The record of changes may name the words that are gone.
FREE = {"changelog.md"}
# From Python 3.12 on the text of an f-string is a token of its own.
_TEXTS = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}


def _identifiers(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.NAME:
                for part in token.string.lower().split("_"):
                    yield token.start[0], part


def _prose(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in _TEXTS:
                yield token.start[0], token.string


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_identifiers_use_the_words_of_the_field(path: Path) -> None:
    assert [found for found in _identifiers(path) if found[1] in IDENTIFIERS] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_docstrings_comments_and_messages_are_plain(path: Path) -> None:
    found = [(line, hit[0]) for line, text in _prose(path) for hit in PHRASES.finditer(text)]
    assert found == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(CHECKOUT).as_posix())
def test_pages_are_plain(path: Path) -> None:
    if path.name in FREE:
        return
    lines = path.read_text().splitlines()
    found = [(n, hit[0]) for n, line in enumerate(lines, 1) for hit in PHRASES.finditer(line)]
    assert found == []
