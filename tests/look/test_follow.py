"""Following runs from Python."""

from __future__ import annotations

import asyncio
import itertools
import threading
from functools import partial as bind

import pytest

import runreel
from runreel import RunNotFound, UsageError
from runreel.query import follow, followed_run
from runreel.query.follow import FollowRequest
from runreel.store.connection import Connection
from tests.cli.stories import partial, tell_all, tell_done
from tests.look.following import recorder, stepwise

PAGE = 200


def grow(recording, count: int, text: str = "") -> None:
    for _ in range(count):
        text += "word "
        recording.append(partial(text))


def prune(reel) -> None:
    [pruned] = reel.prune("2100-01-01", reason="space", actor="me")
    assert pruned.action == "pruned"


def test_a_run_that_has_ended_is_read_to_its_end(reel):
    tell_all(reel)
    for run_id in ("run-done", "run-failed", "run-plain"):
        whole = list(reel.events(run_id))
        assert list(reel.follow(run_id)) == whole
        for start in (3, len(whole), len(whole) + 5):
            assert list(reel.follow(run_id, start=start)) == whole[start:]


def test_what_cannot_be_followed_is_refused(reel):
    tell_done(reel)
    prune(reel)
    for run_id, words in (("none", "not found"), ("run-done", "was pruned at .* by me: space")):
        with pytest.raises(RunNotFound, match=words):
            list(reel.follow(run_id, timeout=0))
    for arguments in ({"start": -1}, {"timeout": -1}, {"timeout": float("nan")}):
        with pytest.raises(UsageError, match="invalid"):
            reel.follow("run-done", **arguments)
        with pytest.raises(UsageError, match="invalid"):
            reel.afollow("run-done", **arguments)
    with pytest.raises(UsageError, match="takes"):
        reel.follow("run-done", start="1")


def test_a_run_is_followed_from_page_to_page_while_it_grows(reel):
    recording = reel.recording("run-1")
    grow(recording, PAGE + 50)
    text = "word " * (PAGE + 50)
    steps = (bind(grow, recording, 2 * PAGE, text), bind(grow, recording, 1), recording.close)
    events, ends = stepwise(reel, *steps, run_id="run-1")
    assert events == list(reel.events("run-1"))
    assert len(events) == 3 * PAGE + 50 + 3
    assert [(end.reason, end.run_id, end.recording) for end in ends] == [
        ("over", "run-1", "closed")
    ]


def test_a_run_that_appears_meanwhile_is_awaited(reel):
    events, ends = stepwise(reel, bind(tell_done, reel), run_id="run-done", timeout=30)
    assert events == list(reel.events("run-done"))
    assert [end.state for end in ends] == ["completed"]


def test_a_late_start_waits_for_its_row(reel):
    recording = reel.recording("run-1")
    grow(recording, 3)
    steps = (bind(grow, recording, 4, "word " * 3), recording.close)
    events, _ = stepwise(reel, *steps, run_id="run-1", start=6)
    assert events == list(reel.events("run-1", start=6))
    assert [event.seq for event in events] == [6, 7, 8]


def test_silence_ends_a_follow(reel):
    recording = reel.recording("run-1")
    grow(recording, 2)
    events = list(reel.follow("run-1", timeout=0))
    assert [event.seq for event in events] == [0, 1, 2]
    assert list(reel.follow(timeout=0)) == []
    assert list(reel.follow(start=1, timeout=0)) == events[1:]
    _, ends = stepwise(reel, run_id="run-1", timeout=0)
    assert [(end.reason, end.recording) for end in ends] == [("timeout", "open")]
    recording.close()


