"""What scripts read of a run: the same as `Reel` and the command line say."""

from __future__ import annotations

from itertools import accumulate
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import runreel
from runreel import RunStreamEvent, StreamEvent
from runreel.projection import key_frames
from runreel.query import run_reading
from tests import logs
from tests.cli import stories
from tests.cli.calls import Caller
from tests.web.conftest import browsing


def texts(columns):
    """The text after each row, put together as a script does, in units of UTF-16."""
    text, found = b"", []
    for keep, added in zip(columns["keep"], columns["added"], strict=True):
        if keep is not None:
            text = text[: 2 * keep] + added.encode("utf-16-le", "surrogatepass")
        found.append(text.decode("utf-16-le", "surrogatepass"))
    return found


def data(client, run_id, what, **values):
    answer = client.get(f"/api/run/{quote(run_id, safe='')}/{what}", params=values)
    assert answer.headers["content-type"] == "application/json"
    return answer.status_code, answer.json()


def test_columns_hold_what_the_events_say(reel):
    stories.tell_all(reel)
    with browsing(reel) as client:
        for run in reel.runs():
            status, columns = data(client, run.run_id, "rows")
            assert status == 200
            events = list(reel.events(run.run_id))
            assert [columns["names"][n] for n in columns["kind"]] == [one.kind for one in events]
            types = [None if n < 0 else columns["names"][n] for n in columns["type"]]
            assert types == [one.type for one in events]
            assert columns["added"] == [one.added for one in events]
            for event, text in zip(events, texts(columns), strict=True):
                assert event.text in (None, "", text)
            times = list(accumulate(columns["wait_us"]))
            timed = [times[frame.event.seq] for frame in reel.timeline(run.run_id).frames]
            assert [time - timed[0] for time in timed] == reel.timeline(run.run_id).times
            for seq in range(run.last_seq + 1):
                summary, _ = reel.state(run.run_id, at=seq)
                state = [one for one in columns["states"] if one["seq"] <= seq][-1]
                assert state["state"] == summary.state
                assert state["error"] == (summary.error and summary.error.message)
                used = summary.usage
                counts = used and [used.input_text_tokens, used.completion_tokens]
                assert state["tokens"] == (counts and [*counts, used.total_tokens])


WORDS = st.sampled_from(["a", "é", "\U0001f9ff", "世 ", "\ud83e", "<", ""])


@given(st.lists(st.tuples(st.integers(0, 6), st.lists(WORDS, max_size=3)), min_size=1, max_size=12))
def test_any_text_is_put_together(log, parts):
    text = ""
    with log.recording(f"r{log.count}") as recording:
        for keep, words in parts:
            text = text[:keep] + "".join(words)
            recording.append(stories.partial(text))
    events = list(log.events(f"r{log.count}"))
    columns = run_reading.columns_after(log.db, f"r{log.count}", -1)
    log.count += 1
    for event, shown in zip(events, texts(columns), strict=True):
        if event.text is not None:
            wide = event.text.encode("utf-16-le", "surrogatepass")
            assert shown == wide.decode("utf-16-le", "surrogatepass")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    with runreel.open(tmp_path_factory.mktemp("log") / "x.db") as reel:
        reel.count = 0
        yield reel


def test_the_rows_after_any_row_go_on_from_it(reel):
    text = ""
    with reel.recording("long") as recording:
        for number in range(2 * key_frames.ROWS + 20):
            text = text[: number // 2] + "wörd\U0001f9ff "
            recording.append(stories.partial(text))
            if number == key_frames.ROWS + 5:
                recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=stories.CALLS))
                recording.tool_results([{"id": "call-1", "content": "black"}])
    stories.tell_done(reel)
    for run_id, step in (("long", 37), ("run-done", 1)):
        whole = run_reading.columns_after(reel.db, run_id, -1)
        assert run_reading.reading(reel.db, run_id).columns == whole
        count = len(whole["kind"])
        for after in [*range(0, count, step), count - 1, count, count + 5]:
            rest = run_reading.columns_after(reel.db, run_id, after)
            for name in ("wait_us", "keep", "added"):
                assert rest[name] == whole[name][after + 1 :], (after, name)
            kinds = [rest["names"][n] for n in rest["kind"]]
            assert kinds == [whole["names"][n] for n in whole["kind"]][after + 1 :]
            later = {seq: text for seq, text in whole["texts"].items() if seq > after}
            assert rest["texts"] == later


