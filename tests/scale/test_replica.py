"""A replica is read while its primary is written to; to write there is refused, and said why."""

from __future__ import annotations

import json
import threading
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest

import runreel
from runreel import PartialMessage, RunResult, RunStatus, RunStreamEvent, StreamEvent, Usage
from runreel.cli.main import main
from runreel.model.errors import LogError, RecordingError
from runreel.store.database import Database
from runreel.store.drivers.postgres.admin import is_replica
from tests.scale import servers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.api.reel import Reel
    from tests.scale.servers import Servers

pytestmark = pytest.mark.postgres
# Each has the exit code that it has on the primary.
READING = (
    ("runs",),
    ("runs", "--model", "large", "--limit", "1"),
    ("runs", "--label", "team=search", "-o", "jsonl"),
    ("show", "latest", "--content"),
    ("show", "run-0", "--json"),
    ("events", "run-0"),
    ("events", "run-0", "--raw"),
    ("replay", "run-0", "--instant"),
    ("usage", "--by", "model"),
    ("usage", "--by", "day", "--label", "team=search"),
    ("rebuild", "--check"),
    ("rebuild", "--check", "run-0"),
    ("rebuild", "--check", "--jobs", "2"),
    ("prune", "--older-than", "0d", "--reason", "old"),
    ("redact", "run-0", "--match", "word", "--reason", "asked for"),
    ("recover",),
    ("db", "current"),
)
WRITING = (
    ("record", "--run", "new", "--input", "said.jsonl"),
    ("import", "told.jsonl"),
    ("rebuild",),
    ("rebuild", "run-0"),
    ("redact", "run-0", "--match", "word", "--reason", "asked for", "--yes"),
    ("prune", "--older-than", "0d", "--reason", "old", "--yes"),
    ("checkpoint", "--key", "audit.key", "--out", "checkpoints"),
)
SAID = '{"type": "COMPLETED", "text": "Hello"}\n'
TOLD = '{"type": "run", "data": {"id": "told", "state": {"status": "PENDING"}}}\n'


@pytest.fixture(scope="module")
def pair(both: Servers) -> Servers:
    """A log in partitions with two runs on the primary, and on its replica."""
    name = f"log_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(both.primary, autocommit=True) as client:
        client.execute(f"CREATE DATABASE {name}")
    made = servers.Servers(*(url.replace("/postgres?", f"/{name}?") for url in both))
    with runreel.open(made.primary) as reel:
        reel.db.upgrade(partitions=3)
        for n in range(2):
            record(reel, f"run-{n}")
        reel.recording("open").append(partial("not yet"))
    made.settle()
    return made


@pytest.fixture(scope="module")
def both() -> Iterator[Servers]:
    with servers.started() as pair:
        yield pair


def partial(text: str) -> RunStreamEvent[str]:
    return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((text,)))


def record(reel: Reel, run_id: str, *, texts: int = 3) -> None:
    with reel.recording(run_id, model="large", labels={"team": "search"}) as recording:
        for n in range(texts):
            recording.append(partial("word " * n))
        recording.result(RunResult(RunStatus.COMPLETED, usage=Usage(10, 15, 5)))


def test_runs_events_and_usage_are_read_there_while_the_primary_records(pair: Servers) -> None:
    done = threading.Event()
    recorded = [f"meanwhile-{n}" for n in range(20)]

    def work() -> None:
        with runreel.open(pair.primary) as reel:
            for run_id in recorded:
                record(reel, run_id, texts=20)
        done.set()

    writer = threading.Thread(target=work)
    with runreel.open(pair.replica) as reel:
        seen = [len(reel.runs(limit=0).items)]
        partly = 0
        writer.start()
        while not done.is_set():
            runs = reel.runs(limit=0).items
            totals = reel.usage(("model",)).totals
            finished = [run for run in runs if run.recording == "closed"]
            # The report is the younger of the two.
            assert totals.total_tokens >= 15 * len(finished)
            newest = [event.seq for event in reel.events(runs[0].run_id)]
            assert newest == list(range(len(newest)))
            partly += any(run.status is not RunStatus.COMPLETED for run in runs[:1])
            seen.append(len(runs))
        writer.join()
        assert seen == sorted(seen)
        assert len(set(seen)) > 2, "nothing was read while it was recorded"
        pair.settle()
        with runreel.open(pair.primary) as primary:
            assert reel.runs(limit=0).items == primary.runs(limit=0).items
            assert reel.usage(("model", "day")) == primary.usage(("model", "day"))
            for run_id in recorded:
                assert list(reel.events(run_id)) == list(primary.events(run_id))
                assert reel.result(run_id) == primary.result(run_id)


