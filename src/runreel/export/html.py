"""Writes one HTML file that opens from disk: no scripts, and nothing loaded from elsewhere.

A policy in its head allows the one style sheet in the file and nothing else. All texts of the log
are escaped as text, with control and invisible characters made visible.
"""

from __future__ import annotations

import base64
import hashlib
from html import escape as html_escape
from typing import TYPE_CHECKING

from runreel.codec.durations import duration_text
from runreel.codec.escaping import escape, escape_line
from runreel.export import logged_runs, transcript
from runreel.export.formats import Written
from runreel.export.html_style import STYLE
from runreel.model.selection import PROBLEMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.export.formats import ExportJob
    from runreel.export.transcript import Block, Entry, Transcript
    from runreel.model.steps import RunSteps

_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
_HEAD = f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>{STYLE}</style>
"""
_WIDTH = 1_000


def write(job: ExportJob) -> Written:
    """Write the runs of a job as a page.

    Raises:
        LogError: if a row cannot be read.
    """
    written = Written()
    # With a single run, there is nothing to choose.
    single = job.run_ids[0] if job.run_ids is not None and len(job.run_ids) == 1 else None
    is_open = "" if single is None else " open"
    title = "Runs of a log" if single is None else f"Run {single}"
    with job.target.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{_HEAD}<title>{html_escape(escape_line(title))}</title>\n")
        file.write("</head>\n<body>\n<main>\n")
        for run_id in logged_runs.run_ids(job):
            written.runs += 1
            file.write(f"<details class=run{is_open}>\n<summary><h1>Run {_line(run_id)}</h1>")
            if (message := logged_runs.pruned(job, run_id)) is not None:
                file.write(f"</summary>\n<p>{_line(message)}</p>\n</details>\n")
                continue
            document = transcript.of_run(job, run_id)
            file.writelines(_run(document))
            file.write("</details>\n")
            written.rows += document.summary.last_seq + 1
            job.advance(document.summary.last_seq + 1)
        if not written.runs:
            file.write("<p>The log has no runs.</p>\n")
        file.write(f"</main>\n<footer>{_line(f'Written by runreel {job.version}.')}")
        file.write(" A page is no proof; a recording file is.</footer>\n</body>\n</html>\n")
    return written


def _run(document: Transcript) -> Iterator[str]:
    state = document.summary.state
    kind = "bad" if state in PROBLEMS else "good"
    yield f" <span class={kind}>{_line(state)}</span></summary>\n<dl>\n"
    for name, value in document.facts:
        yield f"<dt>{name}</dt><dd>{_line(value)}</dd>\n"
    yield "</dl>\n"
    if document.timing.steps:
        yield from _timing(document.timing)
    yield "<h2>What happened</h2>\n<ol class=story>\n"
    for entry in document.entries:
        yield from _entry(entry)
    yield "</ol>\n"
    if document.cited:
        yield "<h2>Citations</h2>\n"
        for block in document.cited:
            yield from _block(block)


def _entry(entry: Entry) -> Iterator[str]:
    subject = "" if entry.subject is None else f" {_line(entry.subject)}"
    yield f"<li class={entry.kind}>\n<h3>{entry.title}{subject}"
    yield f" <small>{entry.since}</small></h3>\n"
    for block in entry.blocks:
        yield from _block(block)
    for remark in entry.remarks:
        yield f"<p>{html_escape(remark)}</p>\n"
    yield "</li>\n"


def _block(block: Block) -> Iterator[str]:
    if block.label is not None:
        yield f"<p class=label>{_line(block.label)}</p>\n"
    # A parser drops a line feed after <pre>.
    yield f'<pre dir="auto">\n{html_escape(escape(block.text))}</pre>\n'


def _timing(timing: RunSteps) -> Iterator[str]:
    """Yield a bar for each step, as SVG: the policy allows no style of an element."""
    begin, total = timing.steps[0].start_ms, timing.total_ms or 1.0
    yield f"<h2>Where the time went <small>{duration_text(timing.total_ms)}</small></h2>\n"
    yield "<table class=timing>\n<tr><th>Step</th><th>Took</th><th>Share</th><td></td></tr>\n"
    for step in timing.steps:
        took = step.end_ms - step.start_ms
        name = step.step.replace("_", " ") + ("" if step.name is None else f" {step.name}")
        left, width = _WIDTH * (step.start_ms - begin) / total, _WIDTH * took / total
        yield (
            f"<tr><td>{_line(name)}</td><td>{duration_text(took)}</td><td>{took / total:.1%}</td>"
            f'<td><svg viewBox="0 0 {_WIDTH} 10" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect class="{step.step}" x="{left:.1f}" width="{max(width, 2):.1f}" height="10">'
            "</rect></svg></td></tr>\n"
        )
    yield "</table>\n"


def _line(text: str) -> str:
    return f"<bdi>{html_escape(escape_line(text))}</bdi>"
