"""Each page as a reader meets it: with and without scripts, in both themes, wide and narrow."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest

from tests.browser.pages import PAGES
from tests.browser.visits import DESKTOP, PHONE


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["wide", "narrow"])
def test_no_page_is_wider_than_the_window(visit, site, size):
    opened = visit(site, size=size)
    for path in PAGES.values():
        page = opened.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path


def test_the_token_of_the_url_opens_the_page_once(visit, site):
    opened = visit(site.origin)
    assert opened.page.goto(f"{site.origin}/usage?by=model&token={site.token}").status == 200
    assert urlsplit(opened.page.url).query == "by=model"
    opened.goto("/")
    other = visit(site.origin)
    assert other.page.goto(f"{site.origin}/?token={site.token}").status == 401
    assert httpx.get(f"{site.origin}/").status_code == 401
    other.forgive("status of 401")
