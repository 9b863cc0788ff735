"""The page of a long run: it has a limited number of elements, and says what is left out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from runreel import FunctionCall, RunStreamEvent, StreamEvent, ToolCall, ToolCallList
from runreel.model.story import AskedMessage, RequestStep, TextStep
from runreel.web.pages import run, run_story
from tests.browser.clock import ticking
from tests.cli import stories
from tests.web.pages import Page

CALLS = 150


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_long_run_is_a_page_of_limited_size(reel, browser):
    with ticking(), reel.recording("long") as recording:
        for number in range(CALLS):
            call = ToolCall(f"c{number}", FunctionCall(f"tool{number}", {"n": number}))
            event = RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=ToolCallList((call,)))
            recording.append(event)
            recording.tool_results([{"id": f"c{number}", "content": "done"}])
            recording.append(stories.partial(f"text {number}"))
    answer = browser.get("/run/long")
    page = Page(answer.text)
    assert answer.status_code == 200
    assert len(page.elements) < 1_400
    left_out = len(reel.story("long")) - 60
    assert f"{left_out:,} earlier steps are left out" in page.text
    assert "40 longest of" in page.text


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_run_of_too_many_rows_is_shown_row_by_row(reel, browser, monkeypatch):
    stories.tell_done(reel)
    monkeypatch.setattr(run, "MOST_ROWS", 8)
    page = Page(browser.get("/run/run-done?seq=5").text)
    assert "The run has 9 rows" in page.text
    assert "As of row 5 of 8" in page.text
    assert "A second line." in page.text
    assert page.scripts == []
    monkeypatch.setattr(run, "MOST_ROWS", 9)
    assert "The run has" not in Page(browser.get("/run/run-done?seq=5").text).text


def test_the_last_messages_are_shown():
    at = datetime(2025, 1, 1, tzinfo=UTC)

    def request(seq, count):
        asked = tuple(AskedMessage("user", f"{seq}/{n}") for n in range(count))
        return RequestStep(seq, at, 0.0, (), 0, asked)

    text = TextStep(5, at, 0.0, "text", 5, 5, 0)
    story = (request(0, 70), text, request(6, 40), request(7, 20))
    found = run_story.shown(story)
    assert [one.step for one in found.steps] == list(story)
    assert [one.left_out for one in found.steps] == [30, 0, 0, 0]
    assert [len(one.messages) for one in found.steps] == [40, 0, 40, 20]
    assert found.steps[0].messages[0].text == "0/30"
    assert run_story.shown(()) == ([], 0)
