"""The runs of an export, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.projection.tombstone import is_tombstone, pruned_message
from runreel.store.events import stream_heads, stream_ids

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.export.formats import ExportJob


def run_ids(job: ExportJob) -> Iterator[str]:
    """Yield the ids of the runs of a job, in the order of their bytes, also of pruned runs."""
    if job.run_ids is not None:
        yield from job.run_ids
        return
    after = ""
    while page := stream_ids.ids_after(job.connection, after):
        yield from page
        after = page[-1]


def pruned(job: ExportJob, run_id: str) -> str | None:
    """Say when and why a run was pruned; None if it was not."""
    found = stream_heads.first_and_last(job.connection, run_id)
    return pruned_message(found[0]) if found is not None and is_tombstone(found[0]) else None
