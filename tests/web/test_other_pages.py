"""Comparison, usage and the log: the same as `Reel` and the commands say."""

from __future__ import annotations

import pytest

import runreel
from runreel import FunctionCall, RunStreamEvent, StreamEvent, ToolCall, ToolCallList
from runreel.doctor import check_health
from runreel.store.connection import Connection
from tests.cli import stories
from tests.prices.lines import data, line
from tests.web.conftest import browsing
from tests.web.pages import Page


def record(reel, run_id, city, text):
    call = ToolCall("c", FunctionCall("weather", {"city": city}))
    with reel.recording(run_id) as recording:
        recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=ToolCallList((call,))))
        recording.tool_results([{"id": "c", "content": "sunny"}])
        recording.append(stories.partial(text))


def marked(answer, tag):
    pieces = answer.text.split(f"<{tag}>")[1:]
    return [piece.split(f"</{tag}>")[0] for piece in pieces]


def test_two_runs_are_compared(reel):
    record(reel, "a/1", "Paris", "It is sunny today.")
    record(reel, "b<1>", "Oslo", "It is rainy today.")
    with browsing(reel) as client:
        answer = client.get("/diff", params={"a": "a/1", "b": "b<1>"})
        assert answer.status_code == 200
        # The page explains its marks first.
        assert marked(answer, "del")[1:] == ["Paris", "sunny"]
        assert marked(answer, "ins")[1:] == ["Oslo", "rainy"]
        found = reel.diff("a/1", "b<1>")
        text = Page(answer.text).text
        for title, part in (("Request", found.request), ("Tools", found.tools)):
            assert f"{title} {'same' if part.same else 'differs'}" in text
        same = client.get("/diff?a=a/1&b=a/1")
        assert Page(same.text).text.count(" same\n") == 5
        moved = client.get("/diff?a=a&b=b")
        assert (moved.status_code, moved.headers["location"]) == (303, "/diff?a=a%2F1&b=b%3C1%3E")
        assert client.get("/diff?a=a/1").status_code == 200
        assert client.get("/diff?a=a/1&b=none").status_code == 404
        assert client.get("/diff?a=x&a=y&b=z").status_code == 400


def groups(answer, number):
    """The rows of a table of the page, without its head and total."""
    assert answer.status_code == 200, answer.text
    tables, rows = [], []
    for row in Page(answer.text).rows:
        if row[-1] == "Share of the largest":
            rows = []
            tables.append(rows)
        elif row[0] != "Total":
            rows.append(row[:-1])
    return tables[number]


def expected(report):
    def shown(count):
        return "unknown" if count is None else f"{count:,}"

    return [
        [
            *(key or "unknown" for key in item.key),
            shown(item.totals.runs),
            f"{item.totals.known} of {item.totals.runs}",
            shown(item.totals.input_text_tokens),
            shown(item.totals.completion_tokens),
            shown(item.totals.total_tokens),
        ]
        for item in report.items
    ]


def test_usage_is_that_of_the_report(reel):
    stories.tell_all(reel)
    with browsing(reel) as client:
        assert groups(client.get("/usage"), 0) == expected(reel.usage("day"))
        assert groups(client.get("/usage"), 1) == expected(reel.usage("model"))
        by = client.get("/usage?by=model&by=label:team&status=completed&since=7d&tz=UTC")
        report = reel.usage(("model", "label:team"), tz="UTC", status="completed", since="7d")
        assert groups(by, 0) == expected(report)
        assert "5 runs" not in by.text
        fields = [
            one.attributes.get("value") for one in Page(by.text).elements if one.tag == "input"
        ]
        assert [value for value in fields if value in ("model", "label:team")] == [
            "model",
            "label:team",
        ]
        empty = client.get("/usage?model=none")
        assert (groups(empty, 0), groups(empty, 1)) == ([], [])
        for query in ("by=none", "status=none", "colour=red", "by=label:"):
            assert client.get(f"/usage?{query}").status_code == 400


