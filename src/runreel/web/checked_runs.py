"""The latest verification of each run, as long as the server runs: ``verify`` stores nothing."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from runreel.system import wall_clock

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from datetime import datetime

    from runreel.api.reel import Reel
    from runreel.model.finding import Finding

# Problems of a verification that a page shows.
_FINDINGS = 20
# Runs of a log whose verifications are kept.
_MOST = 10_000


class CheckedRun(NamedTuple):
    """A verification of the rows of a run up to ``last_seq``, with the first problems."""

    at: datetime
    last_seq: int
    findings: list[Finding]


_checked: MutableMapping[Reel, dict[str, CheckedRun]] = WeakKeyDictionary()


def verify(reel: Reel, run_id: str, last_seq: int) -> CheckedRun:
    """Verify a run that has rows up to ``last_seq``, and keep what was found."""
    at = wall_clock.now()
    found = CheckedRun(at, last_seq, list(islice(reel.verify([run_id]), _FINDINGS)))
    kept = _checked.setdefault(reel, {})
    # The oldest is forgotten first.
    kept.pop(run_id, None)
    kept[run_id] = found
    if len(kept) > _MOST:
        kept.pop(next(iter(kept)), None)
    return found


def latest(reel: Reel, run_id: str) -> CheckedRun | None:
    """Return the latest verification of a run, None if there was none."""
    return _checked.get(reel, {}).get(run_id)
