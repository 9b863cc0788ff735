"""The tables of a log, and what is in them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from runreel.doctor.checks import BAD, OK, WARN, Check
from runreel.model.timestamps import from_micros, rfc3339
from runreel.query import runs as queries
from runreel.store.admin import server_health
from runreel.store.schema import comparison, migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.model.runs import OpenRecording
    from runreel.store.connection import Connection

_NAMED = 3
_MINUTES = 5 * 60_000_000
_FORGOTTEN = timedelta(days=1)


def revision(found: str | None) -> Check:
    """Whether the tables are those of this runreel."""
    if found == migrations.HEAD:
        return Check("schema", OK, found)
    if found is None:
        return Check("schema", BAD, "there are no tables", "`runreel db upgrade` creates them.")
    if found in migrations.REVISIONS:
        return Check(
            "schema",
            BAD,
            f"revision {found}, this runreel needs {migrations.HEAD}",
            "`runreel db upgrade` brings it up to date.",
        )
    return Check(
        "schema",
        BAD,
        f"revision {found}, this runreel knows up to {migrations.HEAD}",
        "Install the newer runreel.",
    )


def _guards(connection: Connection, _: int) -> Iterator[Check]:
    reason = comparison.not_compared(connection)
    if reason is not None:
        yield Check("guards", WARN, "not compared", f"{reason[0].upper()}{reason[1:]}.")
        return
    found = comparison.differences(connection)
    if not found:
        yield Check("guards", OK, "the database refuses to change the log")
        return
    yield Check(
        "guards",
        BAD,
        _listed(found),
        "Somebody took them away: `runreel verify` says whether the log is intact. A log from"
        " `runreel backup` has them.",
    )


def _projections(connection: Connection, _: int) -> Iterator[Check]:
    found = migrations.projection_version(connection)
    if found == migrations.PROJECTION_VERSION:
        yield Check("projections", OK, f"version {found}")
        return
    yield Check(
        "projections",
        BAD,
        f"version {found}, this runreel makes {migrations.PROJECTION_VERSION}",
        "`runreel rebuild` makes them anew from the log.",
    )


def _recordings(connection: Connection, now: int) -> Iterator[Check]:
    if migrations.projection_version(connection) != migrations.PROJECTION_VERSION:
        return
    found = queries.open_recordings(connection)
    stuck = [recording.run_id for recording in found if _is_stuck(recording, now)]
    if not stuck:
        yield Check("open recordings", OK, f"{len(found)}, none of a dead process")
        return
    yield Check(
        "open recordings",
        WARN,
        f"{len(stuck)} that nobody goes on with: {_listed(stuck)}",
        "`runreel recover` ends those of dead processes of this host.",
    )


def _is_stuck(recording: OpenRecording, now: int) -> bool:
    if recording.alive is None:
        return from_micros(now) - recording.last_event_at > _FORGOTTEN
    return not recording.alive


def _clock(connection: Connection, _: int) -> Iterator[Check]:
    found = server_health.steps_back(connection, _MINUTES)
    if not found:
        yield Check("clock", OK, "goes forward in the newest runs")
        return
    yield Check(
        "clock",
        WARN,
        f"it went back by more than 5 minutes: {_listed([_named(row) for row in found])}",
        "The order of the log is right, its times are not. Set the recorder's clock by NTP.",
    )


def _future(connection: Connection, now: int) -> Iterator[Check]:
    found = server_health.rows_after(connection, now + _MINUTES)
    if not found:
        yield Check("future", OK, "the newest runs end before now")
        return
    yield Check(
        "future",
        WARN,
        f"times that have not come yet: {_listed([_named(row) for row in found])}",
        "The clock of the recorder was wrong, or ours is. Set both by NTP.",
    )


def _named(row: server_health.Moment) -> str:
    return f"{row.run_id}, row {row.seq}, {rfc3339(row.at)}"


EXAMINERS: dict[str, Callable[[Connection, int], Iterable[Check]]] = {
    "guards": _guards,
    "projections": _projections,
    "open recordings": _recordings,
    "clock": _clock,
    "future": _future,
}


def _listed(told: list[str]) -> str:
    more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
    return f"{'; '.join(told[:_NAMED])}{more}"
