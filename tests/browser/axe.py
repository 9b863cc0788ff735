"""Findings of axe-core, which checks a page for accessibility."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Page

_RUN = "(rules) => axe.run(document, {resultTypes: ['violations'], ...rules})"
# What depends on the theme and on the size of the window.
LOOKS = ("color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size")


@cache
def _source() -> str:
    file = resources.files("axe_playwright_python").joinpath("axe.min.js")
    return file.read_text(encoding="utf-8")


def findings(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """Return what is wrong on an open page by some rules, by default all: impact, rule, element."""
    if not page.evaluate('() => "axe" in window'):
        page.evaluate(_source())
    only = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    found = page.evaluate(_RUN, only)
    return [
        f"{one['impact']} {one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
