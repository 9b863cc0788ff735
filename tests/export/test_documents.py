"""Markdown and HTML: all of the story, and no text of the log is markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

import runreel
from runreel.codec.escaping import escape
from runreel.codec.joiners import JOINERS
from runreel.export import html, markdown
from runreel.export.transcript import Block
from tests.cli import stories
from tests.cli.test_safe import is_harmful
from tests.export import runs

if TYPE_CHECKING:
    from pathlib import Path

    from markdown_it.token import Token

    from runreel.api.reel import Reel

_is_tag = re.compile(
    "html|head|meta|title|style|body|main|details|summary|h1|h2|h3|small|dl|dt|dd|bdi|"
    "p|pre|ol|li|a|div|table|tr|th|td|svg|rect|span|footer|script"
).fullmatch
_is_attribute = re.compile(
    "lang|charset|http-equiv|content|name|class|open|dir|viewbox|preserveaspectratio|"
    "aria-hidden|aria-label|role|tabindex|x|width|height|data-run|data-seq|href|type"
).fullmatch
_EMPTY = {"meta"}
_is_markdown = re.compile(
    "heading_open|heading_close|paragraph_open|paragraph_close|inline|text|softbreak|"
    "code_inline|em_open|em_close|fence|table_open|table_close|thead_open|thead_close|"
    "tbody_open|tbody_close|tr_open|tr_close|th_open|th_close|td_open|td_close"
).fullmatch


class Page(HTMLParser):
    """A page as a browser reads it: its tags are balanced, known, and harmless."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.styles: list[str] = []
        # The contents of scripts by their type.
        self.scripts: list[tuple[str, str]] = []
        self.policy = ""
        self._type = ""
        self._open: list[str] = []
        self.feed(path.read_text("utf-8"))
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert _is_tag(tag)
        assert all(_is_attribute(name) for name, _ in attrs)
        values = dict(attrs)
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""
        if tag == "script":
            self._type = values["type"] or ""
        assert values.get("href", "#").startswith("#")
        self.tags.append(tag)
        if tag not in _EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.styles.append(data)
            return
        if self._open[-1:] == ["script"]:
            self.scripts.append((self._type, data))
            return
        assert not [char for char in data if is_harmful(char) and char not in JOINERS]
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def tokens(text: str) -> list[Token]:
    """The parts of a Markdown text by CommonMark and tables; all of them are harmless."""
    found = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        found += [token, *(token.children or ())]
    assert all(_is_markdown(token.type) for token in found)
    return found


def test_a_page_holds_the_story(reel: Reel, tmp_path: Path) -> None:
    runs.tell_many(reel, tmp_path)
    path = tmp_path / "x.html"
    report = reel.export(path)
    page = Page(path)
    logged = [run for run in reel.runs() if run.recording != "pruned"]
    assert report.runs == page.tags.count("details") == len(logged) + 1
    assert report.rows == sum(run.last_seq + 1 for run in logged)
    assert page.tags.count("li") == sum(len(reel.story(run.run_id)) for run in logged)
    told = [json.loads(text) for type_, text in page.scripts if type_ == "application/json"]
    assert {one["columns"]["run_id"] for one in told} == {run.run_id for run in logged}
    for one in told:
        events = list(reel.events(one["columns"]["run_id"]))
        assert one["columns"]["added"] == [event.added for event in events]
        assert list(one["events"].values()) == [event.raw for event in events]
        assert one["seq"] == events[-1].seq
    assert page.tags.count("rect") == sum(len(reel.steps(run.run_id)) for run in logged)
    text = "".join(page.texts)
    assert stories.ANSWER in text
    for said in ("1,234 tokens: 1,200 in, 34 out", "no more quota", "moon.pdf", "503", "pruned"):
        assert said in text
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_page_may_load_nothing(reel: Reel, tmp_path: Path) -> None:
    stories.tell_done(reel)
    reel.export(tmp_path / "x.html", ["run-done"])
    page = Page(tmp_path / "x.html")
    (style,) = page.styles
    ((_, script),) = [one for one in page.scripts if one[0] != "application/json"]
    hashes = [hashlib.sha256(text.encode()).digest() for text in (style, script)]
    style_digest, script_digest = (base64.b64encode(one).decode() for one in hashes)
    assert page.policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{style_digest}'",
        f"script-src 'sha256-{script_digest}'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
    ]
    assert not re.search(r"url\(|@import|://", style)
    assert not re.search(r"^(import|export) |fetch\(|://|eval|innerHTML", script, re.MULTILINE)
    assert "prefers-color-scheme: dark" in style
    assert '<details class=run data-run="run-done" open>' in (tmp_path / "x.html").read_text()


