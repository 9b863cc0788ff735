"""What was found of a few runs, as a worker process hands it over."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.rebuild.comparison import compare_runs
from runreel.store.projections import text_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runreel.model.finding import Finding
    from runreel.model.runs import Difference
    from runreel.rebuild.comparison import RunComparison
    from runreel.store.connection import Connection


class ComparedBatch(NamedTuple):
    """The number of ``runs`` compared, the damage in their logs, and what differs.

    ``staged`` has the rows of the staging tables for the runs that differ, as they are stored.
    """

    runs: int
    damage: list[Finding]
    differences: list[Difference]
    staged: Mapping[str, Sequence[Sequence[object]]]


def compare_batch(connection: Connection, run_ids: Sequence[str], *, stage: bool) -> ComparedBatch:
    """Compare neighbouring runs of the log, and with ``stage`` make the rows that they should have.

    These are made here, texts packed, because one process stores the rows of all workers.
    """
    runs = compare_runs(connection, run_ids)
    wrong = [run for run in runs if run.differences]
    return ComparedBatch(
        len(runs),
        [run.damage for run in runs if run.damage is not None],
        [difference for run in wrong for difference in run.differences],
        _staged(connection, wrong) if stage and wrong else {},
    )


def _staged(
    connection: Connection, runs: list[RunComparison]
) -> Mapping[str, Sequence[Sequence[object]]]:
    return {
        "staged_ids": [(run.run_id,) for run in runs],
        "staged_runs": [run.expected for run in runs if run.expected is not None],
        "staged_labels": [(*label, run.run_id) for run in runs for label in run.labels],
        "staged_keys": [
            (kind, key, at, run.run_id, seq) for run in runs for kind, key, at, seq in run.keys
        ],
        "staged_texts": [
            row for run in runs for row in text_table.stored_rows(connection, run.run_id, run.texts)
        ],
        "staged_frames": [tuple(frame) for run in runs for frame in run.frames],
    }
