"""A page in one file, opened from disk: the same player, without a server."""

from __future__ import annotations

import pytest

import runreel
from tests.browser import axe
from tests.browser.clock import ticking
from tests.browser.visits import PHONE
from tests.cli import hostile, stories


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("file")
    with ticking(), runreel.open(folder / "log.db") as reel:
        stories.tell_all(reel)
        yield reel, folder


def opened(visit, path, place="", **more):
    page = visit("file://", **more).page
    page.goto(f"file://{path}{place}")
    return page


def is_at(page, row, last=8):
    page.get_by_text(f"Row {row} of {last}", exact=True).wait_for()


def test_one_run_is_shown_at_any_row(visit, log):
    reel, folder = log
    path = folder / "one.html"
    reel.export(path, ["run-done"])
    page = opened(visit, path, size=PHONE)
    is_at(page, 8)
    for row in range(9):
        page.get_by_role("slider").fill(str(row))
        is_at(page, row)
        summary, result = reel.state("run-done", at=row)
        assert page.locator(".now .state").inner_text() == summary.state
        if result.text_so_far:
            assert page.locator(".said pre").inner_text() == result.text_so_far
    page.keyboard.press(",")
    is_at(page, 7)
    page.wait_for_url("**/one.html#run=run-done&seq=7")
    page.get_by_text("Events around this row").click()
    page.get_by_text("Row 7 as its source sent it").click()
    assert '"status": "COMPLETED"' in page.locator("details.raw pre").inner_text()
    page.get_by_role("link", name="2", exact=True).click()
    is_at(page, 2)
    page.go_back()
    is_at(page, 7)
    page.locator("h1").click()
    page.locator("h1").click()
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("Escape")
    page.get_by_label("Speed").select_option("100")
    page.get_by_role("button", name="Play (space)").click()
    is_at(page, 8)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert is_at(opened(visit, path, "#run=run-done&seq=3&scale=real"), 3) is None


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_file_is_accessible(visit, log, theme):
    reel, folder = log
    path = folder / f"{theme}.html"
    reel.export(path)
    page = opened(visit, path, "#run=run-done&seq=5", theme=theme)
    is_at(page, 5)
    page.get_by_text("Events around this row").click()
    assert axe.findings(page) == []


def test_several_runs_are_walked_with_keys(visit, log):
    reel, folder = log
    path = folder / "all.html"
    reel.export(path)
    ids = sorted(run.run_id for run in reel.runs())
    page = opened(visit, path, "#run=run-done&seq=5")
    is_at(page, 5)
    assert page.locator(".player").count() == 1
    page.keyboard.press("j")
    following = ids[ids.index("run-done") + 1]
    page.locator(f"[data-run={following}] .player").wait_for()
    last = reel.run(following).last_seq
    is_at(page, last, last)
    page.keyboard.press(",")
    is_at(page, last - 1, last)
    page.wait_for_url(f"**#run={following}&seq={last - 1}")
    is_at(page, 5)
    page.keyboard.press("k")
    page.keyboard.press(".")
    is_at(page, 6)


def test_hostile_text_stays_text(visit, tmp_path):
    texts = [*(f"<img src=http://127.0.0.1:9/{n} onerror=alert({n})>" for n in range(40))]
    texts += ["</script><script>alert(1)</script>", "<!--<script>", *hostile.inputs(66, seed=5)]
    with runreel.open(tmp_path / "log.db") as reel:
        runs = hostile.tell(reel, texts)
        reel.export(tmp_path / "x.html")
    page = opened(visit, tmp_path / "x.html")
    for summary in page.locator("details.run > summary").all():
        summary.click()
    # A player is made soon after its run is opened.
    page.locator(".player").nth(len(runs) - 1).wait_for()
    assert page.locator("img, iframe, object, .player b").count() == 0
    assert page.locator("script").count() == len(runs) + 1


def test_it_is_read_without_scripts(visit, log):
    reel, folder = log
    path = folder / "plain.html"
    reel.export(path, ["run-done"])
    page = opened(visit, path, scripts=False)
    assert page.locator(".story > li").count() == len(reel.story("run-done"))
    assert stories.ANSWER in page.locator("main").inner_text()
    assert page.locator(".player").count() == 0
