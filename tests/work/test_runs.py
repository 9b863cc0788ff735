"""Lists of runs, their names, and their states at any time."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime, timedelta, timezone
from itertools import product

import pytest

import runreel
from runreel.importing.import_files import import_files
from runreel.model.errors import AmbiguousRun, RunNotFound, UsageError
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent, Usage
from runreel.model.status import RunStatus, StreamEvent
from runreel.query import runs as queries
from runreel.recording.recorder import Recorder
from runreel.store.connection import Connection
from tests import traffic

NOON = datetime(2025, 4, 7, 12, tzinfo=UTC)
# Several begin at the same moment: a page may end between them.
BEGUN = {f"run-{n:02d}": float(n // 4 * 10) for n in range(28)}


def filled(url, folder):
    """A reel on a log with 28 imported runs, a plain one and an open one."""
    makers = list(traffic.SHAPES.values())
    lines = [
        line
        for n, run_id in enumerate(BEGUN)
        for line in makers[n % len(makers)](
            run_id,
            assistant=f"asst-{n % 3}",
            thread=f"thread-{n % 5}",
            created=BEGUN[run_id],
            labels={"team": "ads" if n % 2 else "search", "n": str(n)},
        )
    ]
    opened = runreel.open(url)
    import_files(opened.db, [traffic.write(folder / "f.jsonl", lines)])
    with opened.recording("plain-1", model="m", labels={"team": "ads"}) as recording:
        recording.append(RunStreamEvent(StreamEvent.ERROR, error="no"))
    opened.recording("live-1").append(partial("Hel"))
    return opened


@pytest.fixture(scope="module")
def reel(shared_url, tmp_path_factory):
    """Such a reel, to which no test adds a run."""
    with filled(shared_url, tmp_path_factory.mktemp("runs")) as opened:
        yield opened


def partial(text: str) -> RunStreamEvent:
    return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((text,)))


def ids(page) -> list[str]:
    return [item.run_id for item in page]


# -- Lists -----------------------------------------------------------------------------------------


def test_runs_come_newest_first_and_names_decide_between_equals(reel):
    everything = reel.runs(limit=0)
    assert everything.next is None
    assert ids(everything) == [
        "live-1",
        "plain-1",
        *sorted(BEGUN, key=lambda run_id: (BEGUN[run_id], run_id), reverse=True),
    ]
    started = [item.started_at for item in everything]
    assert started == sorted(started, reverse=True)
    assert abs(everything.as_of - datetime.now(UTC)) < timedelta(minutes=1)


FILTERS = {
    "status": (RunStatus.FAILED, lambda run: run.status is RunStatus.FAILED),
    "source": ("yandex-assistants", lambda run: run.source == "yandex-assistants"),
    "assistant": ("asst-1", lambda run: run.assistant_id == "asst-1"),
    "thread": ("thread-2", lambda run: run.thread_id == "thread-2"),
    "model": (traffic.MODEL, lambda run: run.model == traffic.MODEL),
    "labels": ({"team": "ads"}, lambda run: run.labels.get("team") == "ads"),
    "recording": ("open", lambda run: run.recording == "open"),
    "since": (
        NOON + timedelta(seconds=20),
        lambda run: run.started_at >= NOON + timedelta(seconds=20),
    ),
    "until": (
        NOON + timedelta(seconds=20),
        lambda run: run.started_at < NOON + timedelta(seconds=20),
    ),
    "has_error": (True, lambda run: run.error is not None),
    "no_usage": (True, lambda run: run.usage is None),
}


@pytest.mark.parametrize("name", FILTERS)
def test_a_filter_lets_through_what_it_says_and_nothing_else(reel, name):
    value, lets_through = FILTERS[name]
    everything = reel.runs(limit=0).items
    found = reel.runs(limit=0, **{name: value}).items

    assert found == tuple(item for item in everything if lets_through(item))
    assert 0 < len(found) < len(everything)


@pytest.mark.parametrize("pair", [p for p in product(FILTERS, FILTERS) if p[0] < p[1]])
def test_filters_hold_together(reel, pair):
    chosen = {name: FILTERS[name][0] for name in pair}
    found = reel.runs(limit=0, **chosen).items

    assert found == tuple(
        item for item in reel.runs(limit=0) if all(FILTERS[name][1](item) for name in pair)
    )


def test_several_labels_must_all_be_there(reel):
    assert ids(reel.runs(labels={"team": "ads", "n": "3"})) == ["run-03"]
    assert ids(reel.runs(labels={"team": "search", "n": "3"})) == []
    assert ids(reel.runs(labels={"team": ""})) == []


def test_times_are_moments_whatever_zone_they_are_told_in(reel):
    moment = NOON + timedelta(seconds=30)
    expected = reel.runs(limit=0, since=moment).items
    elsewhere = moment.astimezone(timezone(timedelta(hours=5, minutes=45)))

    assert reel.runs(limit=0, since=elsewhere).items == expected
    assert reel.runs(limit=0, since=moment.timestamp()).items == expected
    assert reel.runs(limit=0, since=elsewhere.isoformat()).items == expected


def test_times_without_an_offset_are_local_everywhere(reel, monkeypatch):
    moment = NOON + timedelta(seconds=30)
    expected = reel.runs(since=moment).items
    report = reel.usage((), since=moment)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        local = (moment + timedelta(hours=9)).replace(tzinfo=None)
        assert reel.runs(since=local).items == reel.runs(since=local.isoformat()).items == expected
        assert reel.runs(until=local).items == reel.runs(until=moment).items
        assert reel.usage((), since=local).totals == report.totals
        assert reel.usage((), since=moment.replace(tzinfo=None), tz="UTC").totals == report.totals
        pruned = [run.run_id for run in reel.prune(local, dry_run=True)]
        assert pruned == [run.run_id for run in reel.prune(moment, dry_run=True)]
        run = reel.run("run-27")
        start = run.started_at.astimezone().replace(tzinfo=None)
        assert reel.state("run-27", start)[0].started_at == run.started_at
        day = local.date()
        assert reel.runs(on=day).items == reel.runs(on=day.isoformat()).items
        assert reel.runs(on=day).items == tuple(
            run for run in reel.runs() if run.started_at.astimezone().date() == day
        )
    time.tzset()


@pytest.mark.parametrize("status", RunStatus)
def test_each_status_is_a_filter(reel, status):
    found = reel.runs(limit=0, status=status).items
    assert found == tuple(item for item in reel.runs(limit=0) if item.status is status)


def test_statuses_are_told_by_name_too(reel):
    assert (
        reel.runs(status="failed", limit=0).items
        == reel.runs(status=RunStatus.FAILED, limit=0).items
    )
    with pytest.raises(UsageError, match="invalid status 'over'"):
        reel.runs(status="over")
    with pytest.raises(UsageError, match="invalid recording 'lost'") as caught:
        reel.runs(recording="lost")
    assert caught.value.hint == "Choose from open, closed, interrupted, pruned."


@pytest.mark.parametrize("value", ["x\0y", "x\ud800", "'; DROP TABLE runs; --", "%", "_"])
@pytest.mark.parametrize("name", ["source", "assistant", "thread", "model"])
def test_what_no_run_has_finds_none(reel, name, value):
    assert ids(reel.runs(**{name: value})) == []
    assert ids(reel.runs(labels={value: value})) == []


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 29, 30, 31])
@pytest.mark.parametrize(
    "chosen", [{}, {"labels": {"team": "ads"}}, {"source": "yandex-assistants"}]
)
def test_pages_end_to_end_are_the_whole_list(reel, limit, chosen):
    found: list[str] = []
    after = None
    while True:
        page = reel.runs(limit=limit, after=after, **chosen)
        assert 0 < len(page) <= limit
        found += ids(page)
        if page.next is None:
            break
        after = page.next
    assert found == ids(reel.runs(limit=0, **chosen))


def test_a_run_that_begins_while_pages_are_turned_moves_none_of_the_others(db_url):
    with runreel.open(db_url) as own:
        for n in range(6):
            with own.recording(f"old-{n}") as recording:
                recording.append(partial("x"))
        first = own.runs(limit=3)
        with own.recording("new") as recording:
            recording.append(partial("x"))
        second = own.runs(limit=3, after=first.next)

        assert ids(first) + ids(second) == [f"old-{n}" for n in reversed(range(6))]
        assert own.runs(limit=1).items[0].run_id == "new"


def test_without_a_limit_all_runs_are_iterated_over_page_by_page(db_url, monkeypatch):
    read: list[int] = []
    list_runs = queries.list_runs

    def counted(connection, chosen, *, limit, after):
        page = list_runs(connection, chosen, limit=limit, after=after)
        read.append(len(page))
        return page

    monkeypatch.setattr(queries, "list_runs", counted)
    monkeypatch.setattr(queries, "_PAGE_SIZE", 4)
    with runreel.open(db_url) as own:
        assert (list(own.runs()), len(own.runs()), bool(own.runs())) == ([], 0, False)
        for n in range(11):
            with own.recording(f"run-{n:02d}", model=f"m{n % 2}") as recording:
                recording.append(partial("x"))
        names = [f"run-{n:02d}" for n in reversed(range(11))]
        read.clear()
        runs = own.runs()
        assert read == [4]
        iterator = iter(runs)
        assert [next(iterator).run_id for _ in range(5)] == names[:5]
        assert read == [4, 4], "no more is read than is asked for"
        assert [run.run_id for run in iterator] == names[5:]
        assert ids(runs) == ids(runs) == [run.run_id for run in runs.items] == names
        assert (len(runs), bool(runs), runs.next) == (11, True, None)
        assert ids(own.runs(model="m1")) == names[1::2]
        assert len(own.runs(model="m1")) == 5
        first = own.runs(limit=3)
        assert (ids(first), len(first)) == (names[:3], 3)
        assert ids(own.runs(after=first.next)) == names[3:]
        assert len(own.runs(after=first.next)) == 8
        assert len(own.runs(limit=0)) == 11
        # A run that begins meanwhile moves none of the others.
        later = iter(own.runs())
        next(later)
        with own.recording("new") as recording:
            recording.append(partial("x"))
        assert [run.run_id for run in later] == names[1:]


def test_runs_do_not_hold_a_connection_between_pages(db_url):
    with runreel.open(db_url) as own:
        for n in range(3):
            with own.recording(f"run-{n}") as recording:
                recording.append(partial("x"))
        half = [iter(own.runs()) for _ in range(40)]
        for iterator in half:
            next(iterator)
        with own.recording("more") as recording:
            recording.append(partial("x"))
        assert [len(list(iterator)) for iterator in half] == [2] * 40


FORGED = [
    base64.urlsafe_b64encode(text).decode().rstrip("=")
    for text in (b"12", b"12:", b"x:run", b"12:a\0b", b"1_2:run", b"9" * 30 + b":run", b"12:\xff")
]


@pytest.mark.parametrize(
    "cursor", ["", "x", "?", "YWJj", "MTI", "é", "MTIzOg==x", "A" * 1_000, *FORGED]
)
def test_a_cursor_that_is_none_is_refused(reel, cursor):
    with pytest.raises(UsageError, match="invalid cursor"):
        reel.runs(after=cursor)


def test_a_limit_below_zero_is_refused(reel):
    with pytest.raises(UsageError, match="from 0"):
        reel.runs(limit=-1)


@pytest.mark.parametrize("chosen", [{}, {"status": "in_progress"}, {"source": "plain"}])
def test_a_page_of_open_and_unfinished_runs_takes_as_many_statements_as_one_run(
    db_url, chosen, monkeypatch
):
    counted, execute = [], Connection.execute

    def count(connection, sql, parameters=()):
        counted.append(sql)
        return execute(connection, sql, parameters)

    with runreel.open(db_url) as reel:
        recordings = [reel.recording(f"open-{n}") for n in range(12)]
        for recording in recordings:
            recording.append(partial("a"))
        for recording in recordings[:4]:
            recording.close()
        for recording in recordings[4:]:
            recording.append(partial("ab"))
        monkeypatch.setattr(Connection, "execute", count)
        statements = []
        for limit in 1, 0:
            counted.clear()
            page = reel.runs(limit=limit, **chosen)
            statements.append(len(counted))
        assert statements[0] == statements[1]
        # A status is also asked which runs are stale.
        assert sum("FROM events" in sql for sql in counted) == 1 + ("status" in chosen)
        last = {run.run_id: (run.events, run.last_seq, run.stale) for run in page}
        assert last == {f"open-{n}": (1 + (n >= 4), 2, False) for n in range(12)}


def test_a_live_run_is_shown_up_to_its_last_event(db_url):
    with runreel.open(db_url) as own:
        recording = own.recording("live")
        for n in range(1, 5):
            recording.append(RunStreamEvent(StreamEvent.EVENT_TYPE_UNSPECIFIED))
            (item,) = own.runs()
            assert (item.events, item.last_seq) == (n, n)
            assert own.run("live") == item
        recording.append(partial("Hello"))
        assert own.result("live").text == "Hello"
        recording.append(partial("Hello, world"))
        assert own.result("live").text == "Hello, world"
        recording.close()


# -- Names -----------------------------------------------------------------------------------------

NAMES = [
    "a",
    "ab",
    "abc",
    "abd",
    "a_b",
    "a%b",
    "A",
    "runs",
    "рун-1",
    "рун-2",
    "é",
    "e\u0301",
    "🎞",
]


@pytest.fixture(scope="module")
def named(second_url, tmp_path_factory):
    """A reel on a log that also has runs whose ids are like each other."""
    with filled(second_url, tmp_path_factory.mktemp("named")) as opened:
        for name in NAMES:
            with opened.recording(name) as recording:
                recording.append(partial("x"))
        yield opened


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_id_is_that_run_though_others_begin_so(named, name):
    assert named.resolve(name) == name


@pytest.mark.parametrize(
    ("prefix", "run_id"),
    [
        ("abd", "abd"),
        ("a_", "a_b"),
        ("a%", "a%b"),
        ("runs", "runs"),
        ("рун-2", "рун-2"),
        ("e", "e\u0301"),
        ("plain", "plain-1"),
    ],
)
def test_a_beginning_that_one_run_has_is_that_run(named, prefix, run_id):
    assert named.resolve(prefix) == run_id


def test_a_beginning_that_several_have_lists_them(named):
    with pytest.raises(AmbiguousRun, match="several runs begin with 'рун': рун-1, рун-2") as caught:
        named.resolve("рун")
    assert caught.value.candidates == ("рун-1", "рун-2")
    with pytest.raises(AmbiguousRun, match="run-09, …") as caught:
        named.resolve("run-")
    assert caught.value.candidates == tuple(f"run-{n:02d}" for n in range(10))


@pytest.mark.parametrize("text", ["", "b", "_", "%", "a\0", "\0", "\ud800", "a\udcff", "x" * 5_000])
def test_what_no_run_begins_with_is_not_found(named, text):
    for ask in (named.resolve, named.run, named.result, lambda it: list(named.events(it))):
        with pytest.raises(RunNotFound) as caught:
            ask(text)
        assert caught.value.exit_code == 2
    with pytest.raises(RunNotFound):
        named.timeline(text)
    for check in (True, False):
        with pytest.raises(RunNotFound):
            named.rebuild([text], check=check)


def test_latest_is_the_run_that_began_last(db_url):
    with runreel.open(db_url) as own:
        with pytest.raises(RunNotFound, match="no runs yet"):
            own.resolve("latest")
        for name in ("b", "c", "a"):
            with own.recording(name) as recording:
                recording.append(partial("x"))
        with own.recording("b") as recording:
            recording.append(partial("later, in a run that began before"))
        assert own.resolve("latest") == "a"


# -- States ----------------------------------------------------------------------------------------


def ticking(reel, run_id: str) -> Recorder:
    """A recorder whose clock moves on by a second with each event."""
    seconds = iter(range(1_000))
    return Recorder(
        reel.db,
        run_id,
        source="plain",
        via="program",
        clock=lambda: (1_744_027_200 + next(seconds)) * 1_000_000_000,
    )


@pytest.fixture
def told(db_url):
    """A reel with a run of five events, one a second from noon on."""
    with runreel.open(db_url) as own:
        recorder = ticking(own, "run")
        recorder.append("stream_event", {"type": "PARTIAL_MESSAGE", "text": "Hel"})
        recorder.append("stream_event", {"type": "PARTIAL_MESSAGE", "text": "Hello"})
        begun = {"input_text_tokens": 1, "completion_tokens": 0, "total_tokens": 1}
        recorder.append("run", {"type": "IN_PROGRESS", "usage": begun})
        recorder.append("stream_event", {"type": "DONE", "text": "Hello!"})
        usage = {"input_text_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
        recorder.append("run", {"type": "COMPLETED", "text": "Hello!", "usage": usage})
        recorder.close()
        yield own


STATES = [
    (RunStatus.RUN_STATUS_UNSPECIFIED, None, None),
    (RunStatus.IN_PROGRESS, "Hel", None),
    (RunStatus.IN_PROGRESS, "Hello", None),
    (RunStatus.IN_PROGRESS, "Hello", Usage(1, 1, 0)),
    (RunStatus.COMPLETED, "Hello!", Usage(1, 1, 0)),
    (RunStatus.COMPLETED, "Hello!", Usage(1, 3, 2)),
]


@pytest.mark.parametrize("seq", range(len(STATES)))
def test_the_state_after_a_row_is_as_if_nothing_came_after_it(told, seq):
    result = told.result("run", at=seq)
    summary, same = told.state("run", seq)

    assert (result.status, result.text, result.usage) == STATES[seq]
    assert same == result
    assert summary.last_seq == seq
    assert summary.recording == "open"


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=-3, minutes=-30))])
def test_the_state_at_a_time_has_what_had_come_by_then(told, zone):
    # The first row is the note before the first event, of the same moment.
    for second, state in enumerate(STATES[1:]):
        for late in (0, 0.999999):
            moment = (NOON + timedelta(seconds=second + late)).astimezone(zone)
            result = told.result("run", at=moment)
            assert (result.status, result.text, result.usage) == state


def test_there_is_no_state_before_the_run(told):
    for at in (-1, NOON - timedelta(microseconds=1)):
        with pytest.raises(RunNotFound, match="had no events then"):
            told.result("run", at=at)
    with pytest.raises(RunNotFound, match="run not found: 'nowhere'"):
        told.result("nowhere", at=3)


def test_a_row_behind_the_end_is_refused_and_a_time_behind_it_is_the_end(told):
    assert told.result("run", at=6) == told.result("run")
    for at in (7, 10**6, 2**63 - 1, 2**63, 10**30):
        with pytest.raises(UsageError, match=f"run run has no row {at}; its last row is 6"):
            told.result("run", at=at)
    assert told.result("run", at=datetime.max.replace(tzinfo=UTC)) == told.result("run")
    assert told.run("run").recording == "closed"


def test_rows_may_be_asked_for_by_place_and_type(told):
    assert [event.seq for event in told.events("run", start=2, stop=5)] == [2, 3, 4]
    assert [event.text for event in told.events("run", start=2, stop=3)] == ["Hello"]
    assert [event.seq for event in told.events("run", type="PARTIAL_MESSAGE")] == [1, 2]
    assert [event.seq for event in told.events("run", type="COMPLETED", start=2)] == [5]
    assert [event.seq for event in told.events("run", type="partial_message")] == [1, 2]
    assert [event.seq for event in told.events("run", type=StreamEvent.PARTIAL_MESSAGE)] == [1, 2]
    assert [event.seq for event in told.events("run", type=["Completed", "OPENED"])] == [0, 5]
    assert [event.seq for event in told.events("run", type="note")] == [0, 6]
    with pytest.raises(UsageError, match="invalid type 'over'"):
        told.events("run", type="over")
    assert list(told.events("run", start=99)) == []
    assert list(told.events("run", stop=0)) == []
    assert list(told.events("run", start=2**70, stop=2**80)) == []
    assert len(list(told.events("run", start=-5, stop=2**80))) == 7
    with pytest.raises(RunNotFound):
        list(told.events("nowhere"))


def test_a_result_asked_for_while_the_run_grows_is_of_one_moment(db_url, monkeypatch):
    """The row of the projections is read first, the text from the log behind it."""
    with runreel.open(db_url) as own:
        recording = own.recording("run")
        recording.result(RunResult(RunStatus.IN_PROGRESS, _message=PartialMessage(("Hello",))))
        from runreel.store.events import event_log

        read = event_log.read

        def and_meanwhile(connection, run_id, **where):
            monkeypatch.setattr(event_log, "read", read)
            recording.append(partial("something else, and longer"))
            return read(connection, run_id, **where)

        monkeypatch.setattr(event_log, "read", and_meanwhile)
        assert own.result("run").text == "Hello"
        assert own.result("run").text == "something else, and longer"
        recording.close()
