"""Checks of a Postgres server: its settings, its clock and the rights of our role."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runreel.doctor.checks import BAD, OK, WARN, Check
from runreel.store.admin import server_health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.store.connection import Connection

_OLDEST_SUPPORTED = 140_000
_MAX_CLOCK_DIFFERENCE = 60_000_000


def check_server(connection: Connection) -> Iterator[Check]:
    """Check the server's version, settings, replication and clock."""
    server = server_health.server(connection)
    yield _version(server.version, server.version_number)
    yield _encoding(server.encoding)
    yield _safe_writes("fsync", server.fsync)
    yield _safe_writes("full_page_writes", server.full_page_writes)
    yield Check(
        "synchronous_commit",
        OK,
        f"{server.synchronous_commit}; appends ask for `on` by themselves",
    )
    yield _replica(server)
    yield check_clocks(server.now - time.time_ns() // 1_000)


def check_role(connection: Connection) -> Iterator[Check]:
    """Check that our role has no more rights than it needs."""
    role = server_health.role(connection)
    if not role.excess:
        yield Check("role", OK, role.name)
        return
    yield Check(
        "role",
        WARN,
        f"{role.name} {', '.join(role.excess)}",
        "`runreel db grants` prints SQL for roles with only the rights that they need.",
    )


def check_clocks(difference: int) -> Check:
    """Check the difference of the server's clock to ours, in µs."""
    found = f"{abs(difference) / 1e6:,.1f} s {'behind' if difference < 0 else 'ahead of'} ours"
    if abs(difference) <= _MAX_CLOCK_DIFFERENCE:
        return Check("server clock", OK, found)
    return Check("server clock", WARN, found, "Synchronize both clocks with NTP.")


def _version(name: str, number: int) -> Check:
    if number >= _OLDEST_SUPPORTED:
        return Check("server version", OK, name)
    return Check("server version", WARN, f"{name} is no longer supported", "Upgrade the server.")


def _encoding(name: str) -> Check:
    if name == "UTF8":
        return Check("encoding", OK, name)
    return Check("encoding", BAD, f"{name} cannot store all text", "Create the database with UTF8.")


def _safe_writes(name: str, value: str) -> Check:
    if value == "on":
        return Check(name, OK, value)
    return Check(
        name,
        BAD,
        f"{value}: a power loss can destroy the whole database",
        f"Set {name} = on in postgresql.conf and reload.",
    )


def _replica(server: server_health.Server) -> Check:
    if not server.is_replica:
        return Check("replica", OK, "no, the primary")
    lag = "lag unknown" if server.lag is None else f"{server.lag:,.1f} s behind"
    return Check(
        "replica",
        WARN,
        f"yes, {lag}",
        "Use it for reading. Recording, checkpoints and verify --checkpoint need the primary.",
    )
