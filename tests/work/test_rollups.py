"""What usage adds up to beside the runs: the same as the runs, whatever happened to them."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import runreel
from runreel.model.results import RunResult, RunStreamEvent, Usage, UsageDetails
from runreel.model.runs import RunError, RunSummary
from runreel.model.selection import RunFilter, choose
from runreel.model.status import RunStatus, StreamEvent
from runreel.projection import period_names, run_mapper
from runreel.projection import usage_periods as usages
from runreel.projection.run_projection import RunProjection
from runreel.store.connection import RollbackTransaction
from runreel.store.projections import run_table, usage_buckets, usage_queries, usage_rollup_check
from tests import logs
from tests.strategies import SOME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from runreel.store.connection import Connection

NOON = datetime(2025, 3, 29, 12, tzinfo=UTC)
AUTUMN = datetime(2025, 10, 25, 23, tzinfo=UTC)
# Days around the hour when clocks are turned, the calendar's ends, and before the epoch.
_MOMENTS = st.one_of(
    st.timedeltas(timedelta(days=-1), timedelta(days=2)).map(lambda later: NOON + later),
    st.timedeltas(timedelta(), timedelta(hours=4)).map(lambda later: AUTUMN + later),
    st.sampled_from(["0001-01-01T00:00", "1969-12-31T23:59", "9999-12-31T23:59"]).map(
        lambda told: datetime.fromisoformat(told).replace(tzinfo=UTC)
    ),
)
_BORDERS = _MOMENTS.map(lambda moment: moment.replace(minute=moment.minute // 15 * 15, second=0))
_WIDE = st.integers(0, 9) | st.integers(2**62, 2**63 - 1)
_NAMES = st.sampled_from([None, "", "a", "b", "я", "x" * 300])
_SOURCES = st.sampled_from(["plain", "other"])
_STATUSES = st.sampled_from([RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.IN_PROGRESS])
_RECORDINGS = st.sampled_from(["open", "closed", "closed", "interrupted", "pruned"])
_LABELS = st.dictionaries(st.sampled_from(["k", "l"]), st.sampled_from(["v", "w"]))
_USAGES = st.none() | st.builds(Usage, _WIDE, _WIDE, _WIDE)
_DETAILS = st.none() | st.builds(UsageDetails, *[st.none() | _WIDE] * 3).filter(
    lambda found: found != UsageDetails()
)


def summary(number: int, told: dict[str, Any]) -> RunSummary:
    """A run of which a list knows these things."""
    nothing = dict.fromkeys(RunSummary._fields)
    return RunSummary(**(nothing | {"run_id": f"run-{number}", "events": 0} | told))


FAILED = summary(
    0,
    {
        "source": "plain",
        "status": RunStatus.FAILED,
        "recording": "closed",
        "labels": {},
        "started_at": NOON,
        "error": RunError(None, "E1"),
        "last_seq": 1,
    },
)
_RUNS = st.builds(
    summary,
    st.integers(0, 9),
    st.fixed_dictionaries(
        {
            "source": _SOURCES,
            "status": _STATUSES,
            "recording": _RECORDINGS,
            "assistant_id": _NAMES,
            "thread_id": _NAMES,
            "model": _NAMES,
            "labels": _LABELS,
            "started_at": _MOMENTS,
            "created_by": _NAMES,
            "error": st.none()
            | st.sampled_from([RunError("it failed", None), RunError(None, "E1")]),
            "usage": _USAGES,
            "usage_details": _DETAILS,
            "last_seq": st.integers(0, 5),
        }
    ),
)


def several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Mostly one value or none."""
    some = st.lists(values.filter(lambda value: value is not None), max_size=3, unique=True)
    return st.just(()) | some.map(tuple)