def test_long_events_are_left_out_of_a_page(reel: Reel, tmp_path: Path) -> None:
    with reel.recording("long") as recording:
        for number in range(30):
            recording.append(stories.partial("words " * 1_000 * (number + 1)))
    reel.export(tmp_path / "x.html", ["long"])
    ((_, data),) = Page(tmp_path / "x.html").scripts[:1]
    assert json.loads(data)["events"] is None
    assert (tmp_path / "x.html").stat().st_size < 600_000


def test_a_transcript_holds_the_story(reel: Reel, tmp_path: Path) -> None:
    runs.tell_many(reel, tmp_path)
    path = tmp_path / "x.md"
    report = reel.export(path)
    found = tokens(path.read_text("utf-8"))
    headings = [token.tag for token in found if token.type == "heading_open"]
    assert headings.count("h2") == report.runs
    fences = [token.content for token in found if token.type == "fence"]
    assert f"{stories.ANSWER}\n" in fences
    for run in reel.runs():
        for step in reel.story(run.run_id):
            if step.step in ("text", "reasoning"):
                assert f"{escape(step.text)}\n" in fences


def test_no_text_is_markup(reel: Reel, tmp_path: Path) -> None:
    runs.tell_harm(reel)
    reel.export(tmp_path / "x.html")
    reel.export(tmp_path / "x.md")
    page = "".join(Page(tmp_path / "x.html").texts)
    text = (tmp_path / "x.md").read_text("utf-8")
    assert not [char for char in text if is_harmful(char) and char not in JOINERS]
    found = tokens(text)
    own = "".join(token.content for token in found if token.type == "text")
    assert not re.search(r"evil|EVIL|[<>`\[\]\\]|<\d{5}>|\x1b", own)
    quoted = [token.content for token in found if token.type in ("fence", "code_inline")]
    for told in runs.MARKUP:
        assert escape(told) in page
        assert f"{escape(told)}\n" in quoted or told == ""
    numbers = set(re.findall(r"<(\d{5})>", page))
    assert numbers == set(re.findall(r"<(\d{5})>", "".join(quoted)))
    assert len(numbers) > 60


@given(st.text(st.characters() | st.sampled_from("`|\\<>[]()!~_*\n "), max_size=40))
def test_any_text_stays_in_its_block_and_its_span(text: str) -> None:
    (fence,) = tokens("".join(markdown._block(Block(None, text))))
    assert (fence.type, fence.content) == ("fence", f"{escape(text)}\n")
    span = markdown._span(text)
    assert "|" not in span
    for line in (f"## Run {span}", f"{span}:", f"| a | b |\n| - | - |\n| x | {span} |"):
        found = tokens(line)
        assert [one.type for one in found].count("code_inline") == 1
        assert all(
            one.content in ("Run ", ":", "a", "b", "x") for one in found if one.type == "text"
        )
    body = html._line(text).removeprefix("<bdi>").removesuffix("</bdi>")
    assert not set(body) & set("<>\"'")


def test_an_empty_log_says_so(tmp_path: Path) -> None:
    with runreel.open(tmp_path / "empty.db") as empty:
        assert empty.export(tmp_path / "x.md").runs == empty.export(tmp_path / "x.html").runs == 0
    assert "The log has no runs." in (tmp_path / "x.md").read_text()
    assert "The log has no runs." in "".join(Page(tmp_path / "x.html").texts)
