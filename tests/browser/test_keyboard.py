"""The pages without a mouse: everything is reached, in order, and seen when it is."""

from __future__ import annotations

import pytest

from tests.browser.pages import PAGES
from tests.browser.visits import PHONE

# Of a group of radio buttons, Tab reaches the one that is chosen.
_REACHABLE = """
() => [...document.querySelectorAll("a, button, input, select, summary, [tabindex='0']")]
  .filter((one) => one.checkVisibility() && !one.disabled && one.tabIndex >= 0)
  .filter((one) => one.type !== "radio" || one.checked).length
"""
_FOCUSED = """
() => {
  const one = document.activeElement, box = one.getBoundingClientRect();
  const {outlineStyle, outlineWidth} = getComputedStyle(one);
  const all = window.__reached ??= new Set();
  const again = one === document.body || all.has(one);
  all.add(one);
  const seen = box.width > 0 && box.left >= 0 && box.right <= innerWidth + 1
    && box.bottom > 0 && box.top < innerHeight;
  return {again, seen, outline: outlineStyle !== "none" && outlineWidth !== "0px",
          label: `${one.localName} ${one.textContent.trim().slice(0, 30)}`};
}
"""


@pytest.mark.parametrize("name", ["filtered", "run", "diff", "usage"])
def test_tab_reaches_everything_and_shows_where_it_is(visit, site, name):
    page = visit(site, size=PHONE).goto(PAGES[name])
    reachable = page.evaluate(_REACHABLE)
    unseen, reached = [], 0
    while True:
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        if focused["again"]:
            break
        reached += 1
        if not (focused["seen"] and focused["outline"]):
            unseen.append(focused)
    assert unseen == []
    assert reached >= reachable > 10


def test_the_navigation_can_be_skipped(visit, site):
    page = visit(site).goto("/")
    page.keyboard.press("Tab")
    assert page.locator(".skip").bounding_box()["x"] > 0
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "q"
