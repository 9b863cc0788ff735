"""Charts of usage, drawn from the numbers of the page."""

from __future__ import annotations

import pytest

from tests.browser.visits import PHONE


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_charts_are_drawn_and_say_their_numbers(visit, site, theme):
    page = visit(site, theme=theme).goto("/usage")
    plots = page.get_by_role("img", name="by day; the table below has the numbers")
    plots.nth(1).wait_for()
    colours = plots.first.locator("canvas").evaluate("""canvas => {
      const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    }""")
    assert colours > 5
    plots.first.locator(".u-over").hover()
    cells = page.locator(".wide tbody tr").first.locator("th, td").all_inner_texts()
    legend = plots.first.locator(".u-legend").inner_text()
    for cell in (cells[0], cells[3], cells[4]):
        assert cell in legend


def test_charts_fit_a_phone(visit, site):
    page = visit(site, size=PHONE).goto("/usage?by=day&by=model")
    page.get_by_role("img").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    page.set_viewport_size({"width": 800, "height": 740})
    page.locator(".uplot canvas").first.evaluate("""async (canvas) => {
      while (canvas.clientWidth < 360) await new Promise((then) => setTimeout(then, 20));
    }""")
