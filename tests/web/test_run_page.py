"""The page of a run: the same as `Reel` says, at any row; text of others is only text."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from runreel.query import price_books, run_reading
from runreel.recording.recorder import Recorder
from runreel.web import rendering
from runreel.web.pages import run
from runreel.web.query import Query
from tests import logs
from tests.cli import stories
from tests.prices.lines import data, line
from tests.web.conftest import browsing
from tests.web.pages import Page


def url(run_id, seq=None):
    return f"/run/{quote(run_id, safe='')}" + ("" if seq is None else f"?seq={seq}")


def test_each_row_shows_the_state_that_the_api_has(reel):
    stories.tell_all(reel)
    with browsing(reel) as client:
        for run in reel.runs():
            for seq in (None, *range(run.last_seq + 1)):
                answer = client.get(url(run.run_id, seq))
                assert answer.status_code == 200
                page = Page(answer.text)
                summary, result = reel.state(run.run_id, at=seq)
                assert f"State{summary.state}" in page.text.replace("\n", "")
                if result.text_so_far:
                    assert result.text_so_far in page.text
                here = summary.last_seq
                events = list(reel.events(run.run_id, start=max(here - 12, 0), stop=here + 13))
                shown = [row for row in page.rows if row[0].isdecimal()]
                assert [row[0] for row in shown] == [str(event.seq) for event in events]
                assert [row[3] for row in shown] == [event.type or "" for event in events]
                raw = next(event.raw for event in events if event.seq == here)
                assert json.dumps(raw, ensure_ascii=False, indent=2) in page.text
                neighbours = {url(run.run_id, n) for n in (here - 1, here + 1) if n >= 0}
                assert neighbours - set(page.links) == (
                    {url(run.run_id, here + 1)} if here == run.last_seq else set()
                )


@pytest.mark.parametrize("backend", ["sqlite"])
def test_the_story_the_time_and_the_markers(reel, browser):
    stories.tell_done(reel)
    stories.tell_failed(reel)
    page = Page(browser.get("/run/run-done").text)
    assert 'weather {\n  "place": "Moon",\n  "days": 2\n}' in page.text
    assert stories.ANSWER in page.text
    assert "1,234: 1,200 in, 34 out" in page.text
    steps = reel.steps("run-done")
    rects = [one for one in page.elements if one.tag == "rect"]
    assert [one.attributes["class"] for one in rects] == [step.step for step in steps]
    assert all(0 <= float(one.attributes["x"]) <= 1000 for one in rects)
    shown = [row for row in page.rows if row[0].replace(" ", "_") in {s.step for s in steps}]
    assert [row[4] for row in shown] == [f"{step.from_seq}-{step.to_seq}" for step in steps]
    failed = Page(browser.get("/run/run-failed").text)
    (error,) = [event.seq for event in reel.events("run-failed") if event.error]
    assert f"error ({error})" in failed.text
    assert "no more quota" in failed.text
    assert "Tokens\nunknown" in failed.text
    early = Page(browser.get("/run/run-done?seq=2").text)
    assert stories.ANSWER not in early.text
    assert "As of row 2 of" in early.text


@pytest.mark.parametrize("backend", ["sqlite"])
def test_the_cost_is_that_of_the_price_book(reel, browser, tmp_path, monkeypatch):
    stories.tell_done(reel)
    stories.tell_failed(reel)
    book = tmp_path / "prices.csv"
    monkeypatch.setenv(price_books.ENVIRONMENT, str(book))
    assert (
        "unpriced: no price of its model is known" in Page(browser.get("/run/run-done").text).text
    )
    book.write_bytes(data(line(model="model-a", currency="RUB", input="61.00")))
    found = reel.cost("run-done")
    assert found.cost
    assert found.currency == "RUB"
    text = Page(browser.get("/run/run-done").text).text
    assert f"{found.cost:,f} {found.currency}" in text
    assert "unpriced: no usage was reported" in Page(browser.get("/run/run-failed").text).text
    assert "unpriced: no usage was reported" in Page(browser.get("/run/run-done?seq=4").text).text
    book.write_text("nonsense\n", "utf-8")
    answer = browser.get("/run/run-done")
    assert (answer.status_code, "unpriced: " in answer.text) == (200, True)
    assert stories.ANSWER in answer.text


@pytest.mark.parametrize("backend", ["sqlite"])
def test_any_id_has_a_page(reel, browser):
    ids = [
        "a/b",
        "<b>",
        "a?b#c",
        "..",
        ".",
        "a/../b",
        "/",
        "a%2Fb",
        "é 世界",
        "a+b&c=d",
        "//x",
        "\\",
    ]
    for run_id in ids:
        with reel.recording(run_id, labels={"id": run_id}) as recording:
            recording.append(stories.partial("x"))
    listed = Page(browser.get("/").text).links
    for run_id in ids:
        (link,) = [one for one in listed if browser.get(one).text.count(f"<h1>{_html(run_id)}<")]
        assert Page(browser.get(link).text).text.count(run_id)
    assert Page(browser.get("/run?id=a%2Fb&seq=1").text).text.count("As of row 1")


def _html(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def test_a_run_that_is_not_there_is_said(reel):
    stories.tell_all(reel)
    with browsing(reel) as client:
        for path, status, word in (
            ("/run/none", 404, "run not found"),
            ("/run/%FF%00", 400, "NUL"),
            ("/run/%1b[2J", 404, "run not found"),
            ("/run/run-", 400, "several runs"),
            ("/run/", 400, "no run is named"),
            ("/run", 400, "no run is named"),
            ("/run/run-done?seq=1000", 400, "no row 1000"),
            ("/run/run-done?seq=999999999999999999", 400, "no row"),
            ("/run/run-done?seq=x", 400, "number from 0"),
            ("/run/run-done?colour=red", 400, "no parameter"),
        ):
            answer = client.get(path)
            assert (answer.status_code, word in Page(answer.text).text) == (status, True), path
        moved = client.get("/run/run-d?seq=1&tz=UTC")
        assert (moved.status_code, moved.headers["location"]) == (303, "/run/run-done?seq=1&tz=UTC")
        newest = client.get("/run/latest").headers["location"]
        assert newest == url(next(iter(reel.runs())).run_id)
        for _ in reel.prune("0s", statuses=["completed"], reason="old"):
            pass
        answer = client.get("/run/run-done")
        assert (answer.status_code, "pruned" in answer.text) == (404, True)


def test_a_run_is_verified_on_demand(reel):
    stories.tell_done(reel)
    stories.tell_failed(reel)
    with browsing(reel) as client:
        page = Page(client.get("/run/run-done").text)
        assert "not checked" in page.text
        assert "/run/run-done?verify=1" in page.links
        assert "intact" in Page(client.get("/run/run-done?verify=1").text).text
        assert "/run/run-done?seq=3&verify=1" in Page(client.get("/run/run-done?seq=3").text).links
        with logs.unguarded(reel):
            change = "UPDATE events SET elapsed = elapsed + 1 WHERE run_id = 'run-done' AND seq = 4"
            logs.execute(reel, change)
        (finding,) = reel.verify(["run-done"])
        text = Page(client.get("/run/run-done?seq=2&verify=1").text).text
        assert "contradicted" in text
        assert f"Row 4: {finding.detail}" in text
        assert "intact" in Page(client.get("/run/run-failed?verify=1").text).text
        with logs.unguarded(reel):
            logs.execute(
                reel, "UPDATE events SET type = 'X' WHERE run_id = 'run-failed' AND seq = 1"
            )


def test_the_page_says_when_and_how_far_a_run_was_verified(reel):
    stories.tell_done(reel)
    last = reel.run("run-done").last_seq
    with browsing(reel) as client:
        client.get("/run/run-done?verify=1")
        page = Page(client.get("/run/run-done?seq=2").text)
        assert "intact" in page.text
        assert "not checked" not in page.text
        assert "checked 20" in page.text
        assert f"to row {last}" not in page.text
        assert "/run/run-done?seq=2&verify=1" in page.links
        source = reel.run("run-done").source
        Recorder(reel.db, "run-done", source=source, via="test").note("labeled", {"labels": {}})
        text = Page(client.get("/run/run-done").text).text
        assert f"intact to row {last}, checked 20" in " ".join(text.split())
        with logs.unguarded(reel):
            change = "UPDATE events SET elapsed = elapsed + 1 WHERE run_id = 'run-done' AND seq = 4"
            logs.execute(reel, change)
        assert "contradicted" in Page(client.get("/run/run-done?verify=1").text).text
        text = Page(client.get("/run/run-done").text).text
        assert "contradicted" in text
        assert "Row 4: " in text


def test_a_damaged_row_is_named_and_the_others_are_shown(reel):
    stories.tell_done(reel)
    with logs.unguarded(reel):
        logs.execute(reel, "UPDATE events SET payload = '{' WHERE run_id = 'run-done' AND seq = 5")
    with browsing(reel) as client:
        for seq in (None, 4, 5, 6, 8):
            answer = client.get(url("run-done", seq))
            page = Page(answer.text)
            assert answer.status_code == 200
            assert "row 5 of run run-done is damaged" in page.text
            assert url("run-done", 5) in page.links
            assert "black" in page.text


def test_a_run_is_shown_whose_first_row_is_damaged(reel):
    stories.tell_done(reel)
    change = "UPDATE events SET payload = '{' WHERE run_id = 'run-done'"
    with browsing(reel) as client:
        for rows, shown in (" AND seq = 0", "black"), ("", "row 5 of run run-done is damaged"):
            with logs.unguarded(reel):
                logs.execute(reel, change + rows)
            for seq in (None, 0, 4, 8):
                answer = client.get(url("run-done", seq))
                page = Page(answer.text)
                assert answer.status_code == 200
                assert "row 0 of run run-done is damaged" in page.text
                assert shown in page.text
            assert client.get("/api/run/run-done/rows").status_code == 200


ROWS_WITH_TEXT = (4, 5, 6, 7)


@pytest.mark.parametrize("seq", range(1, 9))
def test_the_state_of_a_damaged_run_is_what_can_be_read(reel, seq):
    stories.tell_done(reel)
    with browsing(reel) as client:
        whole = client.get("/api/run/run-done/state").json()
        assert whole.pop("damaged") == []
        with logs.unguarded(reel):
            change = "UPDATE events SET payload = '{' WHERE run_id = 'run-done' AND seq = ?"
            logs.execute(reel, change, (seq,))
        now = client.get("/api/run/run-done/state")
        then = client.get("/api/run/run-done/state?seq=8")
        before = client.get(f"/api/run/run-done/state?seq={seq - 1}")
    assert (now.status_code, then.status_code, before.status_code) == (200, 200, 200)
    assert before.json()["damaged"] == []
    (found,) = then.json()["damaged"]
    assert found["seq"] == seq
    assert f"row {seq} of run run-done is damaged" in found["why"]
    # Now, the text alone comes from the rows.
    assert {**now.json(), "damaged": 0, "text": ""} == {**whole, "damaged": 0, "text": ""}
    if seq in ROWS_WITH_TEXT:
        assert now.json()["damaged"] == [found]
    else:
        assert (now.json()["damaged"], now.json()["text"]) == ([], stories.ANSWER)
    assert then.json()["last_seq"] == 8


def test_a_run_that_lacks_a_row_is_shown_and_compared_without_it(reel):
    stories.tell_done(reel)
    stories.tell_done(reel, "other")
    with logs.unguarded(reel):
        logs.execute(reel, "DELETE FROM events WHERE run_id = 'run-done' AND seq = 5")
    with browsing(reel) as client:
        for page in ("/run/run-done", "/run/run-done?seq=8", "/diff?a=run-done&b=other"):
            answer = client.get(page)
            assert answer.status_code == 200, Page(answer.text).text
            assert "row 6 of run run-done is damaged" in Page(answer.text).text
            assert "1,234" in Page(answer.text).text
        found = client.get("/api/run/run-done/state").json()
        assert (found["state"], found["text"]) == ("completed", "Привет")
        assert [one["seq"] for one in found["damaged"]] == [6, 7]


@pytest.mark.parametrize("seq", range(1, 9))
def test_a_damaged_run_is_compared_as_far_as_it_can_be_read(reel, seq):
    stories.tell_done(reel)
    stories.tell_done(reel, "other")
    with logs.unguarded(reel):
        change = "UPDATE events SET payload = '{' WHERE run_id = 'run-done' AND seq = ?"
        logs.execute(reel, change, (seq,))
    with browsing(reel) as client:
        for pair in ("a=run-done&b=other", "a=other&b=run-done", "a=run-done&b=run-done"):
            answer = client.get(f"/diff?{pair}")
            page = Page(answer.text)
            assert answer.status_code == 200, page.text
            assert page.text.count(f"row {seq} of run run-done is damaged") == 1
            assert url("run-done", seq) in page.links
            # The list of runs has the usage, and other rows have parts of the text.
            assert "1,234" in page.text
            assert ("A second line" if seq == 4 else "Привет") in page.text
        assert "damaged" not in client.get("/diff?a=other&b=other").text


@pytest.mark.parametrize("backend", ["sqlite"])
def test_the_first_piece_is_sent_before_the_run_is_read(reel, monkeypatch):
    stories.tell_done(reel)
    told = []
    read = run_reading.reading
    monkeypatch.setattr(run_reading, "reading", lambda *args: told.append("read") or read(*args))
    page = run.answer(reel, Query([("id", "run-done")], run.PARAMETERS))
    told.extend(map(Page.text_of, rendering.pieces(page.template, page.values)))
    first, then, rest = told
    assert then == "read"
    assert "Row 8 as its source sent it" in first
    assert stories.ANSWER in rest


def test_a_redaction_is_gone_from_the_next_view(reel):
    stories.tell_done(reel)
    with browsing(reel) as client:
        assert "Привет" in client.get("/run/run-done").text
        assert list(reel.redact(["run-done"], "Привет", reason="asked", actor="me"))
        for seq in (None, *range(reel.run("run-done").last_seq + 1)):
            assert "Привет" not in client.get(url("run-done", seq)).text
        assert "Привет" not in client.get("/?q=second").text
