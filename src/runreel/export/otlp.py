"""Writes OTLP JSON: a line with the spans of each run, as OpenTelemetry's file exporter does.

A run is one trace, unless a label ``trace_id`` names another. Spans have the names and attributes
of the GenAI conventions, and no text of requests, answers, tool arguments or results.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from runreel.export import logged_runs, otlp_spans
from runreel.export.formats import Written
from runreel.model.events import ATTEMPT, NOTE
from runreel.projection.model_calls import CallBuilder
from runreel.projection.projector import RunProjector
from runreel.projection.story import StoryBuilder
from runreel.query import run_history
from runreel.store.events import event_log

if TYPE_CHECKING:
    from runreel.export.formats import ExportJob
    from runreel.export.otlp_spans import JsonObject


def write(job: ExportJob) -> Written:
    """Write the runs of a job as spans; a pruned run has none.

    Raises:
        LogError: if a row cannot be read.
    """
    written, pruned = Written(), 0
    with job.target.open("w", encoding="ascii", newline="\n") as file:
        for run_id in logged_runs.run_ids(job):
            if logged_runs.pruned(job, run_id) is not None:
                pruned += 1
                continue
            line = json.dumps(_traces(job, run_id), allow_nan=False, separators=(",", ":"))
            file.write(f"{line}\n")
            rows = run_history.require_logged(job.connection, run_id) + 1
            written.runs += 1
            written.rows += rows
            job.advance(rows)
    if pruned:
        named = "1 run was" if pruned == 1 else f"{pruned:,} runs were"
        written.notices.append(f"{named} pruned, and has no spans")
    return written


def _traces(job: ExportJob, run_id: str) -> JsonObject:
    """Return a run as ``TracesData``."""
    summary = run_history.state(job.connection, run_id).summary
    projector = RunProjector(run_id)
    story, calls = StoryBuilder(projector), CallBuilder(projector)
    last = 0
    for row in event_log.read(job.connection, run_id):
        projected = projector.apply(row)
        story.add(row, projected)
        calls.add(row, projected)
        last = row.seq if row.kind != NOTE or row.type == ATTEMPT else last
    spans = otlp_spans.of_run(summary, story.story(), calls.calls(), last)
    resource = {"attributes": otlp_spans.attributes({"service.name": "runreel"})}
    scope = {"name": "runreel", "version": job.version}
    return {
        "resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": scope, "spans": spans}]}]
    }
