"""Reads what a health check needs: server settings, privileges, impossible times."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from runreel.store.connection import Connection

_RUNS = 200
_ROWS = 50_000
_REPORTED = 10

# The newest runs are enough: a wrong clock is wrong now.
_SAMPLE = f"""
SELECT run_id, seq, at FROM events
 WHERE run_id IN (SELECT run_id FROM runs ORDER BY started_at DESC, run_id DESC LIMIT {_RUNS})
 LIMIT {_ROWS}
"""
_BACK = f"""
SELECT run_id, seq, at
  FROM (SELECT run_id, seq, at, lag(at) OVER (PARTITION BY run_id ORDER BY seq) AS before
          FROM ({_SAMPLE}) AS sample) AS steps
 WHERE at < before - ? ORDER BY run_id, seq LIMIT {_REPORTED}
"""
_AFTER = f"""
SELECT run_id, seq, at FROM ({_SAMPLE}) AS sample
 WHERE at > ? ORDER BY run_id, seq LIMIT {_REPORTED}
"""
_SERVER = """
SELECT current_setting('server_version'), current_setting('server_version_num')::int,
       current_setting('server_encoding'), current_setting('fsync'),
       current_setting('full_page_writes'), current_setting('synchronous_commit'),
       pg_is_in_recovery(),
       extract(epoch FROM now() - pg_last_xact_replay_timestamp())::float8,
       (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
"""
_ROLE = """
WITH log AS (
    SELECT oid, relowner FROM pg_class
     WHERE oid = 'events'::regclass
        OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'events'::regclass)
), may AS (
    SELECT bool_or(pg_has_role(current_user, relowner, 'USAGE')),
           bool_or(has_table_privilege(oid, 'UPDATE')),
           bool_or(has_table_privilege(oid, 'DELETE')),
           bool_or(has_table_privilege(oid, 'TRUNCATE'))
      FROM log
)
SELECT current_user, rolsuper, may.* FROM may, pg_roles WHERE rolname = current_user
"""
_EXCESS = (
    "is a superuser",
    "owns the tables",
    "may UPDATE the log",
    "may DELETE in the log",
    "may TRUNCATE the log",
)


class Server(NamedTuple):
    """A Postgres server; ``lag`` is in seconds, None if unknown; ``now`` is in µs."""

    version: str
    version_number: int
    encoding: str
    fsync: str
    full_page_writes: str
    synchronous_commit: str
    is_replica: bool
    lag: float | None
    now: int


class Role(NamedTuple):
    """A Postgres role, and its privileges that no recorder needs."""

    name: str
    excess: tuple[str, ...]


class Moment(NamedTuple):
    """A row of the event log and its time in µs."""

    run_id: str
    seq: int
    at: int


def server(connection: Connection) -> Server:
    """Return the settings of the Postgres server."""
    return Server(*connection.one(_SERVER))


def role(connection: Connection) -> Role:
    """Return our role in Postgres, with its most serious excess privileges only."""
    name, *may = connection.one(_ROLE)
    excess = tuple(privilege for privilege, granted in zip(_EXCESS, may, strict=True) if granted)
    # A superuser or an owner has all the others too.
    return Role(name, excess[:1] if any(may[:2]) else excess)


def steps_back(connection: Connection, least: int) -> list[Moment]:
    """Return rows of the newest runs that are ``least`` µs or more before their predecessor."""
    return [Moment(*row) for row in connection.all(_BACK, (least,))]


def rows_after(connection: Connection, moment: int) -> list[Moment]:
    """Return rows of the newest runs that are later than ``moment`` in µs."""
    return [Moment(*row) for row in connection.all(_AFTER, (moment,))]
