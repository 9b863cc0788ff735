"""Findings of axe-core, which checks a page for accessibility."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

_RUN = "() => axe.run(document, {resultTypes: ['violations']})"


@cache
def _source() -> str:
    file = resources.files("axe_playwright_python").joinpath("axe.min.js")
    return file.read_text(encoding="utf-8")


def findings(page: Page) -> list[str]:
    """Return what is wrong on an open page: impact, rule and elements, for each."""
    page.evaluate(_source())
    found = page.evaluate(_RUN)
    return [
        f"{one['impact']} {one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