@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_command_that_reads_says_the_same_there(
    pair: Servers, arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    pair.settle()
    told: list[tuple[int, str, str]] = []
    for url in pair:
        code = main(["--db", url, *arguments])
        called = capfd.readouterr()
        told.append((code, called.out.replace(runreel.open(url).url_shown, "URL"), called.err))
    assert told[1] == told[0]
    assert told[0][0] == 0


@pytest.mark.parametrize("arguments", WRITING, ids=" ".join)
def test_a_command_that_writes_is_refused_there(
    pair: Servers,
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "said.jsonl").write_text(SAID)
    (tmp_path / "told.jsonl").write_text(TOLD)
    assert main(["keygen", "audit.key"]) == 0
    assert main(["--db", pair.replica, *arguments]) == 3
    told = capfd.readouterr().err
    assert "Traceback" not in told
    assert "read-only" in told or "replica" in told
    assert "primary" in told


def test_the_log_is_verified_there_but_for_its_triggers(
    pair: Servers, capfd: pytest.CaptureFixture[str]
) -> None:
    for arguments in ((), ("run-0",)):
        assert main(["--db", pair.replica, "verify", *arguments]) == 0
        told = capfd.readouterr().err
        assert told.startswith("OK")
        assert "Not compared: the tables and their triggers" in told
    assert main(["--db", pair.primary, "verify"]) == 0
    assert "Not compared" not in capfd.readouterr().err


def test_its_state_is_told_there(pair: Servers, capfd: pytest.CaptureFixture[str]) -> None:
    told = []
    for url in pair:
        assert main(["--db", url, "db", "status", "--json"]) == 0
        told.append(json.loads(capfd.readouterr().out))
    for key in ("revision", "rows", "settings"):
        assert told[0][key] == told[1][key]
    assert main(["--db", pair.replica, "doctor"]) == 0
    assert "A replica cannot be compared" in capfd.readouterr().out


def test_an_upgrade_that_has_nothing_to_do_says_what_it_does_not_compare(
    pair: Servers, capfd: pytest.CaptureFixture[str]
) -> None:
    told = []
    for url in pair:
        assert main(["--db", url, "db", "upgrade"]) == 0
        called = capfd.readouterr()
        told.append((called.out.replace(runreel.open(url).url_shown, "URL"), called.err))
    assert told[0][0] == told[1][0]
    assert told[0][1] == ""
    assert told[1][1].startswith("Not compared: the tables and their triggers")


def test_a_program_that_writes_there_hears_it(pair: Servers, both: Servers) -> None:
    with runreel.open(pair.replica) as reel:
        with pytest.raises(RecordingError, match="read-only") as caught:
            reel.recording("new").append(partial("x"))
        assert caught.value.exit_code == 3
        with pytest.raises(LogError, match="read-only"):
            reel.release(purge=False)
    empty = Database(both.replica)
    with pytest.raises(LogError, match="read-only"):
        empty.upgrade(partitions=2)
    empty.close()


def test_of_several_hosts_the_one_that_is_written_to_is_taken(pair: Servers) -> None:
    replica, primary = (url.partition("host=")[2] for url in reversed(pair))
    url = f"{pair.primary.partition('?')[0]}?host={replica},{primary}&target_session_attrs="
    for wanted, found in (("read-write", False), ("standby", True)):
        database = Database(url + wanted)
        with database.reading() as connection:
            assert is_replica(connection) == found
        database.close()
