"""Every page works in a browser that runs no scripts."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

import runreel
from tests.browser.pages import PAGES, PROBLEMS
from tests.cli import stories
from tests.web.conftest import serving


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    with runreel.open(tmp_path_factory.mktemp("plain") / "log.db") as reel:
        stories.tell_all(reel)
        for number in range(60):
            stories.tell_done(reel, f"one/{number}<b>")
        yield reel


@pytest.fixture(scope="module")
def plain_site(log):
    with serving(log) as access:
        yield access


def first_page(visit, server):
    return visit(server, scripts=False).goto("/")


def query(page):
    return parse_qs(urlsplit(page.url).query)


def shown(page):
    """The ids of the runs of the list."""
    return page.locator("tbody th[scope=row]").all_inner_texts()


def test_every_page_shows_its_content(visit, plain_site):
    opened = visit(plain_site, scripts=False)
    for path in PAGES.values():
        page = opened.goto(path)
        assert page.locator("h1").count() == 1, path
        # Nothing waits for a script to show it.
        assert page.locator("main").inner_text().count("\n") >= 3, path
        assert page.locator("[aria-busy=true]").count() == 0, path
    for status, path in PROBLEMS.items():
        assert opened.goto(path, status=status).get_by_role("alert").is_visible()


def test_lists_are_filtered_by_links_and_by_a_form(visit, plain_site, log):
    page = first_page(visit, plain_site)
    page.get_by_role("link", name="failed", exact=True).click()
    assert query(page) == {"status": ["failed"]}
    assert shown(page) == [run.run_id for run in log.runs(status="failed")] == ["run-failed"]
    page.get_by_role("link", name="Remove the filter status").click()
    assert query(page) == {}
    assert shown(page) == [run.run_id for run in log.runs(limit=50)]
    page.get_by_role("link", name="Older").click()
    assert len(shown(page)) == 14
    page.get_by_role("link", name="Newest").click()
    page.get_by_text("Filters", exact=True).click()
    page.get_by_label("Model", exact=True).fill("model-b")
    page.get_by_role("button", name="Filter").click()
    assert query(page)["model"] == ["model-b"]
    assert shown(page) == ["run-failed"]
    page.go_back()
    assert len(shown(page)) == 50
    page.get_by_label("Search what was said").fill("no more quota")
    page.get_by_role("button", name="Search").click()
    assert shown(page) == ["run-failed"]
    page.locator("tbody th a").click()
    assert page.locator("h1").inner_text() == "run-failed"


def test_a_run_is_walked_by_links(visit, plain_site, log):
    page = first_page(visit, plain_site)
    page.get_by_role("link", name="one/59<b>", exact=True).click()
    assert urlsplit(page.url).path == "/run/one%2F59%3Cb%3E"
    last = log.run("one/59<b>").last_seq
    for seq in range(last - 1, -1, -1):
        page.get_by_role("link", name="Row before").click()
        assert query(page)["seq"] == [str(seq)]
        state = log.state("one/59<b>", at=seq)[0].state
        assert page.locator("dd.state").first.inner_text() == state
    page.get_by_label("Row", exact=True).fill("5")
    page.get_by_role("button", name="Go").click()
    assert query(page)["seq"] == ["5"]
    assert "As of row 5" in page.locator("#rows-title").inner_text()
    page.get_by_text("Row 5 as its source sent it").click()
    assert page.locator("details pre").last.is_visible()
    page.get_by_role("link", name="Verify now").click()
    assert page.get_by_text("intact", exact=True).is_visible()
    page.get_by_label("Compare with run").fill("run-failed")
    page.get_by_role("button", name="Compare").click()
    assert page.locator("h1").inner_text() == "Compare two runs"
    assert page.locator("del").count() > 1


def test_usage_is_grouped_by_links(visit, plain_site, log):
    page = first_page(visit, plain_site)
    page.get_by_role("link", name="Usage", exact=True).click()
    page.get_by_role("link", name="by assistant").click()
    assert query(page) == {"by": ["assistant"]}
    totals = log.usage("assistant").totals.total_tokens
    assert f"{totals:,}" in page.locator("tfoot").inner_text()
    page.get_by_role("link", name="List them").click()
    assert len(shown(page)) == 50


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_run_that_grew_is_seen_after_a_reload(visit, reel):
    with serving(reel) as access:
        page = first_page(visit, access)
        assert "no runs yet" in page.locator("main").inner_text()
        with reel.recording("later") as recording:
            recording.append(stories.partial("Once"))
            page.reload()
            assert shown(page) == ["later"]
            page.get_by_role("link", name="later").click()
            assert "Once" in page.locator(".story").inner_text()
            recording.append(stories.partial("Once more"))
            page.reload()
            assert "Once more" in page.locator(".story").inner_text()
