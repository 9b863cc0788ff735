"""Checks of a log's schema and contents."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from runreel.doctor.checks import BAD, OK, WARN, Check
from runreel.model.timestamps import from_micros, rfc3339
from runreel.query.open_recordings import open_recordings
from runreel.store.admin import server_health
from runreel.store.schema import comparison, migrations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runreel.model.runs import OpenRecording
    from runreel.store.connection import Connection

_MAX_LISTED = 3
_FIVE_MINUTES = 5 * 60_000_000
_ABANDONED = timedelta(days=1)


def check_revision(found: str | None) -> Check:
    """Check that the schema is the one that this version of runreel needs."""
    if found == migrations.HEAD:
        return Check("schema", OK, found)
    if found is None:
        return Check("schema", BAD, "no tables", "`runreel db upgrade` creates them.")
    if found in migrations.REVISIONS:
        return Check(
            "schema",
            BAD,
            f"revision {found}, this version of runreel needs {migrations.HEAD}",
            "`runreel db upgrade` migrates it.",
        )
    return Check(
        "schema",
        BAD,
        f"revision {found}, this version of runreel supports up to {migrations.HEAD}",
        "Install a newer version of runreel.",
    )


def _guards(connection: Connection, _: int) -> Iterator[Check]:
    reason = comparison.not_compared(connection)
    if reason is not None:
        yield Check("guards", WARN, "not compared", f"{reason[0].upper()}{reason[1:]}.")
        return
    found = comparison.differences(connection)
    if not found:
        yield Check("guards", OK, "the database rejects changes to the event log")
        return
    yield Check(
        "guards",
        BAD,
        _listed(found),
        "They were removed. `runreel verify` checks whether the log is intact; a copy made by"
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
        f"version {found}, this version of runreel needs {migrations.PROJECTION_VERSION}",
        "`runreel rebuild` computes them again from the event log.",
    )


def _search_index(connection: Connection, _: int) -> Iterator[Check]:
    text_search = connection.driver.text_search
    report, obstacle = text_search.report(connection), text_search.obstacle(connection)
    if obstacle is not None:
        yield Check("search index", OK, f"none possible, searches scan: {obstacle}")
    elif report is None:
        yield Check("search index", OK, "none, searches scan: `runreel search --build` makes one")
    else:
        missing = text_search.missing(connection)
        late = f", {missing:,} not yet: `runreel search --build` adds them" if missing else ""
        yield Check("search index", OK, f"{report.kind}, {report.indexed:,} texts{late}")


def _recordings(connection: Connection, now: int) -> Iterator[Check]:
    if migrations.projection_version(connection) != migrations.PROJECTION_VERSION:
        return
    found = open_recordings(connection)
    stuck = [recording.run_id for recording in found if _is_stuck(recording, now)]
    if not stuck:
        yield Check("open recordings", OK, f"{len(found)}, none of a process that has ended")
        return
    yield Check(
        "open recordings",
        WARN,
        f"{len(stuck)} abandoned: {_listed(stuck)}",
        "`runreel recover` ends those whose process on this host has exited.",
    )


def _is_stuck(recording: OpenRecording, now: int) -> bool:
    if recording.alive is None:
        return from_micros(now) - recording.last_event_at > _ABANDONED
    return not recording.alive


def _clock(connection: Connection, _: int) -> Iterator[Check]:
    found = server_health.steps_back(connection, _FIVE_MINUTES)
    if not found:
        yield Check("clock", OK, "moves forward in the newest runs")
        return
    yield Check(
        "clock",
        WARN,
        f"moved back by more than 5 minutes: {_listed([_format_event(row) for row in found])}",
        "The order of events is correct, their times are not. Synchronize the clock with NTP.",
    )


def _future(connection: Connection, now: int) -> Iterator[Check]:
    found = server_health.rows_after(connection, now + _FIVE_MINUTES)
    if not found:
        yield Check("future", OK, "the newest runs end before now")
        return
    yield Check(
        "future",
        WARN,
        f"events in the future: {_listed([_format_event(row) for row in found])}",
        "The recorder's clock was wrong, or this one is. Synchronize both with NTP.",
    )


def _format_event(row: server_health.Moment) -> str:
    return f"{row.run_id}, row {row.seq}, {rfc3339(row.at)}"


EXAMINERS: dict[str, Callable[[Connection, int], Iterable[Check]]] = {
    "guards": _guards,
    "projections": _projections,
    "search index": _search_index,
    "open recordings": _recordings,
    "clock": _clock,
    "future": _future,
}


def _listed(items: list[str]) -> str:
    unlisted = len(items) - _MAX_LISTED
    more = f" and {unlisted} more" if unlisted > 0 else ""
    return f"{'; '.join(items[:_MAX_LISTED])}{more}"
