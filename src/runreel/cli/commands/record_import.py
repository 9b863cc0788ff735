"""``runreel record`` and ``runreel import``: store events."""

from __future__ import annotations

import sys
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from runreel.cli import options
from runreel.cli.render import import_problems, terminal
from runreel.cli.render.import_problems import STDIN
from runreel.cli.stop_signals import stop_on_signals
from runreel.model.errors import UsageError
from runreel.sources import SOURCES
from runreel.sources.archives import lines as archive_lines
from runreel.system import standard_input

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output
    from runreel.model.import_report import Report
    from runreel.system.arrivals import Arrival

T = TypeVar("T")
# Seconds between two looks at the files of an archive.
_PAUSE = 1.0
_FILE = click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True)
_INPUT = click.Path(exists=True, readable=True, allow_dash=True)


@options.command("""
my-program | runreel record --run run-1
runreel record --run run-1 --source plain --model my-model --input events.jsonl
curl -sN "$URL" | runreel record --run run-1 --label team=search
""")
@click.option(
    "--run", "run_id", required=True, type=options.TEXT, metavar="ID", help="ID of the run."
)
@click.option(
    "--source",
    type=click.Choice(SOURCES),
    help="Input format. Default: detected from the lines.",
)
@click.option(
    "--input",
    "file",
    type=_FILE,
    metavar="FILE|-",
    help="File of events; - is standard input. Default: standard input, if piped.",
)
@click.option("--assistant", "assistant_id", type=options.TEXT, metavar="ID", help="Assistant ID.")
@click.option("--thread", "thread_id", type=options.TEXT, metavar="ID", help="Thread ID.")
@click.option("--model", type=options.TEXT, metavar="MODEL", help="Model name.")
@options.labels("Label of the run (repeatable).")
@options.output()
def record_command(
    run_id: str,
    source: str | None,
    file: str | None,
    *,
    output: Output,
    **attributes: Any,
) -> None:
    """Record a run from JSON lines as they arrive.

    Reads --input, or standard input if a pipe or a file is connected to it. Otherwise listens to a
    live Assistants run by its id, with the key and the endpoint of the SDK's environment variables
    (YC_API_KEY or YC_IAM_TOKEN, YC_API_ENDPOINT).

    Each line is one event of the source; a server-sent stream is read event by event. Events are
    stored one by one with the times of their arrival. Events that are already stored are skipped,
    so the input of an interrupted recording can be given again from its start.

    Exit code 1: bad lines, or input that ended before the last event of the run. Ctrl-C and
    SIGTERM end the recording as interrupted.
    """
    identity = {key: value for key, value in attributes.items() if value}
    if file is None and standard_input.is_given():
        file = STDIN
    # Lines on a pipe get their arrival times from here on, before the database is open.
    with (
        stop_on_signals(),
        nullcontext() if file is None else _lines(file) as lines,
        options.opened(create=True) as reel,
    ):
        if lines is None:
            report = _listen(reel, run_id, source, identity)
        else:
            from runreel.importing.record_lines import record_lines

            report = record_lines(reel.db, lines, run_id=run_id, source=source, identity=identity)
    _print_report(report, output, f"Run {run_id}: {_events(report)}.", file)


def _listen(reel: Reel, run_id: str, source: str | None, identity: dict[str, Any]) -> Report:
    from runreel.capture.yandex.record import SOURCE, listen_by_id

    if source not in (None, SOURCE):
        raise UsageError(
            f"cannot listen to a run of {source} by its id",
            hint="Pass its events with --input FILE, or --input - for standard input.",
        )
    return listen_by_id(reel.db, run_id, identity=identity)


