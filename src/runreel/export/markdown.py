"""Writes Markdown: a heading for each run, a table of its facts, and its story.

No text of the log is Markdown itself: a block stands in a fence that is longer than any in it, the
rest in code spans. There are no links and no images.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runreel.codec.durations import duration_text
from runreel.codec.escaping import escape, escape_line
from runreel.export import logged_runs, transcript
from runreel.export.formats import Written

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.export.formats import ExportJob
    from runreel.export.transcript import Block, Entry, Transcript
    from runreel.model.steps import RunSteps

_fences = re.compile("`+").findall


def write(job: ExportJob) -> Written:
    """Write the runs of a job as a transcript.

    Raises:
        LogError: if a row cannot be read.
    """
    written = Written()
    with job.target.open("w", encoding="utf-8", newline="\n") as file:
        file.write("# Transcript of runs\n")
        for run_id in logged_runs.run_ids(job):
            file.write(f"\n## Run {_span(run_id)}\n")
            written.runs += 1
            if (message := logged_runs.pruned(job, run_id)) is not None:
                file.write(f"\n{_span(message)}\n")
                continue
            document = transcript.of_run(job, run_id)
            file.writelines(_run(document))
            written.rows += document.summary.last_seq + 1
            job.advance(document.summary.last_seq + 1)
        if not written.runs:
            file.write("\nThe log has no runs.\n")
    return written


def _run(document: Transcript) -> Iterator[str]:
    yield "\n| | |\n| --- | --- |\n"
    for name, value in document.facts:
        yield f"| {name} | {_span(value)} |\n"
    for entry in document.entries:
        yield from _entry(entry)
    if document.cited:
        yield "\n### Citations\n"
        for block in document.cited:
            yield from _block(block)
    if document.timing.steps:
        yield "\n### Where the time went\n"
        yield from _timing(document.timing)


def _entry(entry: Entry) -> Iterator[str]:
    subject = "" if entry.subject is None else f" {_span(entry.subject)}"
    yield f"\n### {entry.title}{subject} ({entry.since})\n"
    for block in entry.blocks:
        yield from _block(block)
    for remark in entry.remarks:
        yield f"\n*{remark}*\n"


def _block(block: Block) -> Iterator[str]:
    if block.label is not None:
        yield f"\n{_span(block.label)}:\n"
    text = escape(block.text)
    fence = "`" * max(3, 1 + max(map(len, _fences(text)), default=0))
    yield f"\n{fence}{'json' if block.is_json else 'text'}\n{text}\n{fence}\n"


def _timing(timing: RunSteps) -> Iterator[str]:
    yield "\n| step | start | took | share |\n| --- | --- | --- | --- |\n"
    for step in timing.steps:
        took = step.end_ms - step.start_ms
        name = step.step.replace("_", " ") + ("" if step.name is None else f" {_span(step.name)}")
        share = f"{took / timing.total_ms:.1%}" if timing.total_ms else ""
        yield f"| {name} | +{duration_text(step.start_ms)} | {duration_text(took)} | {share} |\n"


def _span(text: str) -> str:
    r"""Return a text as a code span of one line; ``|``, which ends a cell, becomes ``\x7c``."""
    line = escape_line(text).replace("|", "\\x7c")
    fence = "`" * (1 + max(map(len, _fences(line)), default=0))
    # A code span loses a space at each end, and is never empty.
    room = " " if not line or {line[0], line[-1]} & set("` ") else ""
    return f"{fence}{room}{line or ' '}{room}{fence}"
