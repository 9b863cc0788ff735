"""The player of a run's page: any row, by the slider, by keys, by playing, and by the URL."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

import runreel
from runreel import RunStreamEvent, StreamEvent
from runreel.query import run_reading
from tests.browser import axe
from tests.browser.clock import ticking
from tests.browser.visits import PHONE
from tests.cli import stories
from tests.web.conftest import serving


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    with ticking(), runreel.open(tmp_path_factory.mktemp("player") / "log.db") as reel:
        stories.tell_failed(reel)
        stories.tell_done(reel)
        with reel.recording("run-long") as recording:
            for number in range(300):
                recording.append(stories.partial("<b>\u202e" + "word " * number))
        yield reel


@pytest.fixture(scope="module")
def server(log):
    with serving(log) as access:
        yield access


def opened(visit, server, path="/run/run-done", **more):
    page = visit(server, **more).goto(path)
    page.locator(".player canvas").first.wait_for()
    return page


def seq(page):
    return parse_qs(urlsplit(page.url).query).get("seq", [None])[0]


def is_at(page, row, last=8):
    page.get_by_text(f"Row {row} of {last}", exact=True).wait_for()


def test_the_slider_shows_the_state_of_each_row(visit, server, log):
    page = opened(visit, server)
    slider = page.get_by_role("slider", name="Row")
    shown = page.locator(".player .now")
    for row in (*range(8, -1, -1), 7):
        slider.fill(str(row))
        is_at(page, row)
        summary, result = log.state("run-done", at=row)
        assert shown.locator(".state").inner_text() == summary.state
        if result.text_so_far:
            assert shown.locator("pre").inner_text() == result.text_so_far
        used = "1,234 tokens" if summary.usage else ""
        assert shown.locator(".faint").first.inner_text() == used
        (event,) = log.events("run-done", start=row, stop=row + 1)
        spoken = slider.get_attribute("aria-valuetext")
        assert spoken.startswith(f"Row {row} of 8, {event.type or event.kind}, +")
    page.wait_for_url("**/run-done?seq=7")
    page.get_by_role("heading", name="As of row 7 of 8").wait_for()
    assert page.locator("#events tr[aria-current]").inner_text().startswith("7\t")
    page.get_by_text("Row 7 as its source sent it").click()
    page.locator("details.raw pre", has_text="COMPLETED").wait_for()


def test_the_keyboard_walks_through_the_run(visit, server, log):
    page = opened(visit, server)
    is_at(page, 8)
    marked = sorted({one["seq"] for one in run_reading.reading(log.db, "run-done").markers})
    assert {0, 2, 4, 8} <= set(marked)
    back = [("[", row) for row in reversed(marked) if row < 6]
    for key, row in ((",", 7), (",", 6), (".", 7), (",", 6), *back, (",", 0)):
        page.keyboard.press(key)
        is_at(page, row)
    page.locator(".story > li.tool_call.later").wait_for()
    for row in marked[1:]:
        page.keyboard.press("]")
        is_at(page, row)
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    assert dialog.locator("dt").count() == dialog.locator("dd").count() == 10
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    # Texts that are typed are no commands.
    page.get_by_label("Compare with run").press_sequentially("k,.")
    is_at(page, 8)
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowLeft")
    is_at(page, 7)
    page.locator("h1").click()
    page.keyboard.press("k")
    page.wait_for_url("**/run/run-long")
    page.keyboard.press("j")
    page.wait_for_url("**/run/run-done")
    page.keyboard.press("j")
    page.wait_for_url("**/run/run-failed")


def test_it_plays_from_the_start_to_the_end(visit, server):
    page = opened(visit, server, "/run/run-long?seq=0")
    page.evaluate("""() => {
      window.seen = [];
      new MutationObserver(() => window.seen.push(document.querySelector(".slider").value))
        .observe(document.querySelector(".place strong"), {childList: true});
    }""")
    page.get_by_label("Speed").select_option("0.25")
    page.get_by_role("button", name="Play (space)").click()
    page.get_by_role("button", name="Pause (space)").click()
    page.get_by_role("button", name="Play (space)").wait_for()
    page.get_by_label("Speed").select_option("100")
    page.locator("h1").click()
    page.keyboard.press("Space")
    is_at(page, 301, 301)
    page.get_by_role("button", name="Play (space)").wait_for()
    seen = [int(row) for row in page.evaluate("window.seen")]
    assert seen == sorted(seen)
    assert seen[-1] == 301
    page.wait_for_url("**/run-long")


def test_who_prefers_calm_sees_few_changes(visit, server):
    page = opened(visit, server, "/run/run-long?seq=0", reduced_motion="reduce")
    page.evaluate("""() => {
      window.seen = 0;
      new MutationObserver(() => (window.seen += 1))
        .observe(document.querySelector(".place strong"), {childList: true});
    }""")
    page.get_by_label("Speed").select_option("100")
    assert page.evaluate("window.seen") == 0
    page.get_by_role("button", name="Play (space)").click()
    is_at(page, 301, 301)
    page.get_by_role("button", name="Play (space)").wait_for()
    assert page.evaluate("window.seen") < 5


def test_the_dialog_of_keys_is_accessible(visit, server):
    page = opened(visit, server, theme="dark", size=PHONE)
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    assert axe.findings(page) == []


def test_back_and_forward_lead_through_the_jumps(visit, server):
    page = opened(visit, server)
    page.get_by_role("link", name="tool weather (2)").click()
    is_at(page, 2)
    page.get_by_label("By event").check()
    page.get_by_role("link", name="first text (4)").click()
    is_at(page, 4)
    page.keyboard.press(".")
    is_at(page, 5)
    page.wait_for_url("**/run-done?seq=5&scale=event")
    for row, scale in ((2, "event"), (2, "idle"), (8, "idle")):
        page.go_back()
        is_at(page, row)
        assert page.locator(f"input[value={scale}]").is_checked()
    assert seq(page) is None
    page.go_forward()
    is_at(page, 2)
    page.reload()
    is_at(page, 2)
    # The page was not loaded again for any of it.
    assert page.evaluate("performance.getEntriesByType('navigation').length") == 1


def test_the_pointer_chooses_rows_and_moves_the_window(visit, server):
    page = opened(visit, server, "/run/run-long?scale=event")
    canvas, small = page.locator(".timeline"), page.locator(".minimap")
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] / 2, "y": 40})
    page.locator(".place strong", has_text="Row 15").wait_for()
    middle = int(seq(page))
    assert abs(middle - 150) < 3
    small.hover(position={"x": box["width"] / 2, "y": 15})
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, 15)
    page.mouse.up()
    canvas.click(position={"x": 2, "y": 40})
    assert abs(int(seq(page)) - 150) < 4
    canvas.click(position={"x": box["width"] - 2, "y": 40})
    assert abs(int(seq(page)) - 226) < 4


def test_hidden_characters_are_shown_and_nothing_is_markup(visit, server):
    page = opened(visit, server, "/run/run-long?seq=3")
    is_at(page, 3, 301)
    assert page.locator(".said pre").inner_text() == "<b>\\u202eword word "
    assert page.locator(".player b").count() == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_a_phone(visit, server, theme):
    page = opened(visit, server, theme=theme, size=PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    drawn = page.evaluate("""() => {
      const canvas = document.querySelector(".timeline");
      const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    }""")
    assert drawn > 5


@pytest.mark.parametrize("backend", ["sqlite"])
def test_rows_that_were_recorded_since_are_added(visit, reel):
    recording = reel.recording("open")
    recording.append(stories.partial("Once"))
    with serving(reel) as access:
        page = opened(visit, access, "/run/open")
        is_at(page, 1, 1)
        for text in ("Once more", "Twice \U0001f9ff", "Twice \U0001f9ff again"):
            recording.append(stories.partial(text))
        add = """async () => {
          const {player} = await import("/static/run_page.js");
          const answer = await fetch("/api/run/open/rows?after=" + player.last);
          player.appendRows(await answer.json());
        }"""
        page.evaluate(add)
        is_at(page, 4, 4)
        assert page.locator(".said pre").inner_text() == "Twice \U0001f9ff again"
        page.keyboard.press(",")
        page.keyboard.press(",")
        is_at(page, 2, 4)
        recording.append(stories.partial("End"))
        page.evaluate(add)
        is_at(page, 2, 5)
        assert page.locator(".said pre").inner_text() == "Once more"
        recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=stories.CALLS))
        recording.tool_results([{"id": "call-1", "content": "black"}])
        page.evaluate(add)
        is_at(page, 2, 7)
        marks = page.evaluate("""async () => {
          const {player} = await import("/static/run_page.js");
          return player.marks;
        }""")
        found = run_reading.reading(reel.db, "open")
        assert marks["calls"] == found.calls == [{"name": "weather", "seq": 6, "result_seq": 7}]
        kinds = ("first_text", "tool", "end")
        for marker in found.markers:
            if marker["kind"] in kinds:
                assert marker in marks["markers"]
