"""Filters: any of the values of one, all of different ones, everywhere alike."""

from __future__ import annotations

import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runreel
from runreel.model.errors import UsageError
from runreel.model.events import RECORDINGS
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent, Usage
from runreel.model.selection import STATES, choose, state_of
from runreel.model.status import RunStatus, StreamEvent
from runreel.model.timestamps import rfc3339
from runreel.system import process_identity
from tests import logs
from tests.strategies import SOME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from runreel.model.runs import RunSummary

NOON = datetime(2026, 3, 28, 12, tzinfo=UTC)
MODELS, TEAMS, ENVS, THREADS = (
    ("a", "b", "c"),
    ("x", "y", "z"),
    ("p", "q"),
    ("t1", "t2", "t3", "t4"),
)
ERRORS = ("no more quota", "Timeout of 30s", "100%_sure", "время вышло")
DURATIONS = (0, 1, 2, 4, 8)
RUNS = 72


def dead() -> process_identity.Process:
    """A process of this host that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    return process_identity.Process(socket.gethostname(), ended.pid, None)


def partial(text: str) -> RunStreamEvent:
    return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((text,)))


def tell(reel: Reel, n: int) -> None:
    """The nth run: it differs from the others in everything that runs are selected by."""
    labels = {"team": TEAMS[n % 3], "env": ENVS[n % 2]} if n % 5 else {}
    moment = NOON + timedelta(hours=n // 2)
    clock = iter([moment, moment, *[moment + timedelta(seconds=DURATIONS[n % 5])] * 9])
    recording = logs.recording_at(
        reel,
        f"run-{n:02d}",
        moment,
        model=MODELS[n % 3] if n % 7 else None,
        thread_id=THREADS[n % 4],
        assistant_id=f"asst-{n % 2}",
        labels=labels,
        requested_at=rfc3339(moment - timedelta(seconds=n % 4)) if n % 4 else None,
    )
    recording._recorder._clock = lambda: int(next(clock).timestamp() * 1_000_000) * 1_000
    recording.append(partial("x"))
    kind = n % 6
    if kind == 0:
        recording.append(RunStreamEvent(StreamEvent.ERROR, error=ERRORS[n % 4]))
    elif kind in (1, 2):
        usage = Usage(n, 1, n + 1) if n % 4 else None
        recording.result(RunResult(RunStatus.COMPLETED, usage=usage))
    elif kind == 3:
        recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS))
    ending = n // 6 % 4
    if ending == 0:
        recording.close()
    elif ending == 1:
        recording.interrupt("the connection broke")


@pytest.fixture(scope="module")
def reel(shared_url: str) -> Iterator[Reel]:
    """A log with runs of every status and recording; of those left open, half are stale."""
    with runreel.open(shared_url) as opened, pytest.MonkeyPatch.context() as patched:
        gone, here = dead(), process_identity.this()
        for n in range(RUNS):
            patched.setattr(process_identity, "this", lambda n=n: gone if n // 6 % 4 == 2 else here)
            tell(opened, n)
        yield opened


def lets_through(chosen: dict[str, Any], run: RunSummary) -> bool:
    """What the conditions mean, in plain Python."""

    def any_of(name: str, value: Any) -> bool:
        wanted = chosen.get(name)
        return wanted is None or value in (wanted if isinstance(wanted, list) else [wanted])

    statuses = chosen.get("status")
    if statuses is not None:
        statuses = statuses if isinstance(statuses, list) else [statuses]
        if not any(word in (run.status, run.status.name, run.state) for word in statuses):
            return False
    error = "" if run.error is None else run.error.message
    contains = chosen.get("error_contains")
    texts = contains if isinstance(contains, list) else [contains]
    took = run.duration_ms
    return (
        any_of("source", run.source)
        and any_of("model", run.model)
        and any_of("thread", run.thread_id)
        and any_of("assistant", run.assistant_id)
        and any_of("recording", run.recording)
        and all(
            run.labels.get(key) in (values if isinstance(values, list) else [values])
            for key, values in (chosen.get("labels") or {}).items()
        )
        and ("since" not in chosen or run.started_at >= chosen["since"])
        and ("until" not in chosen or run.started_at < chosen["until"])
        and ("on" not in chosen or f"{run.started_at:%Y-%m-%d}" in chosen["on"])
        and not (chosen.get("has_error") and run.error is None)
        and not (chosen.get("no_usage") and run.usage is not None)
        and not (chosen.get("problems") and run.state not in ("failed", "interrupted", "stale"))
        and (contains is None or any(text.lower() in error.lower() for text in texts if error))
        and (
            "slower_than" not in chosen
            or (took is not None and took > chosen["slower_than"] * 1_000)
        )
        and (
            "min_tokens" not in chosen
            or (run.usage is not None and run.usage.total_tokens >= chosen["min_tokens"])
        )
    )


def several(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values) | st.lists(st.sampled_from(values), min_size=1, max_size=4)


_MOMENTS = st.integers(-2, RUNS // 2 + 2).map(lambda hours: NOON + timedelta(hours=hours))
_STATUSES = several(*(word for word in STATES if word != "unknown"), *RunStatus, "IN_PROGRESS")
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "status": _STATUSES,
        "source": several("plain", "other"),
        "model": several(*MODELS, "none"),
        "thread": several(*THREADS),
        "assistant": several("asst-0", "asst-1", "none"),
        "recording": several(*RECORDINGS),
        "labels": st.fixed_dictionaries(
            {}, optional={"team": several(*TEAMS, "none"), "env": several(*ENVS)}
        ),
        "since": _MOMENTS,
        "until": _MOMENTS,
        "has_error": st.booleans(),
        "no_usage": st.booleans(),
        "problems": st.booleans(),
        "error_contains": several("QUOTA", "0%_s", "timeout", "время", "100_", "e"),
        "slower_than": st.sampled_from(DURATIONS),
        "min_tokens": st.integers(0, RUNS),
    },
)
# Few at a time: of many together nothing is left.
_FEW = FILTERS.map(lambda found: dict(list(found.items())[:3]))


@SOME
@given(chosen=_FEW, limit=st.integers(1, 30), by=st.sampled_from(["model", "status", "label:env"]))
def test_a_filter_selects_what_it_means_page_by_page_and_in_reports(reel, chosen, limit, by):
    everything = list(reel.runs())
    expected = [run for run in everything if lets_through(chosen, run)]
    found, after = [], None
    while True:
        page = reel.runs(**chosen, limit=limit, after=after)
        found += page.items
        if page.next is None:
            break
        assert len(page) == limit
        after = page.next
    assert found == expected
    listing = reel.runs(**chosen)
    assert (list(listing), len(listing), bool(listing)) == (expected, len(expected), bool(expected))
    tokens = [run.usage.total_tokens for run in expected if run.usage is not None]
    for groups in ((), (by,), ("day",)):
        report = reel.usage(groups, tz="UTC", **chosen)
        assert report.totals.runs == len(expected)
        assert sum(item.totals.runs for item in report.items) == len(expected)
        assert report.totals.total_tokens == (sum(tokens) if tokens else None)


@SOME
@given(days=st.lists(st.sampled_from(["2026-03-27", "2026-03-28", "2026-03-30", "2026-04-02"])))
def test_several_periods_are_any_of_them(reel, days):
    chosen = {"on": days} if days else {}
    expected = [run for run in reel.runs() if lets_through(chosen, run)]
    # The days of the log are those of UTC, in whichever zone the machine is.
    asked = {"on": [runreel_day(day) for day in days]} if days else {}
    assert list(reel.runs(**asked)) == expected
    assert reel.usage((), tz="UTC", **chosen).totals.runs == len(expected)


def runreel_day(day: str) -> Any:
    from runreel.model.selection import Interval

    start = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return Interval(start, start + timedelta(days=1))


def test_the_log_of_these_tests_has_every_state(reel):
    states = {run.state for run in reel.runs()}
    assert states == {"failed", "completed", "tool_calls", "in_progress", "interrupted", "stale"}


def test_a_state_is_a_word_that_selects_exactly_the_runs_that_show_it(reel):
    for state in STATES:
        expected = [run for run in reel.runs() if run.state == state]
        assert list(reel.runs(status=state)) == expected
        assert list(reel.runs(status=state.title())) == expected


@pytest.mark.parametrize("statuses", [["completed"], ["failed", "interrupted"], [RunStatus.FAILED]])
@pytest.mark.parametrize("keep_usage", [False, True])
def test_pruning_selects_by_the_same_rule(reel, statuses, keep_usage):
    found = reel.prune("now", statuses=statuses, dry_run=True, keep_usage=keep_usage)
    closed = [run for run in reel.runs(status=statuses) if run.recording != "open"]
    assert [run.run_id for run in found] == sorted(run.run_id for run in closed)
    assert closed


@given(
    values=st.lists(st.sampled_from([*STATES, *RunStatus]), min_size=1),
    problems=st.booleans(),
    status=st.sampled_from(RunStatus),
    recording=st.sampled_from(RECORDINGS),
    stale=st.booleans(),
)
def test_a_choice_of_statuses_and_states_means_any_of_them(
    values, problems, status, recording, stale
):
    choice = choose(values, problems=problems)
    state = state_of(status, recording, stale=stale)
    expected = status in [v for v in values if isinstance(v, RunStatus)] or state in values
    if problems:
        expected = expected and state in ("failed", "interrupted", "stale")
    assert choice.selects(status, recording, stale=stale) == expected
    parts = [status in part for part in choice]
    assert sum(parts[:1]) + bool(sum(parts[1:])) <= 1, "no run is in two parts"


INVALID = {
    "status": ["over", 5, ["completed", "over"], b"failed", []],
    "recording": ["lost", ["open", "lost"], []],
    "model": [5, ["a", None], {"a": 1}, []],
    "labels": ["team", ["team"], {"team": 5}, {"team": []}],
    "since": ["soon", [], None.__class__, True, float("inf")],
    "on": ["2h", "soon", 5],
    "slower_than": ["soon", -1, timedelta(-1), []],
    "min_tokens": ["many", 1.5, True],
    "error_contains": [5, [None]],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in INVALID.items() for value in values]
)
def test_what_is_no_value_is_refused_in_words(reel, name, value):
    for ask in (reel.runs, reel.usage):
        with pytest.raises(UsageError):
            ask(**{name: value})
