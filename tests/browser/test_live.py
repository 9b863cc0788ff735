"""Open pages grow as runs are recorded."""

from __future__ import annotations

from datetime import UTC, datetime

import runreel
from tests.cli import stories
from tests.web.conftest import serving

DONE = runreel.RunResult(runreel.RunStatus.COMPLETED, usage=runreel.Usage(1, 1234, 1233))


def test_a_run_recorded_meanwhile_appears_and_grows(visit, reel):
    stories.tell_done(reel, "first")
    with serving(reel) as access:
        page = visit(access).goto("/")
        page.get_by_role("status").get_by_text("live", exact=True).wait_for()
        recording = reel.recording("<b>new</b>", labels={"team": "search"})
        with recording:
            recording.append(stories.partial("Once"))
            link = page.get_by_role("link", name="<b>new</b>")
            link.wait_for()
            assert page.locator("#runs tr").count() == 2
            assert page.locator("#runs tr").first.inner_text().split("\t")[1] == "in_progress"
            link.focus()
            other = visit(access).goto("/run/%3Cb%3Enew%3C%2Fb%3E")
            other.get_by_text("Row 1 of 1", exact=True).wait_for()
            recording.append(stories.partial("Once upon"))
            other.get_by_text("Row 2 of 2", exact=True).wait_for()
            assert other.locator(".said pre").inner_text() == "Once upon"
            recording.result(DONE)
        page.locator("#runs tr").first.locator(".state.success").wait_for()
        # The row that has the focus is changed, not made again.
        assert link.evaluate("link => link === document.activeElement")
        other.locator("dd.state.success").wait_for()
        assert other.locator("[data-fact=tokens]").inner_text() == "1,234"
        last = reel.run("<b>new</b>").last_seq
        other.get_by_text(f"Row {last} of {last}", exact=True).wait_for()


def test_an_erased_text_leaves_open_pages(visit, reel):
    with reel.recording("run") as recording:
        recording.append(stories.partial("secret"))
    with serving(reel) as access:
        page = visit(access).goto("/run/run")
        page.locator("#live").get_by_text("live", exact=True).wait_for()
        assert "secret" in page.content()
        list(reel.redact(["run"], "secret", reason="test", actor="me"))
        page.get_by_text("██████").first.wait_for()
        assert "secret" not in page.content()
        page.locator("#live").get_by_text("live", exact=True).wait_for()


def test_a_list_that_was_empty_shows_its_first_run(visit, reel):
    with serving(reel) as access:
        page = visit(access).goto("/")
        page.get_by_text("The log has no runs yet.").wait_for()
        page.locator("#live").get_by_text("live", exact=True).wait_for()
        stories.tell_done(reel, "first")
        page.get_by_role("link", name="first").wait_for()
        assert not page.get_by_text("The log has no runs yet.").is_visible()
        page.locator("#live").get_by_text("live", exact=True).wait_for()
        assert len(list(reel.prune(datetime.now(UTC)))) == 1
        page.get_by_text("The log has no runs yet.").wait_for()
        page.locator("#live").get_by_text("live", exact=True).wait_for()


def test_a_page_that_is_not_seen_holds_no_connection(visit, reel):
    stories.tell_done(reel, "first")
    with serving(reel) as access:
        page = visit(access).goto("/")
        page.get_by_text("live", exact=True).wait_for()
        hide = """hidden => {
          Object.defineProperty(document, "visibilityState", {value: hidden, configurable: true});
          document.dispatchEvent(new Event("visibilitychange"));
        }"""
        page.evaluate(hide, "hidden")
        page.get_by_text("not live", exact=True).wait_for()
        stories.tell_done(reel, "second")
        page.evaluate(hide, "visible")
        page.get_by_role("link", name="second").wait_for()
