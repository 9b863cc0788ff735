"""The report of ``runreel verify`` about recording files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runreel.cli.render import terminal
from runreel.cli.render.terminal import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runreel.cli.render.output import Output
    from runreel.importing.recording_verification import VerifiedFile
    from runreel.model.finding import Finding

_ONLY_SIGNED = (
    "Not covered by a file alone: runs left out of it, rows added to the log since, and a file that"
    " was made again as a whole. A signature (--key) shows who made it, and equal heads show"
    " that it has the rows of the log."
)


def verify_files(files: Sequence[str], key_file: str | None, output: Output) -> None:
    """Verify files and print the findings; exit with 1 if there is one."""
    from runreel.audit import signing
    from runreel.cli.render import list_views, progress
    from runreel.importing import recording_verification

    key = None if key_file is None else signing.load_public(Path(key_file))
    verified: list[VerifiedFile] = []

    def findings() -> Iterator[Finding]:
        with progress.bar("Verifying") as step:
            for file in files:
                found = recording_verification.verify_file(Path(file), key, progress=step)
                verified.append(found)
                yield from found.findings

    def extra(count: int) -> dict[str, object]:
        counts = {"intact": not count, "runs": _runs(verified), "events": _rows(verified)}
        return {**counts, "checkpoints": None}

    count = output.report(list_views.FINDINGS, findings(), "findings", extra)
    conclude(_runs(verified), _rows(verified), count)
    for file in verified:
        _conclude_file(file, with_key=key is not None)
    terminal.write_notice((_ONLY_SIGNED, "dim"))
    if count:
        raise click.exceptions.Exit(1)


def conclude(runs: int, events: int, count: int) -> None:
    """Print the verdict, and how much was verified."""
    verdict = ("Not intact", "bold red") if count else ("OK", "bold green")
    found = f", {counted(count, 'finding')}" if count else ""
    terminal.write_notice(
        verdict, f": {counted(runs, 'run')}, {counted(events, 'event')} verified{found}."
    )


def _conclude_file(file: VerifiedFile, *, with_key: bool) -> None:
    if file.masked:
        terminal.write_notice(
            f"{file.path}: a masked copy, with hash chains of its own; the note made_from at the"
            " end of each run has the head of the original."
        )
    if file.key_id is not None and not file.findings:
        by = f"{file.path}: signed by key {file.key_id}"
        terminal.write_notice(f"{by}." if with_key else f"{by}; not verified without --key.")


def _runs(verified: Sequence[VerifiedFile]) -> int:
    return sum(file.runs for file in verified)


def _rows(verified: Sequence[VerifiedFile]) -> int:
    return sum(file.rows for file in verified)