_FILTERS = st.builds(
    RunFilter,
    status=several(_STATUSES).map(choose),
    source=several(_SOURCES),
    assistant=several(_NAMES),
    model=several(_NAMES),
) | st.builds(
    RunFilter,
    thread=several(_NAMES),
    recording=several(_RECORDINGS),
    labels=st.dictionaries(st.sampled_from(["k", "l"]), several(st.sampled_from(["v", "w"]))).map(
        lambda found: {name: values for name, values in found.items() if values}
    ),
    has_error=st.booleans(),
    no_usage=st.booleans(),
)
_TIMES = st.none() | _MOMENTS | _BORDERS
_GROUPINGS = st.lists(
    st.sampled_from([*usages.TIMES, *usages.COLUMNS, "label:k"]), max_size=3, unique=True
)
_ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Moscow",
        "Europe/Berlin",
        "Asia/Kathmandu",
        "Pacific/Chatham",
        "Asia/Kolkata",
        "Australia/Lord_Howe",
    ]
)


@dataclass
class Kept:
    """Runs as they should be, beside a database."""

    connection: Connection
    runs: dict[str, RunSummary] = field(default_factory=dict)

    def save(self, told: list[RunSummary]) -> None:
        run_table.save(self.connection, *(RunProjection(one, _RESULT, "") for one in told))
        for one in {run.run_id: run for run in told}.values():
            before = self.runs.get(one.run_id)
            if before is None or before.last_seq <= one.last_seq:
                self.runs[one.run_id] = one

    def delete(self, run_id: str) -> None:
        run_table.delete(self.connection, run_id)
        self.runs.pop(run_id, None)

    def report(self, by: list[str], chosen: RunFilter, zone: str) -> runreel.UsageReport:
        """What the report should be, run by run."""
        timed = any(name in usages.TIMES for name in by)
        rows = []
        for run in self.runs.values():
            if not lets_through(chosen, run):
                continue
            time = local_hour(run.started_at, zone) if "hour" in by else None
            time = time or local_day(run.started_at, zone)
            values = [value_of(run, name) for name in by if name not in usages.TIMES]
            used = run.usage
            tokens = (
                (None,) * 3
                if used is None
                else (used.input_text_tokens, used.completion_tokens, used.total_tokens)
            )
            more = run.usage_details or UsageDetails()
            tokens += (more.cached_tokens, more.cache_write_tokens, more.reasoning_tokens)
            rows.append((*([time] if timed else []), *values, 1, int(used is not None), *tokens))
        return usages.report(by, rows, tz_name=zone)


_RESULT = RunResult(RunStatus.COMPLETED)


def local_day(moment: datetime, zone: str) -> int:
    # At the calendar's ends there is no other day.
    with contextlib.suppress(OverflowError):
        moment = moment.astimezone(ZoneInfo(zone))
    return moment.toordinal() - date(1970, 1, 1).toordinal()


def local_hour(moment: datetime, zone: str) -> datetime:
    """The hour on the clock; with its offset if the clock shows it twice."""
    # At the calendar's ends there is no other hour.
    with contextlib.suppress(OverflowError):
        moment = moment.astimezone(ZoneInfo(zone))
    hour = moment.replace(minute=0, second=0, microsecond=0, tzinfo=None)
    for minutes in range(-180, 181, 15):
        with contextlib.suppress(OverflowError):
            other = (moment.astimezone(UTC) + timedelta(minutes=minutes)).astimezone(ZoneInfo(zone))
            if other.utcoffset() != moment.utcoffset() and (
                other.replace(minute=0, second=0, microsecond=0, tzinfo=None) == hour
            ):
                return hour.replace(tzinfo=timezone(moment.utcoffset()))
    return hour


def value_of(run: RunSummary, name: str) -> str | None:
    if name.startswith("label:"):
        return run.labels.get(name.removeprefix("label:"))
    if name == "status":
        return run.status.name
    if name == "created_by":
        return run.created_by
    if name == "error":
        return run.error and (run.error.message or run.error.code)
    return run_mapper.index_key(getattr(run, usages.COLUMNS[name]))


def lets_through(chosen: RunFilter, run: RunSummary) -> bool:
    asked = {
        "source": chosen.source,
        "assistant_id": chosen.assistant,
        "thread_id": chosen.thread,
        "model": chosen.model,
        "recording": chosen.recording,
    }
    return (
        all(not values or getattr(run, name) in values for name, values in asked.items())
        and (chosen.status is None or chosen.status.selects(run.status, run.recording))
        and all(run.labels.get(name) in values for name, values in chosen.labels.items())
        and (chosen.since is None or run.started_at >= chosen.since)
        and (chosen.until is None or run.started_at < chosen.until)
        and not (chosen.has_error and run.error is None)
        and not (chosen.no_usage and run.usage is not None)
    )