def test_a_resumed_run_goes_on_from_any_row(reel):
    for number in range(3):
        with reel.recording("twice") as recording:
            for _ in range(150):
                recording.append(stories.partial(f"{number}"))
    whole = run_reading.columns_after(reel.db, "twice", -1)
    for after in (0, 140, 151, 152, 153, 300, len(whole["kind"]) - 1):
        rest = run_reading.columns_after(reel.db, "twice", after)
        assert rest["wait_us"] == whole["wait_us"][after + 1 :]


@pytest.mark.parametrize("backend", ["sqlite"])
def test_the_state_is_that_of_show(reel, browser, capsys, tmp_path):
    cli = Caller(str(tmp_path / "log.db"), capsys)
    stories.tell_all(reel)
    for run in reel.runs():
        for seq in (None, *range(run.last_seq + 1)):
            at = () if seq is None else ("--at", str(seq))
            shown = cli("show", run.run_id, *at, "-o", "json")
            status, state = data(
                browser, run.run_id, "state", **({} if seq is None else {"seq": seq})
            )
            text = state.pop("text")
            assert state.pop("damaged") == []
            assert shown.code == 0, shown.err
            # The command prints more.
            assert (status, {**shown.json, **state}) == (200, shown.json)
            assert len(state) > 20
            assert text == reel.result(run.run_id, at=seq).text_so_far


@pytest.mark.parametrize("backend", ["sqlite"])
def test_events_and_the_recording_file_on_demand(reel, browser, tmp_path):
    stories.tell_done(reel)
    for event in reel.events("run-done"):
        assert data(browser, "run-done", "event", seq=event.seq) == (
            200,
            {"seq": event.seq, "kind": event.kind, "type": event.type, "raw": event.raw},
        )
    answer = browser.get("/api/run/run-done/recording")
    assert answer.headers["content-disposition"] == 'attachment; filename="run.reel.jsonl"'
    (tmp_path / "x.reel.jsonl").write_bytes(answer.content)
    with runreel.open(tmp_path / "copy.db") as copy:
        copy.import_file(tmp_path / "x.reel.jsonl")
        assert logs.rows(copy) == logs.rows(reel)


@pytest.mark.parametrize("backend", ["sqlite"])
def test_problems_are_said_as_data(reel, browser):
    stories.tell_done(reel)
    for path, status, word in (
        ("run/none/rows", 404, "run not found"),
        ("run/run-done/event", 400, "seq is missing"),
        ("run/run-done/event?seq=99", 400, "no row 99"),
        ("run/run-done/state?seq=99", 400, "no row 99"),
        ("run/run-done/rows?after=x", 400, "number from 0"),
        ("run/run-done/secrets", 400, "has no 'secrets'"),
        ("rows", 400, "no run is named"),
    ):
        answer = browser.get(f"/api/{path}")
        assert (answer.status_code, word in answer.json()["error"]) == (status, True), path
    assert browser.get("/api/rows?id=run-done").json() == data(browser, "run-done", "rows")[1]
    assert browser.get("/api/run/run-done/../../static/page.css").status_code == 404


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_damaged_row_is_named_in_the_columns(reel):
    stories.tell_done(reel)
    with logs.unguarded(reel):
        logs.execute(reel, "UPDATE events SET payload = '{' WHERE run_id = 'run-done' AND seq = 5")
    found = run_reading.reading(reel.db, "run-done")
    assert [one.seq for one in found.damaged] == [5]
    assert "damaged" in found.columns["texts"][5]
    assert found.columns["added"][4] == "Привет"
    assert [one["seq"] for one in found.markers if one["kind"] == "damage"] == [5]
    assert found.timing.steps and found.calls[0]["result_seq"] == 3


@pytest.mark.parametrize("backend", ["sqlite"])
def test_only_the_right_browser_reads_data(reel, access, browser):
    stories.tell_done(reel)
    for what in ("rows", "state", "event?seq=1", "recording"):
        url = f"{access.origin}/api/run/run-done/{what}"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 400
        cross = browser.get(f"/api/run/run-done/{what}", headers={"Sec-Fetch-Site": "cross-site"})
        assert cross.status_code == 403
        assert browser.post(f"/api/run/run-done/{what}").status_code == 405
