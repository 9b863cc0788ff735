"""State and events at any row of a long run: the same as from its first row, and few rows read."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from runreel.importing.import_files import import_files
from runreel.model.events import OPENED, RESUMED, STREAM_EVENT
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent
from runreel.model.status import RunStatus, StreamEvent
from runreel.model.timestamps import from_micros
from runreel.projection import event_times, key_frames
from runreel.projection.projector import RunProjector, project_run
from runreel.query import run_history, seek
from runreel.recording.recorder import Recorder
from runreel.store.connection import Connection
from runreel.store.events import event_log
from runreel.store.projections import key_frame_table
from tests import logs, traffic
from tests.rules.recordings import SHAPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

ROWS = 4
WORDS = ("Привет", "мир", "a", "\N{GRINNING FACE}", "\0", "", "hello world", "\ud800", "  ")
SECRET = "Иван Петров 4276-1234"  # noqa: S105 - the thing to be erased


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Key-frames after few rows, with bases of several levels."""
    monkeypatch.setattr(key_frames, "ROWS", ROWS)
    monkeypatch.setattr(key_frames, "_FANOUT", 3)
    monkeypatch.setattr(key_frames, "_BYTES_PER_ROW", 1_000_000)


@pytest.fixture
def reel(db_url: str) -> Iterator[Reel]:
    with runreel.open(db_url) as opened:
        yield opened


def record(reel: Reel, source: str, rows: int = 40, *, run_id: str = "run") -> str:
    """A run whose text grows, is rewritten and begins again."""
    drawn, parts = random.Random(source), [""]  # noqa: S311 - no secret
    recorder = Recorder(reel.db, run_id, source=source, via="program")
    for index in range(rows):
        change = drawn.random()
        if change < 0.8:
            parts = [*parts[:-1], parts[-1] + drawn.choice(WORDS)]
        else:
            parts = [*parts, "x"] if change < 0.9 else [drawn.choice(WORDS)]
        shape = SHAPES[source][0] if drawn.random() < 0.7 else drawn.choice(SHAPES[source])
        recorder.append(*shape(index, parts))
    return run_id


def text_event(text: str) -> RunStreamEvent:
    return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((text,)))


def frames(reel: Reel, run_id: str = "run") -> list[Any]:
    with reel.db.reading() as connection:
        return key_frame_table.of_runs(connection, [run_id]).get(run_id, [])


def whole(reel: Reel, run_id: str, seq: int) -> tuple[Any, Any]:
    """The state after a row, from all rows up to it."""
    with reel.db.reading() as connection:
        projected = project_run(run_id, event_log.read(connection, run_id, stop=seq + 1))
    projection = projected.projection()
    return projection.summary, projection.result


def check(reel: Reel, run_id: str = "run") -> None:
    """Every row of a run leads to the state and the events that all rows lead to."""
    events = list(reel.events(run_id))
    last = events[-1].seq
    for seq in range(last + 1):
        assert list(reel.events(run_id, start=seq)) == events[seq:]
        assert list(reel.events(run_id, start=seq, stop=seq + 2)) == events[seq : seq + 2]
        state, result = reel.state(run_id, seq)
        assert (state._replace(stale=False), result) == whole(reel, run_id, seq)
    assert reel.rebuild(check=True) == []


# -- Every row -------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", SHAPES)
def test_every_row_of_a_recorded_run_is_as_from_the_first_one(reel, source):
    run_id = record(reel, source)
    assert len(frames(reel)) >= 8
    check(reel, run_id)


@pytest.mark.parametrize("name", traffic.SHAPES)
def test_every_row_of_an_imported_run_is_as_from_the_first_one(reel, tmp_path, name):
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", traffic.SHAPES[name]("run"))])
    assert frames(reel) or len(list(reel.events("run"))) < ROWS
    check(reel)


