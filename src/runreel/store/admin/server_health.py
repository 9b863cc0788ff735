"""What tells whether a log is well kept: settings, privileges, times that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from runreel.store.connection import Connection

_RUNS = 200
_ROWS = 50_000
_REPORTED = 10

# The newest runs are enough: who has a wrong clock has it now.
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
    """A Postgres server; ``lag`` is in seconds, None where it is unknown; ``now`` is in µs."""

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
    """A role of Postgres, and what it may do that no recorder has to."""

    name: str
    excess: tuple[str, ...]


class Moment(NamedTuple):
    """A row of the log and its time in µs."""

    run_id: str
    seq: int
    at: int


def server(connection: Connection) -> Server:
    """What the Postgres server says of itself."""
    return Server(*connection.one(_SERVER))


def role(connection: Connection) -> Role:
    """Who we are for Postgres; of what we may do too much, the worst alone."""
    name, *may = connection.one(_ROLE)
    excess = tuple(told for told, is_so in zip(_EXCESS, may, strict=True) if is_so)
    # A superuser or an owner may do all the rest.
    return Role(name, excess[:1] if any(may[:2]) else excess)


def steps_back(connection: Connection, least: int) -> list[Moment]:
    """Rows of the newest runs that are at least so many µs earlier than the row before."""
    return [Moment(*row) for row in connection.all(_BACK, (least,))]


def rows_after(connection: Connection, moment: int) -> list[Moment]:
    """Rows of the newest runs that are later than a time in µs."""
    return [Moment(*row) for row in connection.all(_AFTER, (moment,))]
