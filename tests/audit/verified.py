"""What ``verify`` finds in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.audit.verify import verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.api.reel import Reel
    from runreel.model.finding import Finding

Place = tuple[str | None, int | None]


def found(reel: Reel, run_ids: Sequence[str] | None = None, **options: Any) -> list[Finding]:
    """What is wrong with the log."""
    with reel.db.reading() as connection:
        return list(verify(connection, run_ids, **options))


def named(reel: Reel, run_ids: Sequence[str] | None = None) -> set[Place]:
    """The runs and rows with which something is wrong."""
    return {(finding.run_id, finding.seq) for finding in found(reel, run_ids)}


def whats(reel: Reel) -> list[tuple[str | None, int | None, str]]:
    """The same, and in a word what it is."""
    return [(finding.run_id, finding.seq, finding.what) for finding in found(reel)]