def test_an_import_takes_key_frames_among_lines_that_only_go_on_with_the_text(reel, tmp_path):
    text = "Das ist eine lange Antwort. " * 5
    lines = [{"type": "PARTIAL_MESSAGE", "text": text[:n], "run_id": "run"} for n in range(1, 90)]
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])
    assert [frame.seq for frame in frames(reel)] == list(range(ROWS - 1, 90, ROWS))
    check(reel)


def test_a_run_that_another_recorder_goes_on_with_has_the_same_key_frames(reel):
    one, other = (Recorder(reel.db, "run", source="plain", via="program") for _ in range(2))
    text = ""
    for n in range(40):
        text += f" {n}"
        (one, other)[n // 3 % 2].append(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": text})
    Recorder(reel.db, "run", source="plain", via="program").append(
        STREAM_EVENT, {"type": "DONE", "text": text}
    )
    assert len(frames(reel)) >= 10
    check(reel)


def test_several_events_in_one_commit_have_their_key_frames(reel):
    recorder = Recorder(reel.db, "run", source="plain", via="program")
    values = [{"type": "PARTIAL_MESSAGE", "text": "ab" * n} for n in range(1, 30)]
    recorder.offer_all([(STREAM_EVENT, value) for value in values[:13]])
    recorder.offer_all([(STREAM_EVENT, value) for value in values[10:]])
    check(reel)


def test_a_recording_that_is_imported_has_the_key_frames_of_its_rows(reel, tmp_path):
    path = tmp_path / "run.reel.jsonl"
    with runreel.open(tmp_path / "other.db") as other:
        for _ in range(2):
            record(reel, "openai-chat", 20)
            reel.export(path, ["run"], force=True)
            other.import_file(path)
            assert frames(other) == frames(reel)
            check(other)
        list(reel.redact(["run"], "Привет", reason="asked", actor="me"))
        record(reel, "openai-chat", 20)
        reel.export(path, ["run"], force=True)
        other.import_file(path)
        assert frames(other) == frames(reel)
        check(other)


# -- Rows read -------------------------------------------------------------------------------------


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of rows of each query that a test makes."""
    counted: list[int] = []
    real = Connection.all

    def count(self: Connection, sql: str, parameters: Any = ()) -> list[Any]:
        found = real(self, sql, parameters)
        counted.append(len(found))
        return found

    monkeypatch.setattr(Connection, "all", count)
    return counted


def answers(reel: Reel, run_id: str, *, rows: int) -> None:
    """A run of several answers, each with a text of its own."""
    recorder = Recorder(reel.db, run_id, source="plain", via="program")
    values = [{"type": "PARTIAL_MESSAGE", "text": "word " * (n % 50)} for n in range(rows)]
    for start in range(0, rows, 500):
        recorder.offer_all([(STREAM_EVENT, value) for value in values[start : start + 500]])


def test_a_late_row_of_a_long_run_takes_few_rows_to_read(reel, read):
    for rows in (1_000, 4_000):
        run_id = f"run-{rows}"
        answers(reel, run_id, rows=rows)
        late = from_micros(logs.rows(reel, run_id)[-3].at)
        for work in (
            partial(reel.state, run_id, rows - 5),
            partial(reel.state, run_id),
            partial(reel.state, run_id, late),
            lambda run_id, start: list(reel.events(run_id, start=start)),
            lambda run_id, start: list(reel.follow(run_id, start=start, timeout=0)),
            lambda _, start: list(reel.follow(start=start, timeout=0)),
            lambda run_id, _: reel.recording(run_id).append(text_event("more")),
        ):
            read.clear()
            work() if isinstance(work, partial) else work(run_id, rows - 5)
            assert sum(read) <= 12 * ROWS, (rows, work)


def test_the_events_from_the_first_row_take_no_key_frame(reel, monkeypatch):
    answers(reel, "run", rows=100)
    monkeypatch.setattr(key_frame_table, "before", None)
    assert len(list(reel.events("run"))) == 101
    assert reel.state("run", 2)[0].last_seq == 2


# -- Times -----------------------------------------------------------------------------------------


def rows_until(reel: Reel, run_id: str, at: int) -> int:
    """How many rows a run had at a time, from all of its rows."""
    projector, received, known = RunProjector(run_id), [], {}
    for row in logs.rows(reel, run_id):
        interpretation = projector.apply(row).interpretation
        received.append(row.at)
        time = None if interpretation is None else interpretation.time
        if projector.state.has_live_clock:
            time = row.at
        if time is not None:
            known[row.seq] = time
    if projector.state.has_start_time:
        known.setdefault(0, projector.state.started_at)
    return sum(time <= at for time in event_times.wall_times(received, known))


def check_times(reel: Reel, run_id: str = "run") -> None:
    times = {row.at for row in logs.rows(reel, run_id)}
    with reel.db.reading() as connection:
        for event in run_history.events(connection, run_id):
            moment = event.raw.get("at") if isinstance(event.raw, dict) else None
            times |= {moment} if isinstance(moment, int) else set()
        projector = project_run(run_id, event_log.read(connection, run_id))
        begin = projector.state.started_at
        times |= {begin + step for step in range(-1_000_000, 8_000_000, 333_333)}
        for at in sorted(times | {at + step for at in times for step in (-1, 1)}):
            assert seek.rows_until(connection, run_id, at) == rows_until(reel, run_id, at), at


def test_a_time_finds_the_row_where_the_clock_was_set_back(reel):
    drawn = random.Random(7)  # noqa: S311 - no secret
    clock = [10_000_000]

    def now() -> int:
        clock[0] += drawn.choice([-30, -1, 0, 1, 10, 40])
        return clock[0] * 1_000

    recorder = Recorder(reel.db, "run", source="plain", via="program", clock=now)
    for n in range(40):
        recorder.append(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": "a" * n})
    for n in range(40, 60, 3):
        chunk = [{"type": "PARTIAL_MESSAGE", "text": "a" * (n + more)} for more in range(3)]
        recorder.offer_all([(STREAM_EVENT, value) for value in chunk])
    check_times(reel)
    assert reel.rebuild(check=True) == []


@pytest.mark.parametrize("name", traffic.SHAPES)
def test_a_time_finds_the_row_of_an_imported_run(reel, tmp_path, name):
    lines = traffic.SHAPES[name]("run", created=5.0)
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])
    check_times(reel)


def test_a_time_finds_the_row_of_lines_with_few_times_that_are_gone_on_with(reel, tmp_path):
    lines = [{"type": "PARTIAL_MESSAGE", "text": "a" * n, "run_id": "run"} for n in range(1, 30)]
    for n in (5, 6, 17, 22):
        lines[n]["at"] = f"2026-01-01T10:00:{n:02d}Z"
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])
    check_times(reel)
    answers(reel, "run", rows=20)
    check_times(reel)


def test_a_time_finds_the_row_of_an_import_without_times(reel, tmp_path):
    lines = [{"type": "PARTIAL_MESSAGE", "text": "a" * n, "run_id": "run"} for n in range(1, 30)]
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])
    check_times(reel)
    answers(reel, "run", rows=20)
    check_times(reel)


# -- Erased, deleted, damaged ----------------------------------------------------------------------


@pytest.mark.parametrize("purge", [False, True])
def test_erased_text_leaves_the_key_frames(reel, purge):
    text = f"Вот: {SECRET}. Дальше ещё много слов, один за другим."
    recorder = Recorder(reel.db, "run", source="plain", via="program")
    for n in range(1, len(text)):
        recorder.append(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": text[:n]})
    before = frames(reel)
    assert any(SECRET in restored(before, frame) for frame in before)
    list(reel.redact(None, SECRET, reason="asked", actor="me"))
    after = frames(reel)
    assert len(after) >= len(before)
    assert not any(SECRET in restored(after, frame) for frame in after)
    check(reel)
    recorder.append(STREAM_EVENT, {"type": "DONE", "text": text})
    check(reel)
    path = reel.db.url.database
    reel.release(purge=purge)
    if purge and reel.db.driver.backend == "sqlite":
        files = b"".join(one.read_bytes() for one in Path(path).parent.glob(Path(path).name + "*"))
        told = [frame for frame in before if SECRET[:5] in restored(before, frame)]
        assert told
        assert not any(frame.state in files for frame in told)


def restored(stored: list[Any], frame: Any) -> str:
    by_seq, chain = {one.seq: one for one in stored}, [frame]
    while chain[-1].base is not None:
        chain.append(by_seq[chain[-1].base])
    return RunProjector.restored("run", chain).transcript.text


@pytest.mark.parametrize("keep_usage", [False, True])
def test_a_pruned_run_has_no_key_frames(reel, keep_usage):
    with reel.recording("run") as recording:
        for n in range(40):
            recording.append(text_event("a" * n))
        recording.result(RunResult(RunStatus.COMPLETED))
    assert frames(reel)
    list(reel.prune(datetime(2100, 1, 1, tzinfo=UTC), keep_usage=keep_usage))
    assert frames(reel) == []
    assert reel.rebuild(check=True) == []


def test_a_missing_key_frame_costs_time_only_and_a_rebuild_makes_it_again(reel):
    record(reel, "plain")
    stored = frames(reel)
    logs.execute(reel, "DELETE FROM key_frames WHERE seq IN (7, 15, 35)")
    last = reel.run("run").last_seq
    for seq in range(last + 1):
        assert reel.state("run", seq)[1] == whole(reel, "run", seq)[1]
    (wrong,) = reel.rebuild(check=True)
    assert (wrong.run_id, wrong.column, wrong.stored) == ("run", "key_frames", None)
    assert wrong.rebuilt == "that after row 7"
    assert len(reel.rebuild()) == 1
    assert frames(reel) == stored
    check(reel)


@pytest.mark.parametrize("column", ["state", "text", "keep", "base", "digest", "until"])
def test_a_damaged_key_frame_gives_no_wrong_answer_and_is_found(reel, column):
    record(reel, "plain")
    stored = frames(reel)
    change = "NULL" if column == "until" else "5"
    if column in {"state", "text", "digest"}:
        change = "X'789c03000000000001'" if reel.db.driver.backend == "sqlite" else r"'\x789c03'"
    logs.execute(reel, f"UPDATE key_frames SET {column} = {change} WHERE seq >= 11")
    for seq in range(reel.run("run").last_seq + 1):
        assert reel.state("run", seq)[1] == whole(reel, "run", seq)[1]
    assert [one.column for one in reel.rebuild(check=True)] == ["key_frames"]
    assert [finding.what for finding in reel.verify(["run"])] == ["projection"]
    with reel.recording("run") as recording:
        recording.append(text_event("more"))
    assert [one.column for one in reel.rebuild()] == ["key_frames"]
    assert frames(reel)[: len(stored)] == stored
    check(reel)


def test_a_key_frame_of_a_row_that_does_not_exist_is_found(reel):
    record(reel, "plain")
    last = frames(reel)[-1]
    stray = [last._replace(seq=900), last._replace(run_id="nobody")]
    with reel.db.writing() as connection:
        key_frame_table.save(connection, stray)
    assert {(one.run_id, one.column) for one in reel.rebuild(check=True)} == {
        ("run", "key_frames"),
        ("nobody", "*"),
    }
    assert {(one.run_id, one.what) for one in reel.verify()} == {
        ("run", "projection"),
        ("nobody", "stray"),
    }
    reel.rebuild()
    check(reel)


def test_key_frames_of_other_code_are_not_read(reel):
    record(reel, "plain")
    stored = frames(reel)
    logs.execute(reel, "UPDATE runreel_meta SET value = '0' WHERE key = 'projection_version'")
    with reel.db.reading() as connection:
        assert key_frame_table.before(connection, "run", 30) == []
    assert reel.state("run", 30)[1] == whole(reel, "run", 30)[1]
    reel.rebuild()
    assert frames(reel) == stored
    with reel.db.reading() as connection:
        assert key_frame_table.before(connection, "run", 30)[0].seq == 27


@pytest.mark.parametrize("tables", [(), ("runs", "run_labels", "run_keys")])
def test_a_log_without_key_frames_gets_them_by_a_rebuild(reel, tables):
    record(reel, "plain")
    stored = frames(reel)
    for table in ("key_frames", *tables):
        logs.execute(reel, f"DELETE FROM {table}")
    list(reel.events("run", start=30))
    assert reel.rebuild()
    assert frames(reel) == stored
    check(reel)


def test_key_frames_that_a_recorder_adds_during_a_rebuild_stay(reel, db_url, monkeypatch):
    record(reel, "plain")
    stored = frames(reel)
    logs.execute(reel, "DELETE FROM key_frames WHERE seq < 20")
    real = key_frame_table.of_runs

    def then_append(connection: Connection, run_ids: Any) -> Any:
        found = real(connection, run_ids)
        monkeypatch.setattr(key_frame_table, "of_runs", real)
        with runreel.open(db_url) as other:
            recorder = Recorder(other.db, "run", source="plain", via="program")
            for n in range(10):
                recorder.append(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": "a" * n})
        return found

    monkeypatch.setattr(key_frame_table, "of_runs", then_append)
    assert {one.column for one in reel.rebuild()} == {"key_frames"}
    assert frames(reel)[: len(stored)] == stored
    assert frames(reel)[-1].seq > stored[-1].seq
    check(reel)


# -- Reopening -------------------------------------------------------------------------------------


def test_a_recording_that_is_reopened_knows_the_numbers_of_its_events(reel):
    values = [{"type": "PARTIAL_MESSAGE", "text": "a" * n, "source_index": n} for n in range(40)]
    first = Recorder(reel.db, "run", source="plain", via="program")
    for value in values[:30]:
        first.offer(STREAM_EVENT, value)
    again = Recorder(reel.db, "run", source="plain", via="program")
    assert (again.index, again.last_seq) == (29, first.last_seq)
    found = [again.offer(STREAM_EVENT, value) for value in values[25:33]]
    assert [one.new for one in found] == [False] * 5 + [True] * 3
    check(reel)


def test_a_long_open_run_is_stale_once_its_process_has_ended(reel, monkeypatch):
    answers(reel, "run", rows=20)
    noted = []
    for type_ in (OPENED, RESUMED):
        with reel.db.reading() as connection:
            note = seek.session_note(connection, "run", reel.run("run").last_seq)
            noted.append(note)
            assert note == event_log.last_note(connection, "run", (type_,), 0).payload
        recorder = Recorder(reel.db, "run", source="plain", via="program")
        for n in range(20):
            recorder.append(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": "a" * n})
    assert reel.state("run")[0].stale is False
    monkeypatch.setattr(run_history, "is_abandoned", lambda stored: stored != noted[0])
    assert reel.state("run")[0].stale


def test_a_run_is_read_by_few_statements(reel: Reel, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = record(reel, "plain", 30)
    rows = len(logs.rows(reel, run_id))
    asked: list[str] = []

    def counted(read: Any) -> Any:
        def call(connection: Connection, sql: str, *parameters: Any) -> Any:
            asked.append(sql)
            return read(connection, sql, *parameters)

        return call

    for name in ("all", "one"):
        monkeypatch.setattr(Connection, name, counted(getattr(Connection, name)))
    assert len(list(reel.events(run_id))) == rows
    assert len(asked) == 2, "the ends of the run, and its rows"
    monkeypatch.setattr(run_history, "_PAGE", 10)
    asked.clear()
    assert [event.seq for event in reel.events(run_id)] == [*range(rows)]
    assert len(asked) == 1 - (-rows // 10)
    asked.clear()
    assert len(list(reel.events(run_id, start=20))) == rows - 20
    assert len(asked) == 2 - (-(rows - 20) // 10), "a key-frame, too"
