"""``runreel watch``: run a program and record its model calls."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runreel.cli import capture_options, log_check, options
from runreel.cli.main import CliContext
from runreel.cli.render import terminal
from runreel.model.errors import LogError
from runreel.system import wall_clock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from runreel.api.reel import Reel

# What shells exit with.
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126


@options.command("""
runreel watch -- python agent.py --verbose
runreel watch --label team=search -- uvicorn app:app
runreel --db calls.db watch -- pytest tests/
""")
@capture_options.capture
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED, metavar="-- COMMAND...")
@options.reel(create=True)
def watch_command(
    reel: Reel,
    command: tuple[str, ...],
    *,
    labels: Mapping[str, str],
    requests: bool,
    on_error: str,
) -> None:
    """Run a program and record its model calls.

    Every Python process of the program is recorded, if runreel is installed in its environment:
    calls of /responses and /chat/completions through httpx or httpx2, which the clients of most
    vendors and frameworks use. Programs in other languages and calls by other ways are not.

    Exit code: that of the program, 128 + n if signal n ended it, 127 if it was not found,
    126 if it cannot be executed.
    Signals are passed to the program.
    """
    log_check.check(reel, warn_only=on_error == "warn")
    # The log is closed while the program runs.
    reel.close()
    begun = wall_clock.now()
    with tempfile.TemporaryDirectory(prefix="runreel-watch-") as folder:
        report = Path(folder) / "report"
        values = {
            **_log(),
            "labels": dict(labels),
            "requests": requests,
            "on_error": on_error,
            "report": str(report),
        }
        code = _run(command, values)
        lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
    _print_gaps(reel, lines, begun)
    raise click.exceptions.Exit(code)


# Options behind the name of the program are the program's.
watch_command.allow_interspersed_args = False


def _log() -> dict[str, object]:
    """The name of the log, for a process in any directory, and the mask rules."""
    from runreel.cli import configuration
    from runreel.store import database_url
    from runreel.system.default_location import default_url

    app = click.get_current_context().ensure_object(CliContext)
    name = default_url(configuration.database(app.db).name)
    path = database_url.sqlite_path(database_url.parse_url(name))
    url = name if path is None else str(path.absolute())
    return {"url": url, "mask": configuration.mask()}


def _run(command: Sequence[str], values: Mapping[str, object]) -> int:
    from runreel.api import autostart
    from runreel.system import foreground

    try:
        return foreground.run(command, autostart.environment(values, os.environ))
    except OSError as error:
        terminal.write_notice(f"Cannot run {command[0]}: {error.strerror}.")
        missing = isinstance(error, FileNotFoundError)
        raise click.exceptions.Exit(_NOT_FOUND if missing else _NOT_EXECUTABLE) from None


def _print_gaps(reel: Reel, lines: Sequence[str], begun: datetime) -> None:
    """Print what was not recorded, as far as the processes of the program have reported it."""
    from runreel.api import autostart

    reports = [line.partition(" ") for line in dict.fromkeys(lines)]
    words = {word for word, _, _ in reports}
    for word, _, text in reports:
        if word == autostart.MISSING:
            terminal.write_notice(
                f"Not recorded: runreel is not installed in the environment of {text}."
            )
        elif word == autostart.FAILED:
            terminal.write_notice(f"Not recorded: {text}")
    nothing = "Nothing was recorded: "
    if not words:
        terminal.write_notice(
            f"{nothing}the command started no Python program, or one that ignores PYTHONPATH"
            " (python -E, -I, -S)."
        )
    elif words == {autostart.ENTERED}:
        terminal.write_notice(f"{nothing}the program has not imported httpx or httpx2.")
    elif autostart.WATCHING in words and not _has_runs(reel, begun):
        terminal.write_notice(f"{nothing}the program has called no model.")


def _has_runs(reel: Reel, begun: datetime) -> bool:
    try:
        return bool(list(reel.runs(since=begun, limit=1)))
    except LogError:
        return True
