"""Open pages follow the log: one poller, no work for nobody, nothing that was erased."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from datetime import UTC, datetime

import runreel
from tests.cli import stories
from tests.web.conftest import browsing

LONG = 30


class Stream:
    """The events of an open stream, read one by one."""

    def __init__(self, response):
        self.response = response
        self._lines = response.iter_lines()

    def event(self):
        """The next event: name, value, id."""
        found, begun = {}, time.monotonic()
        for line in self._lines:
            # Pings keep a connection alive on which nothing comes.
            assert time.monotonic() < begun + LONG, found
            name, _, value = line.partition(": ")
            if line and name:
                found[name] = value
            elif found:
                return found["event"], json.loads(found["data"]), found.get("id")
        return None

    def until(self, wanted):
        """The first event for which this holds."""
        while (found := self.event()) is not None:
            if wanted(found):
                return found
        raise AssertionError("the stream has ended")


@contextmanager
def streaming(client, path, **headers):
    with client.stream("GET", path, headers=headers, timeout=LONG) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        yield Stream(response)


def ids(event):
    name, page, _ = event
    assert name == "runs"
    return [run[2] for run in page["runs"]]


def test_a_run_that_is_recorded_meanwhile_appears_and_changes(reel):
    stories.tell_done(reel, "first")
    with browsing(reel) as client, streaming(client, "/live/runs") as stream:
        assert ids(stream.event()) == ["first"]
        with reel.recording("second", model="model-x") as recording:
            recording.append(stories.partial("a"))
            _, page, _ = stream.until(lambda event: ids(event) == ["second", "first"])
            assert page["runs"][0][:4] == ["/run/second", "running", "second", "in_progress"]
            assert page["runs"][0][7] == "model-x"
            usage = runreel.Usage(1, 1234, 1233)
            recording.result(runreel.RunResult(runreel.RunStatus.COMPLETED, usage=usage))
        _, page, _ = stream.until(lambda event: event[1]["runs"][0][3] == "completed")
        assert page["runs"][0][8] == "1,234"


def test_the_stream_has_the_filters_and_the_words_of_the_page(reel):
    stories.tell_all(reel)
    with browsing(reel) as client:
        with streaming(client, "/live/runs?status=failed&tz=UTC&limit=1") as stream:
            _, page, _ = stream.event()
        html = client.get("/?status=failed&tz=UTC&limit=1").text
        (run,) = page["runs"]
        assert all(f">{cell}<" in html for cell in run[2:] if cell)
        assert page["first"] is None
        with streaming(client, "/live/runs?limit=1") as stream:
            _, page, _ = stream.event()
        with streaming(client, page["next"].replace("/?", "/live/runs?")) as stream:
            _, second, _ = stream.event()
        assert second["first"] == "/?limit=1"
        assert [ids(("runs", one, None)) for one in (page, second)] == [
            [run.run_id] for run in [*reel.runs()][:2]
        ]
        for path, status in {
            "/live/runs?status=none": 400,
            "/live/runs?limit=101": 400,
            "/live/runs?q=x": 400,
            "/live/run": 400,
            "/live/run/none": 404,
            "/live/run/run-done?after=x": 400,
        }.items():
            assert client.get(path).status_code == status, path
        assert client.head("/live/runs").status_code == 200


def test_a_run_is_followed_from_a_row_on(reel):
    recording = reel.recording("a/<run>")
    recording.__enter__()
    recording.append(stories.partial("a"))
    path = "/live/run/a%2F%3Crun%3E"
    with browsing(reel) as client:
        with streaming(client, f"{path}?after=0") as stream:
            name, columns, last = stream.event()
            assert (name, columns["after"], columns["added"], last) == ("rows", 0, ["a"], "1")
            name, state, last = stream.event()
            assert (name, state["state"], last) == ("state", "in_progress", "1")
            recording.append(stories.partial("ab"))
            name, columns, last = stream.event()
            assert (columns["keep"], columns["added"], last) == ([1], ["b"], "2")
        recording.append(stories.partial("abc"))
        recording.close()
        last_seq = reel.run("a/<run>").last_seq
        with streaming(client, f"{path}?after=0", **{"Last-Event-ID": "2"}) as stream:
            name, columns, last = stream.event()
            assert (name, columns["after"], columns["added"][0]) == ("rows", 2, "c")
            assert last == str(last_seq)
            assert stream.event()[1]["recording"] == "closed"
            asked = client.get("/api/run/a%2F%3Crun%3E/rows?after=2").json()
            assert asked == columns
            list(reel.redact(["a/<run>"], seqs=[1], reason="test", actor="me"))
            assert stream.event()[0] == "erased"
            assert client.get(f"/api{path[5:]}/rows").json()["added"][1] == "█"


def test_a_pruned_run_is_gone(reel):
    stories.tell_done(reel, "old")
    with browsing(reel) as client, streaming(client, "/live/run/old?after=99") as stream:
        assert stream.event()[0] == "state"
        assert len(list(reel.prune(datetime.now(UTC)))) == 1
        _, problem, _ = stream.until(lambda event: event[0] == "gone")
        assert "pruned" in problem["message"]
        assert stream.event() is None
