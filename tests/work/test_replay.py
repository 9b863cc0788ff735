"""A recorded stream once more: the same events, at the times they came or as far as is known."""

from __future__ import annotations

import asyncio
import threading

import pytest

import runreel
from runreel.importing.import_files import import_files
from runreel.model.errors import RunNotFound, UsageError
from runreel.model.messages import PartialMessage
from runreel.model.results import RunStreamEvent
from runreel.model.status import StreamEvent
from runreel.recording.recorder import Recorder
from runreel.replay import player as replays
from tests import traffic

GAPS = [0, 500, 20, 3_000, 1]  # ms before each event
TEXTS = ["a" * n for n in range(1, len(GAPS) + 1)]


@pytest.fixture
def recorded(reel):
    """A reel with a run whose events came at these gaps."""
    record(reel, GAPS)
    return reel


def record(reel, gaps, *, wall: int = 0) -> None:
    """Events at these gaps by the monotonic clock; the wall clock stands at ``wall`` ms."""
    now = 0
    ticks: list[int] = [0]
    recorder = Recorder(
        reel.db,
        "run",
        source="plain",
        via="program",
        clock=lambda: 1_744_027_200_000_000_000 + wall * 1_000_000,
        timer=lambda: ticks[0],
    )
    for gap in gaps:
        now += gap
        ticks[0] = now * 1_000_000
        recorder.append("stream_event", {"type": "PARTIAL_MESSAGE", "text": TEXTS[0]})
    recorder.close()


def slept(reel, **how) -> list[float]:
    """The pauses of a replay in seconds."""
    pauses: list[float] = []
    list(replays.replay(reel.timeline("run"), sleep=pauses.append, **how))
    return pauses


def test_a_replay_waits_as_long_as_the_recording_did(recorded):
    assert slept(recorded) == [0.5, 0.02, 3.0, 0.001]
    assert recorded.timeline("run").clock == "recorded"


@pytest.mark.parametrize("speed", [0.5, 2, 1_000])
def test_speed_divides_every_pause(recorded, speed):
    assert slept(recorded, speed=speed) == [gap / 1_000 / speed for gap in GAPS[1:]]


def test_no_gap_is_longer_than_the_longest_and_speed_shortens_what_is_left(recorded):
    assert slept(recorded, max_gap=0.1) == [0.1, 0.02, 0.1, 0.001]
    assert slept(recorded, max_gap=0.1, speed=2) == [0.05, 0.01, 0.05, 0.0005]
    assert slept(recorded, max_gap=0) == []


def test_an_instant_replay_waits_for_nothing(recorded):
    assert slept(recorded, instant=True) == []


@pytest.mark.parametrize(
    "how",
    [
        {"speed": 0},
        {"speed": -1},
        {"speed": float("nan")},
        {"speed": float("inf")},
        {"max_gap": -1},
        {"max_gap": float("nan")},
    ],
)
def test_speeds_and_gaps_that_make_no_sense_are_refused(recorded, how):
    with pytest.raises(UsageError):
        list(recorded.replay("run", instant=True, **how))

    async def all_of_them():
        return [event async for event in recorded.areplay("run", instant=True, **how)]

    with pytest.raises(UsageError):
        asyncio.run(all_of_them())


def test_between_sessions_the_wall_clock_tells(reel):
    record(reel, [0, 100], wall=0)
    record(reel, [0, 100], wall=60_000)
    assert slept(reel) == [0.1, 60.0, 0.1]


def test_imported_runs_take_the_times_of_their_source(reel, tmp_path):
    run = traffic.Run("run", created=0.0)
    lines = [run.pending(), run.partial("a"), run.partial("ab"), run.done("abc", at=2.0)]
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])

    assert reel.timeline("run").clock == "source"
    assert slept(reel) == [1.0, 1.0], "from its creation to its message, evenly"


