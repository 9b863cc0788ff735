"""What ``runreel show`` tells people of a run's citations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.live import openai_script as script

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.calls import Caller

NOTES = [
    {"type": "url_citation", "title": "A page", "url": "https://example.org/a"},
    {"type": "file_citation", "file_id": "file_1", "filename": "a.txt", "index": 3},
    {"type": "of the future"},
    {"type": "url_citation", "title": "two\nlines\x1b[2J", "url": "https://example.org/b"},
]


@pytest.fixture
def cited(call_sqlite: Caller, tmp_path: Path) -> Caller:
    message = script.message("m", [script.text_part("See.", NOTES)])
    whole = script.response(output=[message])
    file = tmp_path / "response.json"
    file.write_text(json.dumps(whole), encoding="utf-8")
    call_sqlite.good("record", "--run", "cited", "--input", str(file))
    return call_sqlite


@pytest.mark.parametrize("more", [(), ("--content",)])
def test_a_page_is_told_by_its_title_and_address(cited: Caller, more: tuple[str, ...]) -> None:
    lines = cited.good("show", "cited", *more).out.splitlines()
    assert lines[lines.index("Citations") + 1] == "  [1] A page https://example.org/a"
    assert sum("A page" in line for line in lines) == 1
    assert "  [3] a source of an unknown type" in lines
    assert r"  [4] two\nlines\x1b[2J https://example.org/b" in lines
