"""The pictures of the documentation show the pages as they are."""

from __future__ import annotations

import json

import pytest

from tests.browser import pictures
from tests.docs.checkout import CHECKOUT

KNOWN = json.loads(pictures.MANIFEST.read_text("utf-8"))


def test_each_picture_was_made_from_the_present_page():
    assert list(KNOWN) == list(pictures.PICTURES)
    with pictures.served() as access:
        found = {name: pictures.digest(access, one["loaded"]) for name, one in KNOWN.items()}
    hint = "the pages have changed: run python -m tests.browser.pictures, and look at the pictures"
    assert found == {name: one["digest"] for name, one in KNOWN.items()}, hint


def test_other_texts_have_another_digest(monkeypatch):
    monkeypatch.setattr(pictures.picture_log, "_QUESTION", "What else?")
    loaded = KNOWN["run-light"]["loaded"]
    with pictures.served() as access:
        assert pictures.digest(access, loaded) != KNOWN["run-light"]["digest"]


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_each_picture_is_shown_and_small(name):
    shown = pictures.file(name)
    assert shown.read_bytes()[8:12] == b"WEBP"
    texts = [CHECKOUT / "README.md", *CHECKOUT.glob("docs/**/*.md")]
    assert any(shown.name in text.read_text("utf-8") for text in texts)
    assert {f"page-{one}.webp" for one in pictures.PICTURES} == {
        path.name for path in pictures.FOLDER.glob("page-*")
    }
    assert sum(path.stat().st_size for path in pictures.FOLDER.glob("page-*")) < pictures.MOST
