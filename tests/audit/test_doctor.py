from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import make_url

import runreel
from runreel.doctor import check_health, files, log, postgres, sqlite
from runreel.doctor.checks import BAD, OK, WARN, Check
from runreel.store.database import Database
from runreel.store.schema import migrations
from tests import logs
from tests.audit import forging
from tests.cli import stories

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

HOUR = 3_600_000_000


def now() -> int:
    return time.time_ns() // 1000


def checks(reel: Reel, at: int | None = None) -> dict[str, Check]:
    found = check_health(reel.db, now=now() if at is None else at)
    assert found.reached
    told = {check.name: check for check in found.checks}
    assert len(told) == len(found.checks)
    return told


def worst(reel: Reel) -> dict[str, str]:
    """What is not ok, but for what this machine is to blame for."""
    machine = (
        *("sqlite version", "free space", "file system", "fsync", "role", "server version"),
        "unwatched packages",
    )
    return {
        name: check.verdict
        for name, check in checks(reel).items()
        if check.verdict != OK and name not in machine
    }


@pytest.fixture
def file_log(tmp_path: Path) -> Iterator[Reel]:
    with runreel.open(tmp_path / "log.db") as reel:
        stories.tell_all(reel)
        yield reel


def test_a_log_that_is_well_kept_has_nothing_to_mend(told: Reel, backend: str) -> None:
    found = checks(told)
    assert worst(told) == {}
    common = {
        *("database", "schema", "guards", "projections", "open recordings", "clock", "future"),
        *("search index", "unwatched packages"),
    }
    own = {
        "sqlite": {
            *("sqlite version", "journal mode", "synchronous", "busy timeout"),
            *("wal size", "file system", "free space", "permissions"),
        },
        "postgresql": {
            *("server version", "encoding", "fsync", "full_page_writes"),
            *("synchronous_commit", "replica", "server clock", "role"),
        },
    }
    assert set(found) == common | own[backend]
    for check in found.values():
        assert (check.advice is None) == (check.verdict == OK)


def test_looking_changes_nothing(file_log: Reel, tmp_path: Path) -> None:
    file_log.close()
    driver = sqlite3.connect(tmp_path / "log.db")
    driver.execute("PRAGMA journal_mode = DELETE")
    driver.close()
    before = (tmp_path / "log.db").read_bytes()
    found = checks(file_log)
    assert (found["journal mode"].verdict, found["journal mode"].found[:6]) == (WARN, "delete")
    assert (tmp_path / "log.db").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["log.db"]


def test_wide_permissions_are_found(file_log: Reel, tmp_path: Path) -> None:
    place = tmp_path / "log.db"
    for mode, verdict in ((0o644, WARN), (0o666, BAD), (0o600, OK)):
        place.chmod(mode)
        found = checks(file_log)["permissions"]
        assert found.verdict == verdict
        assert verdict == OK or found.advice == f"chmod 600 {place}"
    tmp_path.chmod(0o777)
    assert checks(file_log)["permissions"].advice == f"chmod go-w {tmp_path}"
    tmp_path.chmod(0o1777)
    assert checks(file_log)["permissions"].verdict == OK


def test_a_dropped_trigger_is_found(told: Reel, backend: str) -> None:
    forging.unguard(told)
    found = checks(told)["guards"]
    assert found.verdict == BAD
    assert "runreel verify" in (found.advice or "")


def test_rows_of_the_future_and_steps_back_are_found(told: Reel) -> None:
    forging.unguard(told)
    logs.execute(
        told, "UPDATE events SET at = ? WHERE run_id = 'run-done' AND seq = 8", (now() + HOUR,)
    )
    assert worst(told) == {"guards": BAD, "future": WARN}
    assert "run-done, row 8" in checks(told)["future"].found
    assert checks(told, now() + HOUR)["future"].verdict == OK
    logs.execute(
        told, "UPDATE events SET at = ? WHERE run_id = 'run-failed' AND seq = 2", (now() - HOUR,)
    )
    found = checks(told)["clock"]
    assert (found.verdict, "run-failed, row 2" in found.found) == (WARN, True)


