"""Each page in both themes, on a phone and on a desktop: axe-core finds nothing, and it fits."""

from __future__ import annotations

import pytest

from tests.browser import axe
from tests.browser.pages import PAGES, PROBLEMS
from tests.browser.visits import DESKTOP, PHONE


def test_no_page_has_a_finding(visit, site):
    opened = visit(site)
    found = {}
    for status, path in [*((200, path) for path in PAGES.values()), *PROBLEMS.items()]:
        page = opened.goto(path, status=status)
        problems = axe.findings(page) + _too_wide(page, DESKTOP)
        page.emulate_media(color_scheme="dark")
        problems += axe.findings(page, axe.LOOKS)
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        problems += axe.findings(page, axe.LOOKS) + _too_wide(page, PHONE)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
        if problems:
            found[path] = problems
    assert found == {}


def _too_wide(page, size):
    width = page.evaluate("document.documentElement.scrollWidth")
    return [f"{width} pixels wide"] if width > size[0] else []


# Least contrast of texts is 4.5:1, that of shapes 3:1 (WCAG 2.2, 1.4.3 and 1.4.11).
_TEXTS = ("text", "faint", "link", "good", "bad", "busy")
_SHAPES = ("line", "request", "first_text", "stream", "tool", "idle")
_COLOURS = """
(names) => names.map((name) => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(--${name})`;
  const [r, g, b] = getComputedStyle(probe).color.match(/[0-9.]+/g).map(Number);
  probe.remove();
  return [r, g, b];
})
"""


def _luminance(colour):
    parts = [part / 255 for part in colour]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one, other):
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_and_shapes_stand_out_from_their_ground(visit, site, theme):
    page = visit(site, theme=theme).goto("/")
    names = ("ground", "raised", *_TEXTS, *_SHAPES)
    colours = dict(zip(names, page.evaluate(_COLOURS, names), strict=True))
    weak = {
        (name, ground): round(_contrast(colours[name], colours[ground]), 2)
        for least, group in ((4.5, _TEXTS), (3, _SHAPES))
        for name in group
        for ground in ("ground", "raised")
        if _contrast(colours[name], colours[ground]) < least
    }
    assert weak == {}
    assert len(set(map(tuple, colours.values()))) > len(_TEXTS)
