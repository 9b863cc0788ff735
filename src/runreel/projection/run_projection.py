"""A run as the projections store it, before encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runreel.model.results import RunResult
    from runreel.model.run_keys import RunKey
    from runreel.model.runs import RunSummary

# Key, value, and when the run started, in µs.
Label = tuple[str, str, int]
# The texts of a run by part, folded: the rows of ``run_text``.
Texts = tuple[tuple[str, str], ...]
# The values of a row in the order of its columns.
StoredRow = tuple[object, ...]

NO_ROW: StoredRow = ()


@dataclass(frozen=True, slots=True)
class RunProjection:
    """One row of ``runs`` before encoding; ``text`` is the run's text at the same event.

    ``keys`` are the rows of ``run_keys``, ``texts`` those of ``run_text``: none while the recording
    is open, and None if they can be had from the rows of the log only.

    ``row`` is the output of ``to_row`` if it is already known. ``replaces`` is the stored row that
    it replaces, of an open recording; ``NO_ROW`` if there is none, None if that is unknown.
    """

    summary: RunSummary
    result: RunResult
    text: str
    keys: tuple[RunKey, ...] = ()
    texts: Texts | None = ()
    row: StoredRow | None = None
    replaces: StoredRow | None = None
