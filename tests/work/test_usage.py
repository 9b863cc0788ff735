"""Token totals: exact, of the right day, with what is unknown counted as unknown."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

import runreel
from runreel.importing.import_files import import_files
from runreel.model.errors import UsageError
from runreel.model.results import RunResult, RunStreamEvent, Usage
from runreel.model.status import RunStatus, StreamEvent
from runreel.model.usage import UsageTotals
from tests import logs, real_runs, traffic

MADE_UP = {
    f"made-up-{n}": make(f"made-up-{n}", assistant=f"asst-{n % 2}", thread=f"thread-{n % 3}")
    for n, make in enumerate(traffic.SHAPES.values())
}
RECORDINGS = [*MADE_UP.values(), *real_runs.RECORDINGS.values()]


def by_hand(lines):
    """Run id, model and last told usage of a recording, read without a line of our own code."""
    runs = [line["data"] for line in lines if line["type"] == "run"]
    models = [line["data"]["modelUri"] for line in lines if line["type"] == "assistant"]
    usages = [
        tuple(
            int(run["usage"].get(key, 0))
            for key in ("promptTokens", "completionTokens", "totalTokens")
        )
        for run in runs
        if "usage" in run
    ]
    return runs[0]["id"], models[-1] if models else None, usages[-1] if usages else None


def sums(totals) -> tuple:
    return (
        totals.runs,
        totals.known,
        totals.unknown,
        totals.input_text_tokens,
        totals.completion_tokens,
        totals.total_tokens,
    )


def added(usages) -> tuple:
    known = [usage for usage in usages if usage is not None]
    tokens = (sum(usage[n] for usage in known) if known else None for n in range(3))
    return (len(usages), len(known), len(usages) - len(known), *tokens)


@pytest.fixture(scope="module")
def imported(shared_url, tmp_path_factory):
    """A reel on a log with every recording there is."""
    folder = tmp_path_factory.mktemp("usage")
    paths = [traffic.write(folder / f"{n}.jsonl", lines) for n, lines in enumerate(RECORDINGS)]
    with runreel.open(shared_url) as reel:
        assert import_files(reel.db, paths).problems == []
        yield reel


def test_usage_by_model_and_in_all_is_what_one_adds_up_by_hand(imported):
    of_model = defaultdict(list)
    for lines in RECORDINGS:
        _, model, usage = by_hand(lines)
        of_model[model].append(usage)
    report = imported.usage(("model",))

    assert {item.key[0]: sums(item.totals) for item in report.items} == {
        model: added(usages) for model, usages in of_model.items()
    }
    assert sums(report.totals) == added([by_hand(lines)[2] for lines in RECORDINGS])
    assert report.totals.unknown > 0


def test_runs_that_failed_are_unknown_and_never_zero(imported):
    report = imported.usage(("status",))
    (failed,) = [item.totals for item in report.items if item.key == ("FAILED",)]
    count = sum(1 for run in imported.runs(limit=0) if run.status is RunStatus.FAILED)

    assert sums(failed) == (count, 0, count, None, None, None)
    assert count > 0


def test_each_run_s_usage_is_what_its_source_told_last(imported):
    for lines in RECORDINGS:
        run_id, _, usage = by_hand(lines)
        assert imported.run(run_id).usage == (usage and Usage(usage[0], usage[2], usage[1]))


@pytest.mark.parametrize(
    "by",
    [
        ("assistant",),
        ("thread",),
        ("source",),
        ("status",),
        ("day",),
        ("week",),
        ("month",),
        ("assistant", "status"),
        ("day", "model"),
        ("thread", "assistant", "month"),
    ],
)
def test_groups_add_up_to_the_totals_whatever_they_are_by(imported, by):
    report = imported.usage(by, tz="UTC")
    counted: Counter = Counter()
    for run in imported.runs(limit=0):
        day = run.started_at
        year, week, _ = day.isocalendar()
        told = {
            "assistant": run.assistant_id,
            "thread": run.thread_id,
            "source": run.source,
            "status": run.status.name,
            "model": run.model,
            "day": f"{day:%Y-%m-%d}",
            "week": f"{year}-W{week:02d}",
            "month": f"{day:%Y-%m}",
        }
        counted[tuple(told[name] for name in by)] += 1

    assert report.by == by
    assert {item.key: item.totals.runs for item in report.items} == counted
    for field in ("runs", "known", "unknown", "input_text_tokens", "total_tokens"):
        values = [getattr(item.totals, field) for item in report.items]
        assert sum(value for value in values if value is not None) == getattr(report.totals, field)
    assert sums(report.totals) == sums(imported.usage(()).totals)


def test_a_report_by_nothing_is_the_totals(imported):
    report = imported.usage(())
    assert [(item.key, item.totals) for item in report.items] == [((), report.totals)]
    assert report.totals.runs == len(RECORDINGS)


def test_filters_of_lists_are_filters_of_reports(imported):
    for chosen in (
        {"status": "completed"},
        {"assistant": "asst-1"},
        {"has_error": True},
        {"no_usage": True},
        {"since": datetime(2025, 4, 7, 14, tzinfo=UTC)},
        {"until": datetime(2025, 4, 7, 14, tzinfo=UTC)},
        {"recording": "open"},
    ):
        runs = imported.runs(limit=0, **chosen).items
        usages = [run.usage for run in runs]
        told = [u and (u.input_text_tokens, u.completion_tokens, u.total_tokens) for u in usages]
        assert sums(imported.usage((), **chosen).totals) == added(told)


# -- Logs of one's own -----------------------------------------------------------------------------


def test_filters_that_no_run_can_match_count_nothing(imported):
    report = imported.usage("model", tz="UTC", status="completed", problems=True)
    assert (report.items, report.totals.runs) == ((), 0)
    assert imported.runs(status="completed", problems=True, limit=0).items == ()


def begin(reel, run_id: str, moment: datetime, usage: Usage | None = None, **identity) -> None:
    """A run that began at a moment."""
    with logs.recording_at(reel, run_id, moment, **identity) as recording:
        recording.result(RunResult(RunStatus.COMPLETED, usage=usage))


@pytest.fixture(scope="module")
def hourly(second_url):
    """A reel with a run each half hour around the days when clocks are turned."""
    moments = {}
    for day in (datetime(2025, 3, 30, tzinfo=UTC), datetime(2025, 10, 26, tzinfo=UTC)):
        for n in range(-32, 80):
            moment = day + timedelta(minutes=30 * n)
            moments[f"h-{day.month}-{n:03d}"] = moment
    insert = (
        "INSERT INTO runs (run_id, source, status, recording, started_at, events, result,"
        " projected_seq) VALUES (?, 'hourly', 'COMPLETED', 'closed', ?, 0, ?, 0)"
    )
    with runreel.open(second_url) as reel:
        for run_id, moment in moments.items():
            logs.execute(reel, insert, (run_id, int(moment.timestamp() * 1_000_000), b""))
        logs.recount(reel)
        yield reel, list(moments.values())
        # Their rows have no events, which the check of the whole log would report.
        logs.execute(reel, "DELETE FROM runs WHERE source = 'hourly'")
        logs.recount(reel)


ZONES = [
    "UTC",
    "Europe/Berlin",
    "Europe/Moscow",
    "America/St_Johns",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Chatham",
]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_a_run_counts_on_the_day_that_it_began_on_where_one_is(hourly, zone, by):
    reel, moments = hourly
    expected: Counter = Counter()
    for moment in moments:
        local = moment.astimezone(ZoneInfo(zone))
        year, week, _ = local.isocalendar()
        names = {
            "day": f"{local:%Y-%m-%d}",
            "week": f"{year}-W{week:02d}",
            "month": f"{local:%Y-%m}",
        }
        expected[names[by]] += 1
    report = reel.usage((by,), tz=zone, source="hourly")

    assert {item.key[0]: item.totals.runs for item in report.items} == expected
    assert [item.key[0] for item in report.items] == sorted(expected)
    assert report.tz == zone


def test_days_are_as_long_as_clocks_make_them(hourly):
    reel, _ = hourly
    report = reel.usage(("day",), tz="Europe/Berlin", source="hourly")
    halves = {item.key[0]: item.totals.runs for item in report.items}
    assert (halves["2025-03-30"], halves["2025-10-26"]) == (46, 50)


def test_the_machine_s_own_time_zone_is_the_default(hourly, monkeypatch):
    import time

    reel, _ = hourly
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kathmandu")
        time.tzset()
        report = reel.usage(("day",), source="hourly")
    time.tzset()
    expected = reel.usage(("day",), tz="Asia/Kathmandu", source="hourly")
    assert report.items == expected.items


@pytest.mark.parametrize(
    "name", ["Mars/Olympus", "", "../../etc/passwd", "/etc/passwd", "UTC\0", "x" * 300]
)
def test_a_time_zone_that_is_none_is_refused(imported, name):
    with pytest.raises(UsageError, match="invalid time zone"):
        imported.usage(tz=name)


@pytest.mark.parametrize("by", ["minute", "", "label:", "Day", "run_id", "total_tokens; --"])
def test_a_grouping_that_is_none_is_refused(imported, by):
    with pytest.raises(UsageError, match="invalid grouping"):
        imported.usage((by,))


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00", "1900-01-01T00:00", "1969-12-31T23:59", "9999-12-31T23:59"]
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_times_at_the_ends_of_the_calendar_have_a_day_too(db_url, moment, zone):
    with runreel.open(db_url) as reel:
        begin(reel, "run", datetime.fromisoformat(moment).replace(tzinfo=UTC))
        (item,) = reel.usage(("day",), tz=zone).items
        assert len(item.key[0]) == len("2025-01-01")
        if zone == "UTC":
            assert item.key[0] == moment[:10]


def test_labels_group_and_runs_without_them_are_a_group_too(db_url):
    now = datetime.now(UTC)
    with runreel.open(db_url) as reel:
        begin(reel, "a", now, Usage(1, 1, 0), labels={"team": "ads", "stage": "test"})
        begin(reel, "b", now, Usage(2, 2, 0), labels={"team": "ads"}, model="m")
        begin(reel, "c", now, Usage(4, 4, 0), labels={"team": "search\0", "stage": "test"})
        begin(reel, "d", now, Usage(8, 8, 0))

        def told(*by, **chosen):
            report = reel.usage(by, tz="UTC", **chosen)
            return [(item.key, item.totals.total_tokens) for item in report.items]

        assert told("label:team") == [(("ads",), 3), (("search\ufffd",), 4), ((None,), 8)]
        assert told("label:team", "label:stage") == [
            (("ads", "test"), 1),
            (("ads", None), 2),
            (("search\ufffd", "test"), 4),
            ((None, None), 8),
        ]
        assert told("label:stage", "model", labels={"team": "ads"}) == [
            (("test", None), 1),
            ((None, "m"), 2),
        ]
        assert told("label:team", labels={"team": "search\0"}) == [(("search\ufffd",), 4)]
        assert told("label:nothing") == [((None,), 15)]
        assert told("label:te\0am\ud800") == [((None,), 15)]
        today = now.date().isoformat()
        assert told("label:team", "day") == [
            (("ads", today), 3),
            (("search\ufffd", today), 4),
            ((None, today), 8),
        ]


def test_sums_are_exact_beyond_what_a_database_counts_to(db_url):
    huge = 2**63 - 1
    with runreel.open(db_url) as reel:
        for n in range(9):
            begin(reel, f"run-{n}", datetime.now(UTC), Usage(huge, huge - n, huge))
        report = reel.usage(("source",))

    assert sums(report.totals) == (9, 9, 0, 9 * huge, 9 * huge, 9 * huge - 36)
    assert report.items[0].totals == report.totals


def test_zero_is_known_and_none_is_not(db_url):
    with runreel.open(db_url) as reel:
        assert reel.usage(()).totals == UsageTotals()
        assert reel.usage(("day",)).items == ()
        begin(reel, "a", datetime.now(UTC), None)
        assert sums(reel.usage(()).totals) == (1, 0, 1, None, None, None)
        begin(reel, "b", datetime.now(UTC), Usage(0, 0, 0))
        assert sums(reel.usage(()).totals) == (2, 1, 1, 0, 0, 0)


def test_usage_of_a_run_is_its_last_and_no_sum_of_snapshots(db_url):
    with runreel.open(db_url) as reel, reel.recording("run") as recording:
        for n in range(1, 6):
            recording.result(RunResult(RunStatus.IN_PROGRESS, usage=Usage(10, 10 + n, n)))
            assert sums(reel.usage(()).totals) == (1, 1, 0, 10, n, 10 + n)
        recording.append(RunStreamEvent(StreamEvent.DONE))
        recording.result(RunResult(RunStatus.COMPLETED))
        assert reel.run("run").usage == Usage(10, 15, 5), "what was told once stays told"
