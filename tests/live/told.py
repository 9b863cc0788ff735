"""What a log has to tell of a recording, in the words of these tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.model.errors import DatabaseUnavailable
from runreel.model.events import NOTE, STREAM_EVENT

if TYPE_CHECKING:
    import pytest

    from runreel.api.reel import Reel

# So many events come before the fixture ``paused`` is quiet.
PAUSED_AFTER = 4


def kept(reel: Reel, run_id: str = "resp_1") -> list[Any]:
    """The source's events as they were stored."""
    return [row.raw for row in reel.events(run_id) if row.kind == STREAM_EVENT]


def notes(reel: Reel, run_id: str = "resp_1") -> list[tuple[str | None, str | None]]:
    """How the recording went on once it was opened, and why."""
    rows = [row for row in reel.events(run_id) if row.kind == NOTE]
    return [(row.type, row.raw.get("reason")) for row in rows][1:]


def break_the_log(reel: Reel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be stored until ``monkeypatch`` is undone."""

    def gone(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("the database is gone")

    for way in ("write", "write_at_once", "writing"):
        monkeypatch.setattr(type(reel.db), way, gone)