@pytest.mark.parametrize("backend", ["sqlite"])
def test_of_many_groups_the_newest_and_the_largest_are_shown(reel, browser):
    for number in range(62):
        with reel.recording(f"run-{number}", model=f"model-{number:02}") as recording:
            usage = runreel.Usage(0, number, number)
            recording.result(runreel.RunResult(runreel.RunStatus.COMPLETED, usage=usage))
    answer = browser.get("/usage?by=model")
    assert "2 more groups are left out" in answer.text
    shown = [row[0] for row in groups(answer, 0)]
    assert shown == [f"model-{number:02}" for number in range(61, 1, -1)]
    widths = [
        float(one.attributes["width"]) for one in Page(answer.text).elements if one.tag == "rect"
    ]
    assert widths[0] == 1000
    assert widths == sorted(widths, reverse=True)


def test_the_log_shows_its_checks_and_sizes(reel):
    stories.tell_all(reel)
    with browsing(reel) as client:
        page = Page(client.get("/log").text)
        found = check_health(reel.db, now=0)
        assert [check.name for check in found.checks] == [row[0] for row in page.rows[1:]][
            : len(found.checks)
        ]
        facts = {row[0]: row[1] for row in page.rows if len(row) == 2}
        status = reel.db.status()
        assert facts["rows: events"] == f"{status['rows']['events']:,}"
        assert facts["revision"] == str(status["revision"])
        assert client.get("/log?x=1").status_code == 400
        assert "Not checked now" in page.text
        assert "Intact" in Page(client.get("/log?verify=1").text).text


def test_the_log_shows_what_contradicts_it(reel):
    stories.tell_done(reel, "a/<b>")
    with browsing(reel) as client:
        with reel.db.writing() as connection:
            connection.execute("DELETE FROM runs")
        page = Page(client.get("/log?verify=1").text)
        assert "Contradicted" in page.text
        assert "/run/a%2F%3Cb%3E" in page.links


def test_a_large_log_is_not_counted_to_its_end(reel, monkeypatch):
    stories.tell_all(reel)
    monkeypatch.setattr("runreel.web.pages.log._COUNTED", 10)
    read = []
    run = Connection.execute

    def execute(connection, sql, parameters=()):
        if "count(*)" in sql:
            read.append(sql)
        return run(connection, sql, parameters)

    with browsing(reel) as client:
        monkeypatch.setattr(Connection, "execute", execute)
        facts = {row[0]: row[1] for row in Page(client.get("/log").text).rows if len(row) == 2}
        assert facts["rows: events"] == "more than 10"
        assert facts["rows: runs"] == "4"
        assert [sql for sql in read if "FROM events" in sql and "LIMIT" not in sql] == []
        assert any("FROM events LIMIT 11" in sql for sql in read)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_every_page_says_that_the_log_is_gone(reel, browser, tmp_path):
    stories.tell_done(reel)
    for path in tmp_path.glob("log.db*"):
        path.unlink()
    for path in ("/", "/?q=x", "/run/run-done", "/diff?a=run-done&b=run-done", "/usage", "/log"):
        answer = browser.get(path)
        assert (answer.status_code, "log.db" in answer.text) == (503, True), path
    assert browser.get("/diff").status_code == 200


def test_usage_is_priced_on_request(reel, tmp_path, monkeypatch):
    own = tmp_path / "prices.jsonl"
    own.write_bytes(data(line()))
    monkeypatch.setenv("RUNREEL_PRICES", str(own))
    for run_id, model in (("priced", line()["model"]), ("other", "<model>")):
        with reel.recording(run_id, model=model) as recording:
            usage = runreel.Usage(1_000_000, 1_000_000, 2_000_000)
            recording.result(runreel.RunResult(runreel.RunStatus.COMPLETED, usage=usage))
    with browsing(reel) as client:
        plain = Page(client.get("/usage?model=x&by=model").text)
        assert "unpriced" in plain.text
        assert "/usage?model=x&by=model&cost=1" in plain.links
        answer = client.get("/usage?by=model&cost=1")
        report = reel.usage("model", cost=True)
        costs = {
            item.key[0]: "unpriced"
            if item.totals.cost is None
            else f"{item.totals.cost:,f} {item.totals.currency}"
            for item in report.items
        }
        assert {row[0]: row[-2] for row in Page(answer.text).rows[1:-1]} == costs
        assert costs["<model>"] == "unpriced" != costs[line()["model"]]
        assert "/?cost=1" not in Page(answer.text).links
        assert f"{report.costs[0].cost:,f} {report.costs[0].currency}" in Page(answer.text).text
        own.write_text("{")
        assert client.get("/usage?cost=1").status_code == 500
        assert client.get("/usage").status_code == 200
