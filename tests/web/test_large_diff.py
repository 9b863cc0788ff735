"""Comparisons of large runs: a page of them, and links to the others."""

from __future__ import annotations

import re

import pytest

import runreel
from runreel import FunctionCall, RunStreamEvent, StreamEvent, ToolCall, ToolCallList
from tests.cli import stories
from tests.web.conftest import browsing
from tests.web.pages import Page

CALLS, VALUES, CHANGES = 16, 22, 210


def record(reel, run_id, word):
    with reel.recording(run_id) as recording:
        for number in range(CALLS):
            given = {f"{n}": word for n in range(VALUES)}
            given["0"] = " ".join(f"{word} {n}" for n in range(30))
            call = ToolCall(f"c{number}", FunctionCall(f"tool{number}", given))
            calls = ToolCallList((call,))
            recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=calls))
            recording.tool_results([{"id": f"c{number}", "content": word}])
        text = "".join(f"line {n} is {word} and {n}.\n" for n in range(CHANGES))
        recording.append(stories.partial(text))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    with runreel.open(tmp_path_factory.mktemp("diff") / "log.db") as reel:
        record(reel, "a", "red")
        record(reel, "b", "blue")
        with browsing(reel) as client:
            yield client


def followed(client, title):
    """All pages from one link to the next below a title."""
    found = [client.get("/diff?a=a&b=b")]
    while True:
        nav = re.search(
            rf'<nav class="pages" aria-label="{title}">(.*?)</nav>', found[-1].text, re.DOTALL
        )
        link = re.search(r'rel="next" href="([^"]+)"', nav[1])
        if link is None:
            return found
        found.append(client.get(link[1].replace("&amp;", "&")))
        assert len(found) < 100


def test_every_call_is_on_one_page_and_no_page_is_large(pages):
    answers = followed(pages, "Differences of request and tools")
    names = [re.findall(r"<h3>(tool\d+)", answer.text) for answer in answers]
    assert [name for some in names for name in some] == [f"tool{n}" for n in range(CALLS)]
    assert len(answers) > 3
    for answer in answers:
        assert answer.status_code == 200
        assert len(Page(answer.text).elements) < 1_500
    assert "more differences of this call" in answers[0].text
    assert "more changes of it" in answers[0].text


def test_every_change_of_the_text_is_on_one_page(pages):
    answers = followed(pages, "Changes of the text")
    changed = []
    for answer in answers:
        text = answer.text[answer.text.index("<h2>Text") :]
        changed += re.findall(r"<del>red</del><ins>blue</ins> and (\d+)\.", text)
        assert len(Page(answer.text).elements) < 1_500
    assert changed == [str(number) for number in range(CHANGES)]
    assert 'rel="first"' in answers[-1].text


def test_what_is_not_there_is_refused(pages):
    for query in ("from=100000", "text=100000", "from=x", "from=1&from=2"):
        assert pages.get(f"/diff?a=a&b=b&{query}").status_code == 400, query