@pytest.fixture(scope="module")
def empty(shared_url: str) -> Iterator[Reel]:
    """A reel on a log that stays empty."""
    with runreel.open(shared_url) as opened:
        yield opened


@SOME
@example(written=[[FAILED]], asked=[(("error",), RunFilter(), None, None, "UTC")])
@given(
    written=st.lists(st.lists(_RUNS, max_size=4) | st.integers(0, 9), max_size=8),
    asked=st.lists(st.tuples(_GROUPINGS, _FILTERS, _TIMES, _TIMES, _ZONES), min_size=1, max_size=6),
)
def test_a_report_is_that_of_the_runs_whatever_was_written_and_is_asked(empty, written, asked):
    with empty.db.writing() as connection, connection.transaction():
        kept = Kept(connection)
        for step in written:
            if isinstance(step, int):
                kept.delete(f"run-{step}")
            else:
                kept.save(step)
            assert list(usage_rollup_check.differences(connection)) == []
        for by, chosen, since, until, zone in asked:
            within = replace(chosen, since=since, until=until)
            columns = [usages.column_of(name) for name in by if name not in usages.TIMES]
            ahead = None
            if any(name in usages.TIMES for name in by):
                ahead = usages.utc_offsets(ZoneInfo(zone), usage_queries.days(connection, within))
            by_hour = "hour" in by
            rows = usage_queries.usage(
                connection, columns, within, utc_offsets=ahead, by_hour=by_hour
            )
            if by_hour:
                rows = [(period_names.hour_of(row[0], ZoneInfo(zone)), *row[1:]) for row in rows]
            assert usages.report(by, rows, tz_name=zone) == kept.report(by, within, zone)
        for run_id in list(kept.runs):
            kept.delete(run_id)
        left = connection.one("SELECT count(*) FROM usage_by_value")
        assert left[0] == 0, "what a run was about is gone with it"
        raise RollbackTransaction


# -- Logs of one's own -----------------------------------------------------------------------------


@pytest.fixture
def own(db_url: str) -> Iterator[Reel]:
    """A reel on a log with a run in each hour of two days, of two models and three assistants."""
    with runreel.open(db_url) as opened:
        for n in range(48):
            told = {"model": f"m{n % 2}", "assistant_id": f"a{n % 3}" if n % 5 else None}
            record(opened, f"run-{n:02d}", NOON + timedelta(hours=n), **told)
        yield opened


def record(reel: Reel, run_id: str, moment: datetime, **identity: Any) -> None:
    with logs.recording_at(reel, run_id, moment, **identity) as recording:
        recording.result(RunResult(RunStatus.COMPLETED, usage=Usage(1, 3, 2)))


def named(reel: Reel, run_ids: list[str] | None = None) -> list[tuple[str, str]]:
    return [(d.run_id, d.column) for d in reel.rebuild(run_ids, check=True)]


def everything(reel: Reel) -> list[Any]:
    """Every sum, in whichever slots its parts are."""
    key = "dimension, span, start, value, named"
    return [
        logs.execute(
            reel,
            f"SELECT {columns}, {usage_buckets.SUMS} FROM {table} GROUP BY {columns}"
            f" ORDER BY {columns}",
        )
        for table, columns in (("usage_by_time", "span, start"), ("usage_by_value", key))
    ]


ABSENT = ["usage_by_time", *(f"usage_by_value {name}" for name in sorted(usage_buckets.DIMENSIONS))]


def rows_of(sums: list[Any]) -> list[int]:
    """How many rows there are of all that may lack altogether."""
    times, values = sums
    names = [row[0] for row in values]
    return [len(times), *map(names.count, sorted(usage_buckets.DIMENSIONS))]


