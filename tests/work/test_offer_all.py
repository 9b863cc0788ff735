"""Several events of a source are appended in one commit, as if they were offered one by one."""

from __future__ import annotations

import asyncio

import pytest

import runreel
from runreel.model.errors import BadValue, DatabaseUnavailable
from runreel.model.events import STREAM_EVENT
from runreel.recording.error_policy import GuardedRecorder
from runreel.recording.group_commit import Committer
from runreel.recording.recorder import Recorder
from runreel.system.sync_bridge import completed
from tests.live import openai_script as script
from tests.logs import verify

TOLD = script.events([script.output_of(["Hello, ", "world"])])
EVENTS = [(STREAM_EVENT, event) for event in TOLD]
CHUNKS = [
    EVENTS[:3],
    EVENTS[3:4],
    EVENTS[4:],
]


def recorder_of(reel, **more):
    return Recorder(reel.db, "resp_1", source="openai-responses", via="live", **more)


def offer_all(recorder, events, *, asynchronous, **options):
    if asynchronous:
        return asyncio.run(recorder.aoffer_all(events, **options))
    return recorder.offer_all(events, **options)


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def asynchronous(request):
    return request.param


@pytest.fixture
def checked(reel):
    """The log is intact, and its projections are those of its rows."""
    yield reel
    verify(reel)
    assert reel.rebuild(check=True) == []


def kept(reel):
    return [row.raw for row in reel.events("resp_1") if row.kind == STREAM_EVENT]


def notes(reel):
    return [row.type for row in reel.events("resp_1") if row.kind == "note"]


def rows(reel, run_id="resp_1"):
    return [
        (row.seq, row.kind, row.type, row.raw) for row in reel.events(run_id) if row.kind != "note"
    ]


def test_the_log_is_the_same_as_of_events_one_by_one(checked, asynchronous, tmp_path):
    recorder = recorder_of(checked)
    outcomes = []
    for chunk in CHUNKS:
        outcomes += offer_all(recorder, chunk, asynchronous=asynchronous)
    recorder.close()
    with runreel.open(tmp_path / "other.db") as other:
        single = recorder_of(other)
        assert [single.offer(*event) for event in EVENTS] == outcomes
        single.close()
        assert rows(other) == rows(checked)
        assert other.result("resp_1") == checked.result("resp_1")


def test_a_chunk_is_one_commit(checked, monkeypatch):
    units = []
    real = Committer.commit

    def commit(self, unit):
        units.append(len(unit.rows))
        return real(self, unit)

    monkeypatch.setattr(Committer, "commit", commit)
    recorder = recorder_of(checked)
    for chunk in CHUNKS:
        recorder.offer_all(chunk)
    assert units == [4, 1, len(EVENTS) - 4]


def test_the_last_chunk_closes_the_recording_in_its_commit(checked, asynchronous, monkeypatch):
    units = []
    for name in ("commit", "acommit"):
        real = getattr(Committer, name)

        def commit(self, unit, real=real):
            units.append(len(unit.rows))
            return real(self, unit)

        monkeypatch.setattr(Committer, name, commit)
    recorder = recorder_of(checked)
    offer_all(recorder, EVENTS[:-1], asynchronous=asynchronous)
    (outcome,) = offer_all(recorder, EVENTS[-1:], asynchronous=asynchronous, close=True)
    recorder.close()
    assert units == [len(EVENTS), 2]
    assert outcome.new
    assert notes(checked) == ["opened", "closed"]
    assert checked.run("resp_1").recording == "closed"


def test_after_a_conflict_the_recording_is_still_open(checked, asynchronous):
    first, second = recorder_of(checked), recorder_of(checked)
    offer_all(second, EVENTS[:2], asynchronous=asynchronous)
    offer_all(first, EVENTS[:4], asynchronous=asynchronous)
    outcomes = offer_all(second, EVENTS[2:], asynchronous=asynchronous, close=True)
    assert [outcome.new for outcome in outcomes] == [False] * 2 + [True] * (len(EVENTS) - 4)
    second.close()
    second.close()
    assert kept(checked) == TOLD
    assert notes(checked) == ["opened", "resumed", "closed"]


def test_after_a_failed_commit_it_can_be_closed(checked, asynchronous, monkeypatch):
    recorder = recorder_of(checked)
    offer_all(recorder, EVENTS[:-1], asynchronous=asynchronous)

    def gone(*_, **__):
        raise DatabaseUnavailable("the database is gone")

    for way in ("write", "write_at_once"):
        monkeypatch.setattr(type(checked.db), way, gone)
    with pytest.raises(DatabaseUnavailable):
        offer_all(recorder, EVENTS[-1:], asynchronous=asynchronous, close=True)
    monkeypatch.undo()
    offer_all(recorder, EVENTS[-1:], asynchronous=asynchronous, close=True)
    assert kept(checked) == TOLD
    assert notes(checked) == ["opened", "closed"]