def test_an_idle_follow_reads_no_row_and_lends_no_connection(reel, monkeypatch):
    recording = reel.recording("run-1")
    grow(recording, 2)
    run, statements, pauses = Connection.execute, [], []

    def execute(connection, sql, parameters=()):
        if not connection.driver.in_transaction(connection.raw):
            statements.append(sql)
        return run(connection, sql, parameters)

    def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 5:
            monkeypatch.setattr(Connection, "execute", execute)
        if len(pauses) == 25:
            monkeypatch.undo()
            # Rewrites the file, or the tables, which needs them for itself.
            reel.db.release(purge=True)
            recording.close()

    request = FollowRequest(follow.exactly("run-1"))
    events = [*follow.follow(reel.db, request, sleep=sleep)][:-1]
    assert events == list(reel.events("run-1"))
    asked = "PRAGMA data_version" if reel.db.driver.in_process else "SELECT max(seq)"
    assert len(statements) == 20
    assert all(sql.startswith(asked) for sql in statements)
    longest = 0.1 if reel.db.driver.in_process else 0.25
    assert pauses[:2] == [0.05, pytest.approx(0.075)]
    assert (max(pauses), pauses[20]) == (longest, longest)


def test_two_follow_one_run_from_other_threads(reel):
    found = [[], []]
    recording = reel.recording("run-1")
    threads = [
        threading.Thread(target=lambda into=into: into.extend(reel.follow("run-1")))
        for into in found
    ]
    for thread in threads:
        thread.start()
    grow(recording, 60)
    recording.close()
    for thread in threads:
        thread.join(30)
    whole = list(reel.events("run-1"))
    assert found == [whole, whole]


def test_fifty_open_runs_are_followed_at_once(reel):
    names = [f"run-{number:02}" for number in range(50)]
    recordings = [reel.recording(name) for name in names]

    def all_grow(text: str) -> None:
        for recording in recordings:
            recording.append(partial(text))

    def all_close() -> None:
        for recording in recordings:
            recording.close()

    steps = [bind(all_grow, "a"), bind(all_grow, "ab"), all_close]
    events, ends = stepwise(reel, *steps, start=0)
    for name in names:
        assert [event for event in events if event.run_id == name] == list(reel.events(name))
    assert sorted(end.run_id for end in ends) == names


def test_runs_that_open_later_are_followed_too(reel):
    tell_done(reel, "before")
    earlier = reel.recording("earlier")
    grow(earlier, 3)
    later = []

    def begin() -> None:
        later.append(reel.recording("later"))
        grow(later[0], 2)

    def go_on() -> None:
        grow(later[0], 1, "word " * 2)
        grow(earlier, 1, "word " * 3)
        # Begins and ends between two looks.
        tell_done(reel, "short")

    def reopen() -> None:
        later[0].close()
        earlier.close()
        with reel.recording("before") as resumed:
            grow(resumed, 1, "x")

    events, ends = stepwise(reel, begin, go_on, reopen, last=0)
    seqs = {
        run_id: [event.seq for event in of_run]
        for run_id, of_run in itertools.groupby(
            sorted(events, key=lambda event: event.run_id), key=lambda event: event.run_id
        )
    }
    assert seqs["later"] == [event.seq for event in reel.events("later")]
    assert seqs["short"] == [event.seq for event in reel.events("short")]
    assert seqs["earlier"] == [event.seq for event in reel.events("earlier", start=4)]
    # Only what was added after it had been closed.
    assert seqs["before"] == [event.seq for event in reel.events("before", start=9)]
    assert {end.run_id for end in ends} == {"later", "short", "earlier", "before"}


@pytest.mark.parametrize("unread", [0, 2 * PAGE])
def test_a_run_that_is_pruned_meanwhile_ends_with_its_tombstone(reel, unread):
    with reel.recording("run-1") as recording:
        grow(recording, PAGE + unread)
    items = follow.follow(reel.db, FollowRequest(follow.exactly("run-1")))
    events = [next(items)]
    prune(reel)
    *more, tombstone, end = items
    events += more
    assert [event.seq for event in events] == [*range(PAGE)]
    assert (tombstone.type, tombstone.raw["reason"]) == ("pruned", "space")
    assert (end.reason, end.recording, end.status.name) == ("pruned", "pruned", "IN_PROGRESS")
    assert "run run-1 was pruned at" in end.message