FALSE = {
    "UPDATE usage_by_time SET runs = runs + 1 WHERE span = 4 AND start = {start}": (
        "usage_by_time hour 2025-03-29T12:00Z"
    ),
    "UPDATE usage_by_time SET total_high = -1 WHERE span = 1 AND start = {start}": (
        "usage_by_time quarter 2025-03-29T12:00Z"
    ),
    "DELETE FROM usage_by_time WHERE span = 1 AND start = {start}": (
        "usage_by_time quarter 2025-03-29T12:00Z"
    ),
    f"INSERT INTO usage_by_time SELECT span, 7, slot, runs, known{', 0' * 15}"
    " FROM usage_by_time WHERE span = 1 AND start = {start}": (
        "usage_by_time quarter 1970-01-01T01:45Z"
    ),
    "UPDATE usage_by_time SET cached_known = 1 WHERE span = 4 AND start = {start}": (
        "usage_by_time hour 2025-03-29T12:00Z"
    ),
    "UPDATE usage_by_value SET known = 0 WHERE dimension = 'model' AND value = 'm0'"
    " AND span = 96 AND start = {day}": "usage_by_value day 2025-03-29T00:00Z model = 'm0'",
    "UPDATE usage_by_value SET input_low = 9 WHERE dimension = 'assistant_id' AND named = 0"
    " AND span = 4 AND start = {start}": (
        "usage_by_value hour 2025-03-29T12:00Z assistant_id unknown"
    ),
    "DELETE FROM usage_by_value WHERE dimension = 'status' AND span = 1 AND start = {start}": (
        "usage_by_value quarter 2025-03-29T12:00Z status = 'COMPLETED'"
    ),
}


