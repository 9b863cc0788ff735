from __future__ import annotations

import os
import shlex
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict

import runreel
from runreel.audit import backup
from runreel.audit import verify as audit
from runreel.model.errors import AuditError, DatabaseUnavailable, LogError, UsageError
from runreel.store.database import Database
from runreel.store.drivers.sqlite import backup as sqlite_backup
from tests import logs
from tests.audit import forging
from tests.cli import stories

if TYPE_CHECKING:
    from runreel.api.reel import Reel

# Prints what is acknowledged, line by line, until it is killed.
_WRITER = """
import sys, runreel
from runreel import PartialMessage, RunStreamEvent, StreamEvent
reel = runreel.open(sys.argv[1])
told = [reel.recording(f"run-{n}") for n in range(4)]
text = ""
for number in range(1_000_000):
    text += f"{number} "
    event = RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((text[-500:],)))
    told[number % 4].append(event)
    print(number, flush=True)
"""


@pytest.fixture
def log(tmp_path: Path) -> Reel:
    with runreel.open(tmp_path / "log.db") as reel:
        stories.tell_all(reel)
        yield reel


def intact(path: Path) -> None:
    with runreel.open(path, create=False) as copy, copy.db.reading() as connection:
        assert list(audit.verify(connection)) == []


def test_a_backup_is_the_log(log: Reel, tmp_path: Path) -> None:
    place = tmp_path / "copy.db"
    steps: list[tuple[int, int]] = []
    made = backup.backup(log.db, place, progress=lambda *step: steps.append(step))
    assert (made.path, made.runs, made.wrong, made.findings) == (place, 4, 0, ())
    assert made.size == place.stat().st_size
    assert made.events == len(logs.rows(log))
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert not [path for path in tmp_path.iterdir() if path.name.startswith((".", "copy.db-"))]
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert steps[-1] == (2 * made.size, 2 * made.size)
    with runreel.open(place) as copy:
        assert logs.rows(copy) == logs.rows(log)
        stories.tell_done(copy, "run-later")
    intact(place)


def test_a_backup_never_takes_the_place_of_a_file(log: Reel, tmp_path: Path) -> None:
    place = tmp_path / "copy.db"
    place.write_text("mine")
    with pytest.raises(UsageError, match="already exists"):
        backup.backup(log.db, place)
    assert place.read_text() == "mine"
    with pytest.raises(UsageError, match="already exists"):
        backup.backup(log.db, tmp_path / "log.db")


def test_a_backup_while_a_process_writes_is_a_prefix_of_the_log(tmp_path: Path) -> None:
    source = tmp_path / "log.db"
    with runreel.open(source) as reel:
        stories.tell_all(reel)
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(source)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        copies = []
        try:
            for number in range(6):
                acknowledged = [int(writer.stdout.readline()) for _ in range(50)]
                at_least = acknowledged[-1] + 1
                place = tmp_path / f"copy-{number}.db"
                backup.backup(reel.db, place)
                copies.append((place, at_least))
        finally:
            writer.kill()
            writer.communicate()
        whole = {(row.run_id, row.seq): row for row in logs.rows(reel)}
    sizes = []
    for place, at_least in copies:
        intact(place)
        with runreel.open(place) as copy:
            rows = logs.rows(copy)
            logs.verify(copy)
        assert all(whole[row.run_id, row.seq] == row for row in rows)
        spoken = [row for row in rows if row.run_id.startswith("run-") and row.run_id[4:].isdigit()]
        assert sum(row.kind == "stream_event" for row in spoken) >= at_least
        sizes.append(len(rows))
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1], "the writer went on"