def test_events_that_the_log_has_are_not_added_again(checked, asynchronous):
    recorder_of(checked).offer_all(EVENTS[:4])
    outcomes = offer_all(recorder_of(checked), EVENTS, asynchronous=asynchronous)
    assert [outcome.new for outcome in outcomes] == [False] * 4 + [True] * (len(EVENTS) - 4)
    assert kept(checked) == TOLD


def test_equal_events_of_a_chunk_are_counted(checked, asynchronous):
    delta = EVENTS[4]
    offer_all(recorder_of(checked), [*EVENTS[:4], delta, delta], asynchronous=asynchronous)
    again = recorder_of(checked)
    outcomes = offer_all(again, [*EVENTS[:4], delta, delta, delta], asynchronous=asynchronous)
    assert [outcome.new for outcome in outcomes] == [False] * 6 + [True]


def test_two_recorders_of_a_run_lose_and_repeat_nothing(checked, asynchronous):
    first, second = recorder_of(checked), recorder_of(checked)
    for chunk in CHUNKS:
        # The second one meets an append conflict each time, and then finds the events.
        offer_all(first, chunk, asynchronous=asynchronous)
        outcomes = offer_all(second, chunk, asynchronous=asynchronous)
        assert not any(outcome.new for outcome in outcomes)
    assert kept(checked) == TOLD


def test_a_conflict_in_the_middle_appends_what_is_new(checked, asynchronous):
    first, second = recorder_of(checked), recorder_of(checked)
    offer_all(second, EVENTS[:2], asynchronous=asynchronous)
    offer_all(first, EVENTS[:5], asynchronous=asynchronous)
    outcomes = offer_all(second, EVENTS[2:], asynchronous=asynchronous)
    assert [outcome.new for outcome in outcomes] == [False] * 3 + [True] * (len(EVENTS) - 5)
    assert kept(checked) == TOLD


def test_after_a_failed_commit_the_same_events_can_be_offered(checked, monkeypatch, asynchronous):
    recorder = recorder_of(checked)

    def gone(*_, **__):
        raise DatabaseUnavailable("the database is gone")

    for way in ("write", "write_at_once", "writing"):
        monkeypatch.setattr(type(checked.db), way, gone)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            offer_all(recorder, EVENTS[:5], asynchronous=asynchronous)
    monkeypatch.undo()
    outcomes = offer_all(recorder, EVENTS, asynchronous=asynchronous)
    assert all(outcome.new for outcome in outcomes)
    recorder.close()
    assert kept(checked) == TOLD
    assert notes(checked) == ["opened", "closed"]


def test_after_a_commit_with_an_unknown_outcome_nothing_is_repeated(checked, monkeypatch):
    recorder = recorder_of(checked)
    real = Committer.commit

    def commit(self, unit):
        real(self, unit)
        raise DatabaseUnavailable("the connection was lost after the commit")

    monkeypatch.setattr(Committer, "commit", commit)
    with pytest.raises(DatabaseUnavailable):
        recorder.offer_all(EVENTS[:5])
    monkeypatch.undo()
    outcomes = recorder.offer_all(EVENTS)
    assert [outcome.new for outcome in outcomes] == [False] * 5 + [True] * (len(EVENTS) - 5)
    assert kept(checked) == TOLD


BAD = (STREAM_EVENT, {"type": "x", "value": float("nan")})


def test_a_bad_event_leaves_the_recorder_usable(checked, asynchronous):
    recorder = recorder_of(checked)
    with pytest.raises(BadValue):
        offer_all(recorder, [*EVENTS[:3], BAD, *EVENTS[3:]], asynchronous=asynchronous)
    assert all(outcome.new for outcome in offer_all(recorder, EVENTS, asynchronous=asynchronous))
    assert kept(checked) == TOLD


def test_with_warn_only_the_bad_event_is_lost(checked, asynchronous):
    guarded = GuardedRecorder(recorder_of(checked), "warn", blocking=not asynchronous)
    events = [*EVENTS[:3], BAD, *EVENTS[3:]]
    if asynchronous:
        asyncio.run(guarded.offer_all(events))
    else:
        completed(guarded.offer_all(events))
    assert kept(checked) == TOLD
    assert guarded.lost == 1