@pytest.mark.parametrize("sql", FALSE)
def test_a_falsified_sum_is_named_and_mended(own: Reel, sql: str) -> None:
    before = everything(own)
    start = int(NOON.timestamp()) // 900
    logs.execute(own, sql.format(start=start, day=start // 96 * 96))

    assert named(own) == [("*", FALSE[sql])]
    assert named(own, ["run-00"]) == [], "one run says nothing of sums"
    (difference,) = own.rebuild()
    assert difference.stored != difference.rebuilt
    assert everything(own) == before
    assert named(own) == []


def test_sums_that_were_emptied_are_made_anew(own: Reel) -> None:
    before = own.usage(("model", "day"), tz="UTC"), own.usage(("day",), tz="UTC"), everything(own)
    for table in ("usage_by_time", "usage_by_value"):
        logs.execute(own, f"DELETE FROM {table}")
    assert own.usage(("day",), tz="UTC").items == ()
    check = own.rebuild(check=True)
    assert [(d.run_id, d.column, d.stored) for d in check] == [("*", name, None) for name in ABSENT]
    assert [d.rebuilt for d in check] == [f"{rows} rows" for rows in rows_of(before[-1])]
    assert own.rebuild() == check
    after = own.usage(("model", "day"), tz="UTC"), own.usage(("day",), tz="UTC"), everything(own)
    assert after == before


def test_what_lacks_altogether_is_one_difference_and_what_is_wrong_beside_it_is_named(
    own: Reel,
) -> None:
    before = everything(own)
    logs.execute(own, "DELETE FROM usage_by_value WHERE dimension = 'model'")
    logs.execute(own, "DELETE FROM usage_by_value WHERE dimension = 'status' AND span = 96")
    logs.execute(own, "DELETE FROM runs WHERE run_id = 'run-20'")
    days = [
        ("*", f"usage_by_value day 2025-03-{day}T00:00Z status = 'COMPLETED'")
        for day in (29, 30, 31)
    ]
    found = own.rebuild(check=True)
    named = [(d.run_id, d.column) for d in found]
    assert named == [("run-20", "*"), ("*", "usage_by_value model"), *days]
    assert found[1].rebuilt == f"{rows_of(before)[2]} rows", "with the run that lacks"
    assert own.rebuild() == found
    assert everything(own) == before


def test_a_run_that_lacks_with_all_usage_is_counted_in_it(own: Reel) -> None:
    before = everything(own)
    for table in ("runs", "usage_by_time", "usage_by_value"):
        logs.execute(own, f"DELETE FROM {table}")
    check = own.rebuild(check=True)
    assert [d.rebuilt for d in check[-5:]] == [f"{rows} rows" for rows in rows_of(before)]
    assert own.rebuild() == check
    assert everything(own) == before


def test_rebuilding_one_run_keeps_what_its_day_adds_up_to(own: Reel) -> None:
    before = everything(own)
    # As if an older version had read the run so, and added it up so.
    logs.execute(own, "UPDATE runs SET model = 'wrong', total_tokens = 4 WHERE run_id = 'run-07'")
    logs.recount(own)
    own.rebuild(["run-07"])
    assert everything(own) == before

    # As if somebody had changed the row alone.
    logs.execute(own, "UPDATE runs SET model = 'wrong', total_tokens = 4 WHERE run_id = 'run-07'")
    own.rebuild(["run-07"])
    assert everything(own) == before


def test_an_open_recording_counts_before_and_after_it_ends(own: Reel) -> None:
    for _ in range(2):
        recording = own.recording("live", model="m9")
        recording.append(RunStreamEvent(StreamEvent.DONE))
        (item,) = own.usage(("model",), model="m9").items
        assert (item.totals.runs, item.totals.known) == (1, 0)
        assert logs.execute(own, "SELECT 1 FROM usage_by_value WHERE value = 'm9'") == []
        recording.close()
        assert own.usage(("model",), model="m9").items == (item,)
        assert len(logs.execute(own, "SELECT 1 FROM usage_by_value WHERE value = 'm9'")) == 3
    assert named(own) == []


def test_pruned_runs_count_if_their_usage_is_kept_and_leave_nothing_if_not(own: Reel) -> None:
    before = own.usage(("model", "day"), tz="UTC")
    list(own.prune(NOON + timedelta(hours=20), keep_usage=True))
    assert own.usage(("model", "day"), tz="UTC") == before
    assert named(own) == []
    list(own.prune(NOON + timedelta(hours=99)))
    assert own.usage(()).totals.runs == 0
    assert logs.execute(own, "SELECT * FROM usage_by_value") == []
    assert named(own) == []


def test_recorders_of_many_connections_lose_nothing_and_wait_for_no_other(db_url: str) -> None:
    """Runs of the same quarters end, go on and end again, in another order in each thread."""
    threads, runs = 6, 12
    failed: list[Exception] = []

    def work(number: int) -> None:
        try:
            with runreel.open(db_url) as reel:
                for n in range(runs):
                    place = (n * (1 + 2 * (number % 2)) + number) % runs
                    told = {"model": f"m{place % 3}", "assistant_id": f"a{place % 4}"}
                    moment = NOON + timedelta(minutes=10 * place)
                    record(reel, f"run-{number}-{n}", moment, **told)
                    # It goes on, and so is taken out and put in again.
                    record(reel, f"run-{number}-{n}", moment)
        except Exception as error:  # noqa: BLE001 - told below
            failed.append(error)

    working = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    assert failed == []
    with runreel.open(db_url) as reel:
        assert reel.usage(()).totals.runs == threads * runs
        assert reel.usage(()).totals.total_tokens == 3 * threads * runs
        assert named(reel) == []


def test_what_no_index_takes_is_cut_and_still_told_apart(db_url: str) -> None:
    long = "".join(chr(0x4E00 + n) for n in range(5_000))
    with runreel.open(db_url) as reel:
        for end in ("a", "b"):
            told = {"assistant_id": long + end, "thread_id": long + end, "model": long + end}
            record(reel, f"run-{end}", NOON, labels={long + end: long + end}, **told)
        assert named(reel) == []
        assert [run.run_id for run in reel.runs(model=long + "a")] == ["run-a"]
        assert [run.run_id for run in reel.runs(labels={long + "b": long + "b"})] == ["run-b"]
        models = [item.key[0] for item in reel.usage(("model",)).items]
        assert len(models) == 2
        assert all(len(model) == 200 and model.startswith(long[:183]) for model in models)
        assert [event.raw["model"] for event in reel.events("run-a", stop=1)] == [long + "a"]
