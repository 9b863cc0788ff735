"""``runreel redact``: erase text or rows."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from runreel.cli import options
from runreel.cli.render import terminal
from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output

_NOT_ERASED = "Not erased: backups, replicas, exports, archived server logs, disk snapshots."


@options.command("""
runreel redact latest --match "+7 999 123-45-67" --reason "asked for by the customer"
runreel redact --all-runs --match - --reason "a leaked key" --yes < secret.txt
runreel redact run-1 --seq 4 --reason "not ours" --yes --purge
""")
@options.runs_argument
@click.option("--match", type=options.TEXT, help="Text to erase; - reads it from standard input.")
@click.option("--regex", type=options.TEXT, help="Pattern to erase.")
@click.option(
    "--seq", "seqs", type=options.SEQ, multiple=True, help="Row of one run to erase (repeatable)."
)
@click.option("--all-runs", is_flag=True, help="Search every run of the log.")
@click.option("--reason", required=True, type=options.TEXT, help="Reason, kept in the log.")
@options.actor
@click.option("--yes", is_flag=True, help="Erase. Without it nothing is changed.")
@click.option("--purge", is_flag=True, help="Rewrite the database without the erased bytes.")
@options.output()
@options.reel()
def redact_command(  # noqa: PLR0913 - the options
    reel: Reel,
    runs: tuple[str, ...],
    *,
    match: str | None,
    regex: str | None,
    seqs: tuple[int, ...],
    all_runs: bool,
    reason: str,
    actor: str | None,
    yes: bool,
    purge: bool,
    output: Output,
) -> None:
    """Erase a text or whole rows; the rest still verifies.

    Lists every match: in messages and their repetitions, in text split across deltas, in results,
    contexts, tool arguments and names. With --yes the characters are masked, each changed row
    keeps its commitment, and a note records which rows, why and by whom. Recording the same events
    again does not restore the text.

    Exit code 1: a reader kept --purge from removing all bytes; stop it and run this again.
    """
    from runreel.cli.render.list_views import PLACES

    target = _parse_target(match, regex, seqs)
    run_ids = _resolve_runs(reel, runs, seqs, all_runs=all_runs)
    who = actor or ""
    places = reel.redact(run_ids, target, seqs=seqs, reason=reason, actor=who, dry_run=not yes)
    count = output.report(PLACES, places, "places", lambda count: {"erased": yes and count > 0})
    if not count:
        terminal.write_notice("No matches.")
    elif not yes:
        terminal.write_notice(f"Places: {count:,}. Dry run: add --yes to erase.")
    if yes and (count or purge):
        _release(reel, purge=purge)


def _release(reel: Reel, *, purge: bool) -> None:
    space = reel.release(purge=purge)
    terminal.write_notice(f"Bytes before {space.before:,}, after {space.after:,}.")
    for holder in space.left:
        terminal.write_notice(f"Old bytes remain in: {holder}.")
    if not purge:
        terminal.write_notice("Add --purge to rewrite the database without unused pages.")
    terminal.write_notice(_NOT_ERASED)
    if space.held:
        raise click.exceptions.Exit(1)


def _parse_target(
    match: str | None, regex: str | None, seqs: tuple[int, ...]
) -> str | re.Pattern[str] | None:
    if sum((match is not None, regex is not None, bool(seqs))) != 1:
        raise UsageError("give exactly one of --match, --regex and --seq")
    if match == "-":
        # An argument would be visible in the shell history and the process list.
        match = sys.stdin.readline().rstrip("\n")
    if regex is None:
        return match
    try:
        return re.compile(regex)
    except re.error as error:
        raise UsageError(f"invalid --regex: {error}") from None


def _resolve_runs(
    reel: Reel, runs: tuple[str, ...], seqs: tuple[int, ...], *, all_runs: bool
) -> Iterable[str] | None:
    if bool(runs) == all_runs:
        raise UsageError("give either RUN or --all-runs")
    if seqs and len(runs) != 1:
        raise UsageError("--seq requires exactly one RUN")
    return None if all_runs else [reel.resolve(run) for run in runs]
