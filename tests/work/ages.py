"""Runs of several ages, and letting them go."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from runreel.audit import verify as audit
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent, Usage
from runreel.model.status import RunStatus, StreamEvent
from runreel.model.timestamps import to_micros
from runreel.recording.recorder import Recorder
from runreel.recording.session import Recording
from tests import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel


NOW = datetime(2026, 3, 1, tzinfo=UTC)

USAGE = Usage(12, 20, 8)

SECRET = "a word that nobody else says"  # noqa: S105 - to be looked for

BY = {"reason": "older than 90 days", "actor": "the keeper"}


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def partial(text: str) -> RunStreamEvent:
    return RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=PartialMessage((text,)))


@contextlib.contextmanager
def recording(reel: Reel, run_id: str, days: float, **identity: Any) -> Iterator[Recording]:
    """A recording that is made so many days ago."""
    recorder = Recorder(
        reel.db,
        run_id,
        source="plain",
        via="program",
        identity=identity,
        clock=lambda: to_micros(ago(days)) * 1_000,
    )
    with Recording(recorder) as made:
        yield made


def tell(
    reel: Reel,
    run_id: str,
    days: float,
    status: RunStatus = RunStatus.COMPLETED,
    usage: Usage | None = USAGE,
    **identity: Any,
) -> None:
    """A run of three rows and its notes that ended so many days ago."""
    with recording(reel, run_id, days, **identity) as made:
        made.append(partial(f"{SECRET}, {run_id}"))
        error = SECRET if status is RunStatus.FAILED else None
        made.result(RunResult(status, error=error, usage=usage))


def prune(reel: Reel, days: float = 90, **options: Any) -> dict[str, str]:
    """What becomes of each run that ended so many days ago."""
    return {run.run_id: run.action for run in reel.prune(ago(days), **options)}


def findings(reel: Reel) -> list[Any]:
    with reel.db.reading() as connection:
        return list(audit.verify(connection))


def state(reel: Reel) -> Any:
    return logs.rows(reel), logs.execute(reel, "SELECT * FROM runs ORDER BY run_id")


def whole(reel: Reel) -> None:
    """See that nothing is wrong with what is left."""
    assert findings(reel) == []
    assert reel.rebuild(check=True) == []
    logs.verify(reel)


def tell_ages(reel: Reel) -> Reel:
    """Two old runs, of which one failed, and a younger one."""
    tell(reel, "old", 100, model="model-1", labels={"team": "maps"}, thread_id="thread-1")
    tell(reel, "old-failed", 95, status=RunStatus.FAILED, usage=None)
    tell(reel, "young", 80, model="model-1", labels={"team": "search"})
    return reel
