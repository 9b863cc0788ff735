"""Verified backups of a SQLite log, made while other processes write.

A backup file appears complete and verified, or not at all.
"""

from __future__ import annotations

import shlex
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from runreel.audit.log_audit import VerifiedCounts
from runreel.audit.verify import verify
from runreel.model.errors import AuditError, UsageError
from runreel.store import database_url
from runreel.store.database import Database
from runreel.store.drivers.sqlite import backup as sqlite_backup
from runreel.system import atomic_files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runreel.model.finding import Finding

    Progress = Callable[[int, int], None]

_MAX_FINDINGS = 20


class Backup(NamedTuple):
    """A finished backup; ``size`` is in bytes.

    ``wrong`` counts the findings of its verification, which hold for the log as well;
    ``findings`` has the first 20 of them.
    """

    path: Path
    size: int
    runs: int
    events: int
    wrong: int
    findings: tuple[Finding, ...]


def backup(database: Database, path: Path, *, progress: Progress | None = None) -> Backup:
    """Copy one snapshot of the log to a new file that only its owner can read, and verify it.

    The file gets its name after the verification. ``progress`` receives the bytes done and the
    total, which counts each byte twice: once for writing, once for verifying.

    Raises:
        UsageError: if the log is on Postgres, or the file already exists.
        AuditError: if the copy is corrupt; the file is removed then.
    """
    if database.url.postgres:
        raise UsageError(
            "runreel backs up SQLite files only",
            hint=f"Run {_pg_dump(database, path)}. pg_dump asks for the password.",
        )
    with atomic_files.atomic_create(path) as hidden:
        with database.reading() as connection:
            sqlite_backup.backup_to(connection, hidden, progress=_write_progress(progress))
        size = hidden.stat().st_size
        counts, wrong, findings = _verify_copy(hidden, _verify_progress(progress, size))
    return Backup(path, size, counts.runs, counts.events, wrong, tuple(findings))


def _pg_dump(database: Database, path: Path) -> str:
    options = ("--format=custom", f"--file={path}", f"--dbname={database.url.without_passwords}")
    return shlex.join(("pg_dump", *options))


def _write_progress(progress: Progress | None) -> Progress | None:
    return progress and (lambda done, total: progress(done, 2 * total))


def _verify_progress(progress: Progress | None, size: int) -> Progress | None:
    return progress and (
        lambda done, total: progress(size + size * done // max(total, 1), 2 * size)
    )


def _verify_copy(
    path: Path, progress: Progress | None
) -> tuple[VerifiedCounts, int, list[Finding]]:
    """Verify the copy; the counts, the number of findings and the first of them."""
    uri = database_url.file_uri(path, "mode=ro&immutable=1&uri=true")
    counts, wrong = VerifiedCounts(), 0
    findings: list[Finding] = []
    with (
        closing(Database(f"sqlite:///{uri}", create=False)) as copy,
        copy.reading() as connection,
    ):
        for finding in verify(connection, progress=progress, counts=counts):
            if finding.what == "file":
                raise AuditError(
                    f"the copy is damaged: {finding.detail}",
                    hint="The copy was deleted. Check the disk.",
                )
            wrong += 1
            if wrong <= _MAX_FINDINGS:
                findings.append(finding)
    return counts, wrong, findings