@pytest.mark.parametrize("unread", [0, 2 * PAGE])
def test_what_is_redacted_meanwhile_is_not_shown(reel, unread):
    recording = reel.recording("run-1")
    recording.append(partial("the secret "))
    grow(recording, PAGE + unread, "the secret ")
    items = follow.follow(reel.db, FollowRequest(follow.exactly("run-1"), timeout=0))
    before = [next(items) for _ in range(PAGE)]
    assert "secret" in before[-1].text
    assert list(reel.redact(["run-1"], "secret", reason="asked", actor="me"))
    grow(recording, 3, f"the secret {'word ' * (PAGE + unread)}")
    after = [item for item in items if isinstance(item, follow.StoredEvent)]
    assert after == list(reel.events("run-1", start=PAGE))
    texts = [event.text for event in after if event.text]
    assert texts
    assert all(text.startswith(f"the {'█' * 6} ") for text in texts)
    recording.close()


def test_a_recorder_that_dies_ends_the_follow(reel, db_url, monkeypatch):
    monkeypatch.setattr(followed_run, "_GRACE", 0.0)
    monkeypatch.setattr(followed_run, "_LOOK", 0.0)
    with recorder(db_url, "run-1", 10, holds=True) as child:
        child.go_on()
        child.wait_for("done")
        steps = (lambda: None, child.kill)
        events, ends = stepwise(reel, *steps, run_id="run-1", timeout=30)
        assert [event.seq for event in events] == [*range(11)]
        assert [(end.reason, end.recording, end.state) for end in ends] == [
            ("stale", "open", "stale")
        ]
    # Already dead: its rows, and at once the end; among all runs it is left out.
    assert list(reel.follow("run-1")) == events
    assert stepwise(reel, start=0, timeout=0) == ([], [followed_run.End("timeout")])
    [recovered] = reel.recover()
    assert recovered.action == "interrupted"
    events, ends = stepwise(reel, run_id="run-1")
    assert events == list(reel.events("run-1"))
    assert [(end.reason, end.state) for end in ends] == [("over", "interrupted")]


def test_a_recording_that_is_resumed_after_a_death_goes_on(reel, db_url):
    with recorder(db_url, "run-1", 10, holds=True) as child:
        child.go_on()
        child.wait_for("done")

        def resume() -> None:
            child.kill()
            with reel.recording("run-1") as recording:
                grow(recording, 1, "x")

        events, ends = stepwise(reel, lambda: None, resume, run_id="run-1", timeout=30)
    assert events == list(reel.events("run-1"))
    assert [(end.reason, end.recording) for end in ends] == [("over", "closed")]
    assert "resumed" in [event.type for event in events]


def test_a_follow_that_is_left_holds_nothing(reel):
    tell_done(reel)
    for event in reel.follow("run-done"):
        assert event.seq == 0
        break
    for event in reel.follow("run-done"):
        # Suspended: the table and the file are free for who needs them alone.
        reel.db.release(purge=True)
        if event.seq == 1:
            break
    prune(reel)


def test_an_event_loop_follows_two_runs_at_once(reel):
    async def collect(run_id: str) -> list[runreel.StoredEvent]:
        return [event async for event in reel.afollow(run_id)]

    async def main() -> list[list[runreel.StoredEvent]]:
        recordings = [reel.recording(name) for name in ("a", "b")]
        tasks = [asyncio.create_task(collect(name)) for name in ("a", "b")]
        for recording in recordings:
            await asyncio.to_thread(grow, recording, 30)
            await asyncio.to_thread(recording.close)
        return await asyncio.gather(*tasks)

    found = asyncio.run(main())
    assert found == [list(reel.events("a")), list(reel.events("b"))]


def test_a_cancelled_task_stops_following(reel):
    recording = reel.recording("run-1")
    grow(recording, 2)

    async def main() -> list[int]:
        seen, is_seen = [], asyncio.Event()

        async def read() -> None:
            async for event in reel.afollow("run-1"):
                seen.append(event.seq)
                if event.seq == 2:
                    is_seen.set()

        task = asyncio.create_task(read())
        await is_seen.wait()
        # Now it waits for the next event, and then it is in the middle of a look.
        await asyncio.sleep(0.06)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async for event in reel.afollow("run-1"):
            seen.append(event.seq)
            break
        return seen

    assert asyncio.run(main()) == [0, 1, 2, 0]
    recording.close()
    reel.db.release(purge=True)