def test_a_stuck_recording_is_found(told: Reel, monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks(told)["open recordings"].found == "1, none of a process that has ended"
    monkeypatch.setattr("runreel.system.process_identity.os.kill", _dead)
    found = checks(told)["open recordings"]
    assert (found.verdict, "open-run" in found.found) == (WARN, True)
    assert "runreel recover" in (found.advice or "")
    monkeypatch.setattr("runreel.system.process_identity.socket.gethostname", lambda: "elsewhere")
    assert checks(told)["open recordings"].verdict == OK, "it may well live there"
    assert checks(told, now() + 25 * HOUR)["open recordings"].verdict == WARN


def _dead(*_: int) -> None:
    raise ProcessLookupError


def test_old_projections_are_found(told: Reel) -> None:
    logs.execute(told, "UPDATE runreel_meta SET value = '0' WHERE key = 'projection_version'")
    assert worst(told) == {"projections": BAD}


@pytest.mark.parametrize(
    ("revision", "advice"),
    [("0001", "db upgrade"), ("9999", "newer version"), (None, "db upgrade")],
)
def test_tables_of_another_revision_are_found(
    told: Reel, revision: str | None, advice: str
) -> None:
    if revision is None:
        logs.execute(told, f"DELETE FROM {migrations.VERSION_TABLE}")
    else:
        logs.execute(told, f"UPDATE {migrations.VERSION_TABLE} SET version_num = ?", (revision,))
    found = checks(told)
    assert found["schema"].verdict == BAD
    assert advice in (found["schema"].advice or "")
    assert "guards" not in found, "there is nothing to compare with"


def test_lazy_durability_is_found(tmp_path: Path) -> None:
    with runreel.open(tmp_path / "log.db", durability="normal") as reel:
        stories.tell_done(reel)
        assert checks(reel)["synchronous"].verdict == WARN


def test_a_long_wal_is_found(
    file_log: Reel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_LARGE_WAL", 1000)
    assert checks(file_log)["wal size"].verdict == WARN


def test_a_database_that_cannot_be_reached_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database" * 1000)
    (tmp_path / "folder").mkdir()
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE mine (a)")
    other.close()
    before = sorted(tmp_path.iterdir())
    for url in (
        tmp_path / "none.db",
        tmp_path / "text",
        tmp_path / "folder",
        tmp_path / "other.db",
        "postgresql://nobody:hush@127.0.0.1:1/log",
    ):
        database = Database(str(url))
        found = check_health(database, now=now())
        database.close()
        assert not found.reached
        assert found.is_bad
        (check,) = found.checks
        assert (check.name, check.verdict) == ("database", BAD)
        assert check.advice
        assert "hush" not in check.found
    assert sorted(tmp_path.iterdir()) == before


def test_a_table_that_cannot_be_read_is_a_finding_of_that_check_alone(told: Reel) -> None:
    logs.execute(told, "ALTER TABLE runs RENAME TO gone")
    found = checks(told)
    assert found["clock"].verdict == BAD
    assert found["schema"].verdict == OK


def test_an_empty_database_wants_its_tables(empty_postgres: str) -> None:
    with runreel.open(empty_postgres) as reel:
        found = checks(reel)
    assert (found["schema"].verdict, found["encoding"].verdict) == (BAD, OK)


def test_a_superuser_is_told_to_be_less(told: Reel, backend: str) -> None:
    if backend != "postgresql":
        return
    found = checks(told)["role"]
    assert (found.verdict, "is a superuser" in found.found) == (WARN, True)
    assert "db grants" in (found.advice or "")
    name = f"lowly_{told.db.url.database}"
    logs.execute(told, f'CREATE ROLE "{name}" LOGIN')
    try:
        logs.execute(told, f'GRANT SELECT, INSERT ON events TO "{name}"')
        logs.execute(told, f'GRANT SELECT ON runs, runreel_meta, runreel_version TO "{name}"')
        url = make_url(told.db.url.text).set(username=name).render_as_string(hide_password=False)
        with runreel.open(url) as lowly:
            assert checks(lowly)["role"] == Check("role", OK, name)
            logs.execute(told, f'GRANT UPDATE, DELETE ON events TO "{name}"')
            assert (
                checks(lowly)["role"].found == f"{name} may UPDATE the log, may DELETE in the log"
            )
    finally:
        logs.execute(told, f'DROP OWNED BY "{name}"')
        logs.execute(told, f'DROP ROLE "{name}"')


def test_other_encodings_are_found(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        )
        try:
            info = psycopg.conninfo.conninfo_to_dict(postgres_url)
            with runreel.open(
                f"postgresql://{info.get('user', 'postgres')}@/latin?host={info['host']}"
            ) as reel:
                assert checks(reel)["encoding"].verdict == BAD
        finally:
            connection.execute("DROP DATABASE latin WITH (FORCE)")


def test_versions_of_sqlite_that_reset_wrongly_are_known() -> None:
    bad = ((3, 7, 0), (3, 40, 1), (3, 44, 5), (3, 45, 0), (3, 50, 6), (3, 51, 0), (3, 51, 2))
    good = ((3, 44, 6), (3, 44, 9), (3, 50, 7), (3, 51, 3), (3, 53, 0), (4, 0, 0))
    assert all(map(sqlite.has_wal_reset_bug, bad))
    assert not any(map(sqlite.has_wal_reset_bug, good))
    assert sqlite.check_version((3, 40, 1)).verdict == WARN
    assert sqlite.check_version((3, 53, 0)) == Check("sqlite version", OK, "3.53.0")


MOUNTS = r"""/dev/sda1 / ext4 rw 0 0
tmpfs /fast tmpfs rw 0 0
server:/home /home nfs4 rw 0 0
/dev/sdb1 /home/me/my\040disk xfs rw 0 0
sshfs#host: /mnt/far fuse.sshfs rw 0 0
overlay /mnt/far overlay rw 0 0
short
"""


@pytest.mark.parametrize(
    ("path", "kind", "verdict"),
    [
        ("/var/log.db", "ext4", OK),
        ("/fastx/log.db", "ext4", OK),
        ("/fast/log.db", "tmpfs", WARN),
        ("/home/me/log.db", "nfs4", BAD),
        ("/home/me/my disk/log.db", "xfs", OK),
        ("/mnt/far/log.db", "overlay", OK),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(path: str, kind: str, verdict: str) -> None:
    assert files.file_system(Path(path), MOUNTS) == kind
    assert files.check_file_system(kind).verdict == verdict


def test_the_rest_is_judged_so() -> None:
    mib = 2**20
    assert files.file_system(Path("/x"), "") is None
    assert files.check_file_system(None).verdict == OK
    assert files.check_file_system("fuse.anything").verdict == BAD
    assert files.check_free_space(10 * mib, 0).verdict == BAD
    assert files.check_free_space(500 * mib, 0).verdict == WARN
    assert files.check_free_space(2000 * mib, 3000 * mib).verdict == WARN
    assert files.check_free_space(2000 * mib, 1000 * mib).verdict == OK
    assert postgres.check_clocks(-61_000_000).verdict == WARN
    assert sqlite.check_busy_timeout(1_000).verdict == WARN
    assert postgres.check_clocks(5_000_000).verdict == OK
    assert log.check_revision(migrations.HEAD).verdict == OK