@options.command("""
runreel import traffic.jsonl
runreel import recordings/*.jsonl
runreel import -j 4 traffic.jsonl.gz
runreel import traffic.jsonl.gz run.reel.jsonl
runreel import ~/.claude
runreel import --watch ~/.claude ~/.codex
my-program | runreel import -
""")
@click.argument("files", nargs=-1, required=True, type=_INPUT, metavar="FILE|FOLDER...|-")
@click.option(
    "--from",
    "archive",
    type=click.Choice(archive_lines.ARCHIVES),
    help="What the files are an archive of. Default: recognised by their content.",
)
@click.option(
    "--watch",
    "watches",
    is_flag=True,
    help="Go on with archives: add what is written to them, until Ctrl-C.",
)
@options.jobs_option("Number of processes for recorded traffic. Default: 1.")
@options.output()
@options.reel(create=True)
def import_command(  # noqa: PLR0913 - options of the command
    reel: Reel,
    files: tuple[str, ...],
    *,
    archive: str | None,
    watches: bool,
    jobs: int,
    output: Output,
) -> None:
    """Import recorded events.

    Each line is {"type": "run"|"stream_event"|"tool_results"|"message"|"assistant", "data": ...},
    in the order of the recording. Importing again adds nothing. Lines of several runs may
    alternate; a line without a run id belongs to the run of the line before it.

    An unreadable line is reported, its run is skipped, and the rest is imported. A bad line without
    a run id belongs to the run whose event numbers have a gap there, else to the run before or
    after it, unless the lines of that run alternate with those of others. Exit code 1: there were
    bad lines.

    A recording file that `runreel export` has written is stored with its digests and times, or
    refused as a whole if it was changed. Of runs that the log has, only new rows are stored.

    Archives of other programs are recognised by their content: sessions of Claude Code
    (~/.claude or CLAUDE_CONFIG_DIR) and of the Codex CLI (~/.codex or CODEX_HOME), output files of
    OpenAI batches, logs.db of the tool llm, OTLP JSON with GenAI spans. Each turn is a run, known
    by the ids of the archive: importing a session that has grown adds only what is new.

    With -j, this process stores the new runs that the others prepare. The report and the log are
    the same with any number. Archives, recording files and runs that the log has take one process.

    Files compressed with gzip, bzip2 or xz are read directly; zstd needs the extra `zstd`.
    """
    from runreel.cli.render import progress
    from runreel.importing.import_files import import_files

    if files.count(STDIN) > 1:
        raise click.UsageError("Standard input can only be read once.")
    if watches:
        _watch(reel, files, archive, output)
    with progress.bar("Importing", in_bytes=True) as step:
        report = import_files(
            reel.db,
            files,
            archive=archive,
            jobs=jobs,
            progress=step and (lambda done, total, _: step(done, total)),
        )
    _print_report(report, output, _summary(report))


def _watch(reel: Reel, files: tuple[str, ...], archive: str | None, output: Output) -> NoReturn:
    """Import archives, then what is added to them; Ctrl-C ends it, with the report of all."""
    from runreel.cli.render import progress
    from runreel.importing.archives.following import ArchiveFollower
    from runreel.model.import_report import Report

    if STDIN in files:
        raise click.UsageError("Standard input cannot be watched.")
    report = Report()
    follower = ArchiveFollower(reel.db, files, report, archive)
    with stop_on_signals():
        try:
            with progress.bar("Importing", in_bytes=True) as step:
                follower.read(step and (lambda done, total, _: step(done, total)))
            terminal.write_notice(f"{_summary(report)} Watching; press Ctrl-C to end.")
            while True:
                terminal.wait(_PAUSE)
                if new := follower.read():
                    terminal.write_notice(f"{terminal.counted(new, 'event')} added")
        finally:
            follower.finish()
            with suppress(click.exceptions.Exit):
                _print_report(report, output, _summary(report))


def _summary(report: Report) -> str:
    # A new run whose events were pruned is not among those touched.
    updated = max(0, report.runs_touched - report.runs_new)
    runs = f"{terminal.counted(report.runs_new, 'run')} added, {updated:,} updated"
    return f"{runs}; {_events(report)}."


@contextmanager
def _lines(file: str) -> Iterator[Iterable[bytes | Arrival]]:
    """The lines of a regular file, or else the chunks as they arrive."""
    if file == STDIN:
        if sys.stdin is None:
            raise UsageError("standard input is closed")
        if sys.stdin.isatty():
            terminal.write_notice(("Reading from the terminal; press Ctrl-D to end.", "dim"))
        yield _readable(standard_input.arrivals() or sys.stdin.buffer, "standard input")
        return
    from pathlib import Path

    from runreel.system.arrivals import Arrivals

    try:
        lines = Path(file).open("rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    with lines:
        yield _readable(lines if lines.seekable() else Arrivals(lines.fileno()), file)


def _readable(lines: Iterable[T], name: str) -> Iterator[T]:
    try:
        yield from lines
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror}") from error


def _print_report(report: Report, output: Output, summary: str, file: str | None = None) -> None:
    for notice in report.notices:
        terminal.write_notice(notice)
    import_problems.show(report, file)
    if output.is_table:
        terminal.write(summary)
    else:
        from runreel.cli.render import json_views, shapes

        problems = [
            problem._asdict() | ({} if file is None else {"file": file})
            for problem in report.problems
        ]
        output.object(json_views.fill(shapes.REPORT, report, problems=problems))
    if report.problems or report.cut:
        raise click.exceptions.Exit(1)


def _events(report: Report) -> str:
    duplicates = terminal.counted(report.events_known, "duplicate")
    return f"{terminal.counted(report.events_new, 'event')} added, {duplicates} skipped"
