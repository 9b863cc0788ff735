"""Open pages follow the log: one poller, no work for nobody, nothing that was erased."""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import httpx
import pytest

import runreel
from runreel import LogError
from runreel.query import changes as queries
from runreel.store.drivers.postgres import driver
from runreel.web import run_list
from runreel.web.live import streams
from tests.cli import stories
from tests.web.conftest import browsing, serving

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


def counted(monkeypatch, name):
    """Calls of a function of the log, as they come."""
    found, real = [], getattr(queries, name)

    def call(*given):
        found.append(given[1:])
        return real(*given)

    monkeypatch.setattr(queries, name, call)
    return found


def within(condition):
    """Wait until it holds."""
    end = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_log_is_read_once_for_all_pages_and_not_at_all_for_none(reel, monkeypatch):
    stories.tell_done(reel, "first")
    looks = counted(monkeypatch, "change_hint")
    read = counted(monkeypatch, "run_news")
    with browsing(reel) as client, ExitStack() as stack:
        assert client.get("/").status_code == 200
        assert looks == []
        path = f"/live/run/first?after={reel.run('first').last_seq}"
        several = [stack.enter_context(streaming(client, path)) for _ in range(20)]
        for stream in several:
            assert stream.event()[0] == "state"
        # Each is checked once when it is opened.
        before = len(read)
        list(reel.redact(["first"], "Привет", reason="test", actor="me"))
        for stream in several:
            assert stream.event()[0] == "erased"
        assert len(read) - before <= 10
        stack.close()
        within(lambda: (len(looks), time.sleep(0.4))[0] == len(looks))


@pytest.mark.parametrize("backend", ["sqlite"])
def test_many_streams_do_no_harm(reel):
    stories.tell_done(reel, "first")
    limits = httpx.Limits(max_connections=None)
    with serving(reel) as access, httpx.Client(base_url=access.origin, limits=limits) as client:
        client.get("/", params={"token": access.token})
        with ExitStack() as stack:
            several = [stack.enter_context(streaming(client, "/live/runs")) for _ in range(200)]
            assert client.get("/").status_code == 200
            for stream in several:
                assert ids(stream.event()) == ["first"]
            stories.tell_done(reel, "second")
            for stream in several:
                stream.until(lambda event: ids(event) == ["second", "first"])
        assert client.get("/run/second").status_code == 200


@pytest.mark.parametrize("backend", ["sqlite"])
def test_more_streams_than_a_server_has_are_refused(reel, monkeypatch):
    monkeypatch.setattr(streams, "_MOST", 2)
    with browsing(reel) as client, streaming(client, "/live/runs") as one:
        one.event()
        with streaming(client, "/live/runs") as other:
            other.event()
            assert client.get("/live/runs").status_code == 400
        within(lambda: client.head("/live/runs").status_code == 200)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_browser_that_reads_nothing_costs_a_bounded_part(reel, monkeypatch):
    """One event is sent, the next one waits, and the stream is ended after a while."""
    monkeypatch.setattr(streams, "_PATIENCE", 0.3)
    made = []
    real = run_list.read

    def read(*given):
        found = real(*given)
        made.append(len(made))
        # A page that fills the buffers of the connection, and is another one each time.
        row = found.rows[0]._replace(labels=f"{len(made)} " + "x" * 8_000_000)
        return found._replace(rows=[row])

    monkeypatch.setattr(run_list, "read", read)
    stories.tell_done(reel, "first")
    with serving(reel) as access:
        with httpx.Client(base_url=access.origin) as client:
            client.get("/", params={"token": access.token})
            cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
        with socket.create_connection((access.host, access.port)) as silent:
            silent.sendall(
                f"GET /live/runs HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode()
            )
            # It is read to be checked, and for the first event.
            within(lambda: len(made) >= 2)
            stories.tell_done(reel, "second")
            within(lambda: len(made) >= 3)
            time.sleep(0.6)
            stories.tell_done(reel, "third")
            time.sleep(0.4)
            assert len(made) == 3


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_log_that_is_gone_and_comes_back_is_said(reel, tmp_path):
    stories.tell_done(reel, "first")
    file = tmp_path / "log.db"
    with browsing(reel) as client, streaming(client, "/live/runs") as stream:
        assert ids(stream.event()) == ["first"]
        reel.db.close()
        moved = {path: path.with_name(f"moved-{path.name}") for path in tmp_path.glob("log.db*")}
        for path, target in moved.items():
            path.rename(target)
        name, problem, _ = stream.event()
        assert (name, file.name in problem["message"]) == ("problem", True)
        for path, target in moved.items():
            target.rename(path)
        assert stream.event()[0] == "ok"
        stories.tell_done(reel, "second")
        assert ids(stream.event()) == ["second", "first"]


@pytest.mark.parametrize("backend", ["sqlite"])
def test_open_streams_end_before_the_server(reel):
    stories.tell_done(reel, "first")
    ended = []

    def read():
        with streaming(client, "/live/runs") as stream:
            while (event := stream.event()) is not None:
                ended.append(event[0])

    with ExitStack() as stack:
        access = stack.enter_context(serving(reel))
        with httpx.Client(base_url=access.origin) as client:
            client.get("/", params={"token": access.token})
            thread = threading.Thread(target=read)
            thread.start()
            within(lambda: ended == ["runs"])
            stack.close()
            thread.join(LONG)
    # The stream has an end, and was not cut.
    assert ended == ["runs", "over"]


@pytest.mark.parametrize("backend", ["postgresql"])
def test_a_server_without_snapshots_by_name_is_always_read(reel, monkeypatch):
    stories.tell_done(reel)
    # Other databases of the server may be written to meanwhile.
    within(lambda: queries.change_hint(reel.db) == queries.change_hint(reel.db))
    monkeypatch.setattr(driver, "_SNAPSHOT", "SELECT no_such_function()")
    assert queries.change_hint(reel.db) != queries.change_hint(reel.db)
    monkeypatch.setattr(driver, "_SNAPSHOT", "SELECT no_such_column")
    with pytest.raises(LogError):
        queries.change_hint(reel.db)
