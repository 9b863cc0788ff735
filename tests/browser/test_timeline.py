"""The parts of the timeline."""

from __future__ import annotations

_LANES = """
async (calls) => (await import("/static/run_drawing.js")).lanesOf(
  calls.map(([seq, result_seq]) => ({seq, result_seq, name: "tool"})))
"""


def test_calls_at_the_same_time_are_one_below_the_other(visit, site):
    page = visit(site).goto("/run/run-done")
    found = page.evaluate(_LANES, [[1, 5], [1, 3], [2, None], [3, 9], [5, 6], [7, 8]])
    assert found["lanes"] == [0, 1, 2, 1, 0, 0]
    assert found["next"] == [5, 3, None, None, 7, None]
    assert found["count"] == 3
    many = page.evaluate(_LANES, [[1, 100 + number] for number in range(9)])
    assert many["lanes"] == [0, 1, 2, 3, 3, 3, 3, 3, 3]
    assert page.evaluate(_LANES, []) == {"lanes": [], "next": [], "count": 1}
