"""Postgres: its settings, and what our role there may do."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runreel.doctor.checks import BAD, OK, WARN, Check
from runreel.store.admin import server_health

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.store.connection import Connection

_OLDEST = 140_000
_CLOCK = 60_000_000


def server(connection: Connection) -> Iterator[Check]:
    """The server, its settings and its clock."""
    told = server_health.server(connection)
    yield _version(told.version, told.version_number)
    yield _encoding(told.encoding)
    yield _safe_writes("fsync", told.fsync)
    yield _safe_writes("full_page_writes", told.full_page_writes)
    yield Check(
        "synchronous_commit",
        OK,
        f"{told.synchronous_commit}; appends ask for `on` by themselves",
    )
    yield _replica(told)
    yield clocks(told.now - time.time_ns() // 1_000)


def role(connection: Connection) -> Iterator[Check]:
    """What our role may do to the log."""
    told = server_health.role(connection)
    if not told.excess:
        yield Check("role", OK, told.name)
        return
    yield Check(
        "role",
        WARN,
        f"{told.name} {', '.join(told.excess)}",
        "`runreel db grants` prints roles that may do no more than they need.",
    )


def clocks(apart: int) -> Check:
    """Whether our clock and the server's, so many µs apart, tell one time."""
    found = f"{abs(apart) / 1e6:,.1f} s {'behind' if apart < 0 else 'ahead of'} ours"
    if abs(apart) <= _CLOCK:
        return Check("server clock", OK, found)
    return Check("server clock", WARN, found, "Set both clocks by NTP.")


def _version(name: str, number: int) -> Check:
    if number >= _OLDEST:
        return Check("server version", OK, name)
    return Check("server version", WARN, f"{name} gets no fixes any more", "Upgrade the server.")


def _encoding(name: str) -> Check:
    if name == "UTF8":
        return Check("encoding", OK, name)
    return Check("encoding", BAD, f"{name} has no place for some text", "Create it as UTF8.")


def _safe_writes(name: str, value: str) -> Check:
    if value == "on":
        return Check(name, OK, value)
    return Check(
        name,
        BAD,
        f"{value}: a power loss can destroy the whole database",
        f"Set {name} = on in postgresql.conf and reload.",
    )


def _replica(told: server_health.Server) -> Check:
    if not told.is_replica:
        return Check("replica", OK, "no, the primary")
    behind = "behind by nobody knows what" if told.lag is None else f"{told.lag:,.1f} s behind"
    return Check(
        "replica",
        WARN,
        f"yes, {behind}",
        "Read here. Recording, checkpoints and verify --checkpoint need the primary.",
    )
