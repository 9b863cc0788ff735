"""Who gets into the pages with a browser."""

from __future__ import annotations

from urllib.parse import urlsplit

import httpx


def test_the_token_of_the_url_opens_the_page_once(visit, site):
    opened = visit(site.origin)
    assert opened.page.goto(f"{site.origin}/usage?by=model&token={site.token}").status == 200
    assert urlsplit(opened.page.url).query == "by=model"
    opened.goto("/")
    other = visit(site.origin)
    assert other.page.goto(f"{site.origin}/?token={site.token}").status == 401
    assert httpx.get(f"{site.origin}/").status_code == 401
    other.forgive("status of 401")
