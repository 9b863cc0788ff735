"""The list of runs: the same runs as `Reel.runs`, by the same filters."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

import runreel
from runreel.model.errors import UsageError
from runreel.web import filters
from tests import logs
from tests.cli import stories
from tests.web.conftest import browsing
from tests.web.pages import Page


def ids(answer):
    assert answer.status_code == 200, answer.text
    return [row[0] for row in Page(answer.text).rows[1:]]


def test_the_list_is_that_of_the_log(reel):
    stories.tell_all(reel)
    with browsing(reel) as client:
        answer = client.get("/")
        runs = list(reel.runs())
        assert ids(answer) == [run.run_id for run in runs]
        for run, row in zip(runs, Page(answer.text).rows[1:], strict=True):
            assert row[1] == run.state
            assert row[5] == (run.model or "unknown")
            assert row[6] == ("unknown" if run.usage is None else f"{run.usage.total_tokens:,}")
        asked = {
            "status=failed": {"status": "failed"},
            "status=failed&status=completed": {"status": ["failed", "completed"]},
            "problems=1": {"problems": True},
            "model=model-a": {"model": "model-a"},
            "label=team%3Dsearch&label=team%3Dchat": {"labels": {"team": ["search", "chat"]}},
            "recording=open": {"recording": "open"},
            "error-contains=QUOTA": {"error_contains": "quota"},
            "has-error=true&no-usage=0": {"has_error": True},
            "min-tokens=1000": {"min_tokens": 1000},
            "slower-than=1h": {"slower_than": "1h"},
            "since=last-week": {"since": "last-week"},
            "on=2020": {"on": "2020"},
            "source=plain&assistant=assistant-1&thread=thread-1": {
                "source": "plain",
                "assistant": "assistant-1",
                "thread": "thread-1",
            },
        }
        for query, selected in asked.items():
            expected = [run.run_id for run in reel.runs(**selected)]
            assert ids(client.get(f"/?{query}")) == expected, query
        # A run that is recorded now is on the next page.
        stories.tell_done(reel, "later")
        assert ids(client.get("/"))[0] == "later"


def test_today_is_that_of_the_zone_of_the_page(reel, clock_at):
    for hour in (20, 22):
        started = datetime(2028, 2, 29, hour, 30, tzinfo=UTC)
        with logs.recording_at(reel, f"run-{hour}", started) as recording:
            recording.append(stories.partial("x"))
    clock_at(datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC))
    with browsing(reel) as client:
        for name in ("since", "on"):
            assert ids(client.get(f"/?{name}=today&tz=UTC")) == ["run-22", "run-20"]
            # There it is the first day of March, and half past one.
            assert ids(client.get(f"/?{name}=today&tz=%2B03:00")) == ["run-22"]
        clock_at(datetime(2028, 3, 1, tzinfo=UTC))
        assert ids(client.get("/?on=today&tz=UTC")) == []
        assert ids(client.get("/?on=yesterday&tz=UTC")) == ["run-22", "run-20"]


def test_every_filter_of_the_api_has_a_name(reel):
    words = {name.replace("-", "_") for name in filters.NAMES} - {"tz", "label"} | {"labels"}
    assert words == set(runreel.model.run_filter.Filters.__annotations__)


def test_pages_follow_each_other(reel):
    for number in range(5):
        stories.tell_done(reel, f"run-{number}")
    with browsing(reel) as client:
        seen, url = [], "/?limit=2&status=completed"
        while url:
            answer = client.get(url)
            seen += ids(answer)
            next_ = [one for one in Page(answer.text).elements if one.attributes.get("rel")]
            url = next((o.attributes["href"] for o in next_ if o.attributes["rel"] == "next"), None)
        assert seen == [f"run-{number}" for number in (4, 3, 2, 1, 0)]


@pytest.mark.parametrize("backend", ["sqlite"])
def test_what_cannot_be_listed_is_said(reel, browser):
    for query, word in {
        "status=none": "invalid status",
        "colour=red": "no parameter",
        "limit=101": "at most 100",
        "limit=-1": "number from 0",
        "limit=99999999999999999999": "number from 0",
        "after=x": "invalid cursor",
        "since=never": "since",
        "on=never": "on:",
        "label=x": "K=V",
        "tz=Mars": "time zone",
        "min-tokens=many": "number from 0",
        "model=%00": "NUL",
        "q=x&in=none": "none",
        "tz=UTC&tz=UTC": "2 times",
    }.items():
        answer = browser.get(f"/?{query}")
        assert answer.status_code == 400, query
        assert word in Page(answer.text).text
    assert "no runs yet" in browser.get("/").text
    assert "No run matches" in browser.get("/?model=%FF%F0").text
    assert browser.get("/?q=").status_code == 200


def test_a_search_leads_to_the_row(reel):
    stories.tell_all(reel)
    with browsing(reel) as client:
        answer = client.get("/?q=second+line")
        (match,) = reel.search("second line")
        page = Page(answer.text)
        assert page.rows[1][:3] == [match.run_id, match.in_, str(match.seq)]
        assert f"/run/{match.run_id}?seq={match.seq}" in page.links
        assert "Nothing found" in client.get("/?q=second+line&status=failed").text
        assert "there are more" in client.get("/?q=a&limit=1").text


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_log_that_is_gone_or_broken_is_said(reel, browser, tmp_path):
    stories.tell_done(reel)
    assert browser.get("/").status_code == 200
    with closing(sqlite3.connect(reel.db.url.database, isolation_level=None)) as raw:
        raw.execute("UPDATE runreel_version SET version_num = '9999'")
    with browsing(runreel.open(reel.db.url.database, create=False)) as client:
        answer = client.get("/")
        assert answer.status_code == 500
        assert "newer version" in answer.text
    with pytest.raises(UsageError):
        reel.runs(status="none")
