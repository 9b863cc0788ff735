"""The chart of usage: the numbers of the report, and the one library that is not ours."""

from __future__ import annotations

import hashlib
import json
import re
from importlib import resources

import pytest

from runreel.model.usage import UsageItem, UsageReport, UsageTotals
from runreel.web.usage_chart import chart
from tests.cli import stories
from tests.web.conftest import browsing

STATIC = resources.files("runreel.web").joinpath("static")


def charts(answer):
    assert answer.status_code == 200
    found = re.findall(r'<script type="application/json" data-chart="[\w-]+">(.*?)<', answer.text)
    return [json.loads(one) for one in found]


def test_a_chart_has_the_numbers_of_the_report(reel):
    stories.tell_all(reel)
    with browsing(reel) as client:
        (found,) = charts(client.get("/usage?tz=UTC"))
        (item,) = reel.usage("day", tz="UTC").items
        assert found["names"] == [*item.key]
        values = [one["values"] for one in found["series"]]
        assert values == [[item.totals.input_text_tokens], [item.totals.completion_tokens]]
        assert [one["values"] for one in found["runs"]] == [
            [item.totals.known],
            [item.totals.unknown],
        ]
        (found,) = charts(client.get("/usage?by=month&by=model&tz=UTC"))
        report = reel.usage(("month", "model"), tz="UTC")
        tokens = {item.key[1] or "unknown": item.totals.total_tokens for item in report.items}
        assert {one["name"]: one["values"][0] for one in found["series"]} == tokens
        assert charts(client.get("/usage?by=model")) == []
        assert charts(client.get("/usage?model=none")) == []
        assert "unpriced" in client.get("/usage").text


def report(by, *items):
    return UsageReport(
        by, tuple(UsageItem(key, totals) for key, totals in items), UsageTotals(), ""
    )


@pytest.mark.parametrize(
    ("by", "names", "times"),
    [
        ("hour", ("2026-10-25T02+02:00", "2026-10-25T02+01:00"), [1792893600]),
        ("day", ("1970-01-01", "2026-11-30"), [0, 1796000400 - 1796000400 % 86400]),
        ("week", ("2026-W01", "2026-W53"), [1766966400, 1798416000]),
        ("month", ("1970-02",), [31 * 86400]),
        ("quarter", ("1970-Q2", "1970-Q4"), [90 * 86400, 273 * 86400]),
        ("year", ("1970", "1971"), [0, 365 * 86400]),
    ],
)
def test_periods_begin_where_a_clock_shows_them(by, names, times):
    totals = UsageTotals(2, 1, 10, 20, 30)
    found = chart(report((by,), *(((name,), totals) for name in names)))
    assert found["times"] == times
    assert sum(found["series"][0]["values"]) == 10 * len(names)


def test_small_groups_are_together_and_unknown_is_not_zero():
    items = [(("1970-01-01", f"m{n}"), UsageTotals(1, 1, 0, n, n)) for n in range(1, 10)]
    items += [(("1970-01-02", "m9"), UsageTotals(1, 0)), ((None, "m9"), UsageTotals(1, 1, 1, 1, 2))]
    found = chart(report(("day", "model"), *items))
    assert [one["name"] for one in found["series"]] == [
        *(f"m{n}" for n in range(9, 3, -1)),
        "all others",
    ]
    assert [one["values"] for one in found["series"]] == [
        *([n, None] for n in range(9, 3, -1)),
        [6, None],
    ]
    assert [one["values"] for one in found["runs"]] == [[9, 0], [0, 1]]


def test_of_many_periods_the_newest_are_drawn():
    items = [((f"{year:04}",), UsageTotals(1, 1, 1, 1, 2)) for year in range(1, 2000)]
    found = chart(report(("year",), *items))
    assert len(found["times"]) == 1500
    assert found["names"][-1] == "1999"


def test_the_library_is_the_one_of_the_manifest():
    folder = STATIC.joinpath("vendor")
    (library,) = json.loads(folder.joinpath("manifest.json").read_text(encoding="utf-8"))
    assert {one.name for one in folder.iterdir()} == {"manifest.json", "uplot"}
    there = {f"uplot/{one.name}" for one in folder.joinpath("uplot").iterdir()}
    assert there == {*library["files"]}
    for name, digest in library["files"].items():
        content = folder.joinpath(name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, name
    assert f"(v{library['version']})" in folder.joinpath("uplot/uPlot.iife.min.js").read_text()
    assert library["licence"] in folder.joinpath(library["licence_file"]).read_text()


@pytest.mark.parametrize("backend", ["sqlite"])
def test_its_files_are_served(reel, browser):
    for name, kind in {"uPlot.iife.min.js": "javascript", "uPlot.min.css": "css"}.items():
        answer = browser.get(f"/static/vendor/uplot/{name}")
        assert answer.status_code == 200
        assert kind in answer.headers["content-type"]
    assert browser.get("/static/vendor/manifest.json").status_code == 404
    assert browser.get("/static/vendor/").status_code == 404
