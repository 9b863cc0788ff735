"""Counts in a report what became of the events of an import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.import_report import Problem, Report

if TYPE_CHECKING:
    from runreel.recording.deduplication import AppendOutcome


def count_outcome(
    report: Report, outcome: AppendOutcome, name: str, number: int, run_id: str
) -> None:
    """Add the outcome of the event in a line of a file to the report."""
    report.count(new=outcome.new, conflict=outcome.conflict)
    if outcome.unread:
        report.note_unread(
            outcome.unread, run_id, f"line {number}" if name == "-" else f"{name}:{number}"
        )
    if outcome.conflict:
        message = (
            f"run {run_id} has this event with other content in row {outcome.seq}:"
            " the first one stays, this one is kept as a conflict note"
        )
        report.problems.append(Problem(name, number, message, run_id))
    if outcome.missing:
        message = f"{outcome.missing} of the source's events are missing before this one"
        report.problems.append(Problem(name, number, message, run_id))
