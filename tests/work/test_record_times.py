"""The times of events that are recorded from lines."""

from __future__ import annotations

import json
import os
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from runreel.importing.import_files import import_files
from runreel.importing.record_lines import record_lines
from runreel.model.events import NOTE
from runreel.system.arrivals import Arrival, ArrivalClock, Arrivals

START = datetime(2025, 6, 1, 10, tzinfo=UTC)
SAID = [
    {"type": "PENDING", "at": "2025-06-01T10:00:00Z"},
    {"type": "PARTIAL_MESSAGE", "text": "He", "at": "2025-06-01T10:00:01.5Z"},
    {"type": "PARTIAL_MESSAGE", "text": "Hello", "at": "2025-06-01T10:00:02Z"},
    {"type": "DONE", "text": "Hello", "at": "2025-06-01T10:00:04Z"},
]


def lines(values: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(value).encode() + b"\n" for value in values]


def test_a_run_goes_by_the_times_that_its_events_say_as_in_an_import(reel, tmp_path):
    record_lines(reel.db, lines(SAID), run_id="recorded")
    file = tmp_path / "lines.jsonl"
    file.write_bytes(b"".join(lines([{**value, "run_id": "imported"} for value in SAID])))
    import_files(reel.db, [str(file)])
    for run in (reel.run("recorded"), reel.run("imported")):
        assert (run.started_at, run.finished_at) == (START, START + timedelta(seconds=4))
        assert (run.first_text_ms, run.duration_ms) == (None, 4000)


def test_events_have_the_time_at_which_their_chunk_arrived(reel):
    moment = int(START.timestamp()) * 10**9
    values = [{key: value for key, value in line.items() if key != "at"} for line in SAID]
    arrivals = [
        Arrival(line, moment + n * 10**9, n * 10**9) for n, line in enumerate(lines(values))
    ]
    record_lines(reel.db, arrivals, run_id="run-1")
    run = reel.run("run-1")
    assert (run.started_at, run.duration_ms) == (START, 3000)
    events = [event for event in reel.events("run-1") if event.kind != NOTE]
    assert [event.elapsed.total_seconds() for event in events] == [0, 1, 2, 3]


@given(st.lists(st.none() | st.integers(0, 10**9), min_size=1))
def test_the_monotonic_clock_never_goes_back(timers):
    clock, last = ArrivalClock(), 0
    for timer in timers:
        clock.set(None if timer is None else Arrival(b"", 5, timer))
        assert clock.timer() >= last
        last = clock.timer()
        if timer is not None:
            assert clock.wall() == 5


def test_chunks_are_stamped_when_they_come_not_when_they_are_taken():
    reader, writer = os.pipe()
    arrivals = Arrivals(reader)
    os.write(writer, b"one")
    pause = threading.Event()
    pause.wait(0.2)
    os.write(writer, b"two")
    pause.wait(0.2)
    os.close(writer)
    one, two = arrivals
    os.close(reader)
    assert (one.data, two.data) == (b"one", b"two")
    assert two.timer - one.timer >= 0.19 * 10**9
    assert two.wall - one.wall >= 0.15 * 10**9


def test_a_full_queue_makes_the_writer_wait_and_loses_nothing():
    reader, writer = os.pipe()
    arrivals = Arrivals(reader)
    data = os.urandom(1024)

    def write() -> None:
        for _ in range(3000):
            os.write(writer, data)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    got = b"".join(arrival.data for arrival in arrivals)
    thread.join()
    os.close(reader)
    assert got == data * 3000
