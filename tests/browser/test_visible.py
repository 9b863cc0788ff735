"""Scripts make the same characters visible as the server does."""

from __future__ import annotations

import json

from runreel.codec.durations import duration_text
from runreel.codec.escaping import escape
from tests.cli import hostile

_MAKE = """
async (given) => {
  const {visible, duration} = await import("/static/visible.js");
  const {texts, times} = JSON.parse(given);
  return {texts: texts.map(visible), times: times.map(duration)};
}
"""
_JOINED = ("می‌خواهم", "क्‍ष", "👩‍💻 👩🏽‍🚀", "a\u200db", "x\u200c", "\u200d", "👩\u200d\u200d💻")
_OTHERS = ("", "\u2028\u2029\xa0\u3000", "\r\n\t\x00", "\ud83d x \ude00", "\U000e0041\ue000\u0378")
_TIMES = (0, 1, 999, 1_234_567, 9_999_400, 59_940_000, 60_000_000, 125_600_000, 3_725_000_000)


def test_texts_and_durations_are_those_of_the_server(visit, site):
    page = visit(site).goto("/run/run-done")
    texts = [*_JOINED, *_OTHERS, *hostile.inputs(300, seed=3)]
    found = page.evaluate(_MAKE, json.dumps({"texts": texts, "times": _TIMES}))
    assert found["texts"] == [escape(text) for text in texts]
    assert found["times"] == [duration_text(time / 1_000) for time in _TIMES]