def test_what_was_erased_is_not_in_a_backup(log: Reel, tmp_path: Path) -> None:
    needle = "needle-" + "x" * 40
    stories.tell_done(log, "run-secret")
    with log.recording("run-secret-2") as recording:
        recording.append(stories.partial(needle * 200))
    rows = logs.rows(log, "run-secret-2")
    forging.redact(log, "run-secret-2", [row.seq for row in rows if needle in (row.payload or "")])
    with log.db.writing() as connection:
        connection.execute("DELETE FROM runs WHERE run_id = 'run-secret-2'")
    log.rebuild(["run-secret-2"])
    place = tmp_path / "copy.db"
    assert backup.backup(log.db, place).wrong == 0
    assert needle.encode() not in place.read_bytes()


def test_a_backup_of_a_log_that_is_not_intact_says_so(log: Reel, tmp_path: Path) -> None:
    forging.unguard(log)
    logs.execute(log, "UPDATE events SET at = 1 WHERE run_id = 'run-done' AND seq = 2")
    made = backup.backup(log.db, tmp_path / "copy.db")
    assert made.wrong >= 1
    assert ("run-done", 2) in {(finding.run_id, finding.seq) for finding in made.findings}
    assert (tmp_path / "copy.db").exists()


def test_a_file_that_cannot_be_read_leaves_no_backup(log: Reel, tmp_path: Path) -> None:
    for number in range(50):
        stories.tell_done(log, f"run-{number}")
    log.close()
    source = tmp_path / "log.db"
    with source.open("r+b") as file:
        file.seek(source.stat().st_size // 2)
        file.write(os.urandom(20_000))
    with runreel.open(source) as reel, pytest.raises(LogError):
        backup.backup(reel.db, tmp_path / "copy.db")
    assert sorted(path.name for path in tmp_path.iterdir() if "log" not in path.name) == []


def test_a_copy_that_is_damaged_leaves_no_backup(
    log: Reel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sqlite_backup.backup_to

    def damage(connection: object, target: Path, **options: object) -> None:
        real(connection, target, **options)
        driver = sqlite3.connect(target, isolation_level=None)
        driver.execute("PRAGMA application_id = 1")
        driver.close()

    monkeypatch.setattr(sqlite_backup, "backup_to", damage)
    with pytest.raises(AuditError, match="the copy is damaged"):
        backup.backup(log.db, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


def test_ctrl_c_stops_a_copy_and_leaves_nothing(
    log: Reel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_backup, "_STEPS", 100)
    told: list[int] = []

    def stop(done: int, _: int) -> None:
        told.append(done)
        raise KeyboardInterrupt

    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        backup.backup(log.db, tmp_path / "copy.db", progress=stop)
    assert len(told) == 1
    assert sorted(tmp_path.iterdir()) == before
    assert logs.verify(log)


def test_a_log_that_is_not_there_has_no_backup(tmp_path: Path) -> None:
    with (
        runreel.open(tmp_path / "none.db", create=False) as reel,
        pytest.raises(DatabaseUnavailable),
    ):
        backup.backup(reel.db, tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


def test_postgres_is_left_to_its_own_tools(tmp_path: Path) -> None:
    url = "postgresql://me:hush@host/log"
    with runreel.open(url) as reel, pytest.raises(UsageError) as caught:
        backup.backup(reel.db, tmp_path / "copy.dump")
    assert "pg_dump" in (caught.value.hint or "")
    assert "hush" not in (caught.value.hint or "")


@pytest.mark.parametrize("login", ["me:hu%20sh@", "me@", ""])
@pytest.mark.parametrize("query", ["", "?password=hu%20sh", "?sslmode=prefer&sslpassword=hush"])
def test_the_hint_for_postgres_is_a_command_without_a_password(login: str, query: str) -> None:
    database = Database(f"postgresql://{login}h/log{query}")
    with pytest.raises(UsageError) as caught:
        backup.backup(database, Path("a copy.dump"))
    hint = str(caught.value.hint)
    assert "hu" not in hint
    assert "*" not in hint
    words = shlex.split(hint.removeprefix("Run ").partition(". ")[0])
    assert words[:3] == ["pg_dump", "--format=custom", "--file=a copy.dump"]
    (url,) = words[3:]
    assert conninfo_to_dict(url.removeprefix("--dbname="))["host"] == "h"
