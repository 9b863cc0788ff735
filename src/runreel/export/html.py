"""Writes one HTML file that opens from disk; nothing is loaded from elsewhere.

A policy in its head allows the one style sheet and the one script in the file, and nothing else.
All texts of the log are escaped as text, with control and invisible characters made visible. The
script has them as JSON, and shows them in the same way.
"""

from __future__ import annotations

import json
from html import escape as html_escape
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from runreel.codec.durations import duration_text
from runreel.codec.escaping import escape, escape_line
from runreel.export import html_parts, logged_runs, transcript
from runreel.export.formats import Written
from runreel.query import run_history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.export.formats import ExportJob
    from runreel.export.transcript import Block, Entry, Transcript
    from runreel.model.steps import RunSteps
    from runreel.store.connection import Connection

_WIDTH = 1_000
# Characters of the events of a run, as their source sent them, that a file holds.
_EVENTS = 500_000
_HEAD = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<style>{style}</style>
<title>{title}</title>
</head>
<body>
<main>
"""


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
        head = {"policy": html_parts.policy(), "style": html_parts.style()}
        file.write(_HEAD.format(**head, title=html_escape(escape_line(title))))
        for run_id in logged_runs.run_ids(job):
            written.runs += 1
            name = quote(run_id, safe="")
            file.write(f'<details class=run data-run="{name}"{is_open}>\n<summary>')
            file.write(f"<h1>Run {_line(run_id)}</h1>")
            if (message := logged_runs.pruned(job, run_id)) is not None:
                file.write(f"</summary>\n<p>{_line(message)}</p>\n</details>\n")
                continue
            document = transcript.of_run(job, run_id)
            file.writelines(_run(document))
            file.writelines(_data(job.connection, document))
            file.write("</details>\n")
            written.rows += document.summary.last_seq + 1
            job.advance(document.summary.last_seq + 1)
        if not written.runs:
            file.write("<p>The log has no runs.</p>\n")
        file.write(f"</main>\n<footer>{_line(f'Written by runreel {job.version}.')}")
        file.write(" A page is no proof; a recording file is.</footer>\n")
        file.write(f'<script type="module">{html_parts.script()}</script>\n</body>\n</html>\n')
    return written


def _run(document: Transcript) -> Iterator[str]:
    summary = document.summary
    yield f" <span class='state {summary.status_name}'>{_line(summary.state)}</span></summary>\n"
    yield '<dl class="facts">\n'
    for name, value in document.facts:
        yield f"<div><dt>{name}</dt><dd>{_line(value)}</dd></div>\n"
    yield "</dl>\n"
    yield "<h2>What happened</h2>\n<ol class=story>\n"
    for entry in document.entries:
        yield from _entry(entry, summary.run_id)
    yield "</ol>\n"
    if document.cited:
        yield "<h2>Citations</h2>\n"
        for block in document.cited:
            yield from _block(block)
    if document.timing.steps:
        yield from _timing(document.timing, document.summary.run_id)


def _data(connection: Connection, document: Transcript) -> Iterator[str]:
    """Yield what the script shows."""
    found = document.reading
    values = {
        "columns": found.columns,
        "markers": found.markers,
        "calls": found.calls,
        "seq": document.summary.last_seq,
        "events": _events(connection, document.summary.run_id),
    }
    text = json.dumps(values, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    yield f'<script type="application/json" class="run-data">{text}</script>\n'


def _events(connection: Connection, run_id: str) -> dict[int, object] | None:
    """Return the JSON of all events of a run, None if it is too long."""
    found: dict[int, object] = {}
    length = 0
    for event in run_history.events(connection, run_id):
        found[event.seq] = event.raw
        length += len(json.dumps(event.raw))
        if length > _EVENTS:
            return None
    return found


def _entry(entry: Entry, run_id: str) -> Iterator[str]:
    subject = "" if entry.subject is None else f" {_line(entry.subject)}"
    kind = "text_step" if entry.kind == "text" else entry.kind
    place = html_escape(urlencode({"run": run_id, "seq": entry.seq}))
    yield f"<li class={kind} data-seq={entry.seq}>\n<h3>{entry.title}{subject}"
    yield f' <a class=faint href="#{place}">{entry.since}</a></h3>\n'
    for block in entry.blocks:
        yield from _block(block)
    for remark in entry.remarks:
        yield f"<p class=faint>{html_escape(remark)}</p>\n"
    yield "</li>\n"


def _block(block: Block) -> Iterator[str]:
    if block.label is not None:
        yield f"<p class=label>{_line(block.label)}</p>\n"
    # A parser drops a line feed after <pre>.
    yield f'<pre dir="auto">\n{html_escape(escape(block.text))}</pre>\n'


def _timing(timing: RunSteps, run_id: str) -> Iterator[str]:
    """Yield a bar for each step, as SVG: the policy allows no style of an element."""
    begin, total = timing.steps[0].start_ms, timing.total_ms or 1.0
    yield f"<h2>Where the time went <small>{duration_text(timing.total_ms)}</small></h2>\n"
    label = html_escape(escape_line(f"Steps of {run_id}"))
    yield f'<div class="wide" role="region" aria-label="{label}" tabindex="0">'
    yield "<table class=timing>\n"
    yield "<tr><th>Step</th><th>Took</th><th>Share</th><td></td></tr>\n"
    for step in timing.steps:
        took = step.end_ms - step.start_ms
        name = step.step.replace("_", " ") + ("" if step.name is None else f" {step.name}")
        left, width = _WIDTH * (step.start_ms - begin) / total, _WIDTH * took / total
        yield (
            f"<tr><td>{_line(name)}</td><td>{duration_text(took)}</td><td>{took / total:.1%}</td>"
            f'<td><svg class="bar" viewBox="0 0 {_WIDTH} 10" preserveAspectRatio="none"'
            ' aria-hidden="true">'
            f'<rect class="{step.step}" x="{left:.1f}" width="{max(width, 2):.1f}" height="10">'
            "</rect></svg></td></tr>\n"
        )
    yield "</table></div>\n"


def _line(text: str) -> str:
    return f"<bdi>{html_escape(escape_line(text))}</bdi>"
