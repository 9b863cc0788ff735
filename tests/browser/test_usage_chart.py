"""Charts of usage, drawn from the numbers of the page."""

from __future__ import annotations

from datetime import UTC, datetime

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
    totals = (
        page.locator(".wide tfoot tr, .wide tbody tr").first.locator("th, td").all_inner_texts()
    )
    shown = plots.first.locator(".u-legend").inner_text()
    assert all(cell in shown for cell in ("Day", totals[0], totals[3], totals[4]))
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


@pytest.mark.parametrize(
    ("by", "times", "most", "marks"),
    [
        ("day", ["2026-11-30"], 5, ["2026-11-30"]),
        ("day", ["2026-11-28", "2026-11-30"], 5, ["2026-11-28", "2026-11-29", "2026-11-30"]),
        (
            "day",
            ["2026-11-21", "2026-11-30"],
            4,
            ["2026-11-21", "2026-11-24", "2026-11-27", "2026-11-30"],
        ),
        ("day", ["2026-11-21", "2026-11-30"], 0, ["2026-11-21"]),
        ("hour", ["2026-11-30T19"], 5, ["11-30 19:00"]),
        ("hour", ["2026-11-30T19", "2026-11-30T22"], 1, ["11-30 19:00"]),
        (
            "hour",
            ["2026-11-29T19", "2026-11-30T19"],
            5,
            ["11-30 00:00", "11-30 06:00", "11-30 12:00", "11-30 18:00"],
        ),
        ("week", ["2026-11-16", "2026-11-30"], 5, ["2026-11-16", "2026-11-23", "2026-11-30"]),
        ("month", ["2026-01-01", "2026-03-01"], 5, ["2026-01", "2026-02", "2026-03"]),
        ("quarter", ["2025-10-01", "2026-04-01"], 5, ["2025-Q4", "2026-Q1", "2026-Q2"]),
        ("year", ["2024-01-01", "2026-01-01"], 2, ["2024", "2026"]),
        ("year", ["0001-01-01", "0003-01-01"], 3, ["0001", "0002", "0003"]),
    ],
)
def test_labels_are_whole_periods(  # noqa: PLR0917 - one for each part of a case
    visit, site, by, times, most, marks
):
    page = visit(site).goto("/usage")
    starts = [
        datetime.fromisoformat(f"{time}:00" if "T" in time else time)
        .replace(tzinfo=UTC)
        .timestamp()
        for time in times
    ]
    found = page.evaluate(
        """async ([by, times, most]) => {
          const {marks, named} = await import("/static/usage.js");
          return marks({by, times}, most).map((at) => named(by, at));
        }""",
        [by, starts, most],
    )
    assert found == marks