def test_where_the_source_tells_no_times_the_gaps_are_even(reel, tmp_path):
    lines = [{"type": "PARTIAL_MESSAGE", "run_id": "run", "text": "a" * n} for n in range(4)]
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])

    assert reel.timeline("run").clock == "even"
    assert slept(reel) == [0.1, 0.1, 0.1]
    assert slept(reel, speed=2, max_gap=0.08) == [0.04, 0.04, 0.04]


def test_states_and_notes_between_the_events_take_no_part(reel, tmp_path):
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", traffic.with_tools("run"))])
    told = [event.status.name for event in reel.replay("run", instant=True)]

    assert told == ["TOOL_CALLS", "PARTIAL_MESSAGE", "PARTIAL_MESSAGE", "DONE"]


def test_a_run_that_was_never_streamed_replays_nothing(reel, tmp_path):
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", traffic.polled("run"))])
    assert list(reel.replay("run")) == []
    assert list(reel.timeline("run").frames) == []


def test_a_part_of_a_run_replays_from_its_own_beginning(recorded):
    part = recorded.timeline("run", start=3, stop=5)

    assert [frame.event.seq for frame in part.frames] == [3, 4]
    assert [frame.time_us for frame in part.frames] == [0, 3_000_000]
    assert part.times == [0, 3_000_000]
    assert recorded.timeline("run", start=99).times == []


def test_frames_may_be_read_again_and_left_half_read(recorded):
    timeline = recorded.timeline("run")
    first = next(iter(timeline.frames))

    assert next(iter(timeline.frames)) == first
    assert len(list(timeline.frames)) == len(GAPS)


def test_what_is_recorded_while_it_replays_is_not_waited_for(recorded):
    timeline = recorded.timeline("run")
    with recorded.recording("run") as recording:
        recording.append(RunStreamEvent(StreamEvent.DONE))
    assert len(list(replays.replay(timeline, instant=True))) == len(GAPS)


def test_many_replays_left_half_done_leave_connections_for_others(recorded):
    begun = [recorded.replay("run", instant=True) for _ in range(100)]
    for replay in begun[:40]:
        next(replay)
        replay.close()
    for _ in range(100):
        next(recorded.replay("run", instant=True))
    assert len(recorded.runs()) == 1


def test_in_a_loop_a_replay_is_the_same_and_leaves_the_loop_free(recorded):
    async def both():
        moved_on = asyncio.Event()

        async def meanwhile():
            moved_on.set()

        task = asyncio.create_task(meanwhile())
        events = [event async for event in recorded.areplay("run", speed=1_000)]
        assert moved_on.is_set()
        await task
        return events

    assert asyncio.run(both()) == list(recorded.replay("run", instant=True))


def test_in_a_loop_a_replay_may_be_left(recorded):
    async def first():
        async for event in recorded.areplay("run"):
            return event
        return None

    assert asyncio.run(first()).text == "a"


def test_a_run_that_is_not_there_cannot_be_replayed(reel):
    with pytest.raises(RunNotFound, match="run not found: 'nowhere'"):
        reel.replay("nowhere")

    async def all_of_them():
        return [event async for event in reel.areplay("nowhere")]

    with pytest.raises(RunNotFound):
        asyncio.run(all_of_them())


def test_threads_replay_one_run_at_once(recorded):
    told: list[list[RunStreamEvent]] = []

    def work() -> None:
        told.append(list(recorded.replay("run", instant=True)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage(("a",)))
    assert told == [[expected] * len(GAPS)] * 8


def test_a_run_of_many_chunks_replays_whole(tmp_path):
    with runreel.open(tmp_path / "log.db") as reel:
        text = "".join(f"word {n} " for n in range(2_500))
        words = [
            {"type": "PARTIAL_MESSAGE", "run_id": "run", "text": text[: n * 5]}
            for n in range(2_500)
        ]
        import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", words)])
        assert [event.text for event in reel.replay("run", instant=True)] == [
            word["text"] for word in words
        ]
        assert reel.timeline("run").times[-1] == 2_499 * 100_000
