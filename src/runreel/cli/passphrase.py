"""The passphrase of a key: from a file, the environment or the terminal, never an argument."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from runreel.cli.render import terminal
from runreel.model.errors import BadKey

ENVIRONMENT = "RUNREEL_KEY_PASSPHRASE"


option = click.option(
    "--passphrase-file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help=f"File whose first line is the passphrase. Default: {ENVIRONMENT}.",
)


def read_passphrase(file: str | None) -> bytes | None:
    """Read the passphrase from the file, else from the environment; None if there is none.

    Raises:
        BadKey: if the file cannot be read.
    """
    if file is None:
        value = os.environ.get(ENVIRONMENT)
        return os.fsencode(value) if value else None
    try:
        with Path(file).open("rb") as lines:
            return lines.readline().rstrip(b"\r\n")
    except OSError as error:
        raise BadKey(f"cannot read the passphrase file {file}: {error.strerror}") from error


def ask_passphrase(prompt: str) -> bytes | None:
    """Ask for the passphrase without echo; None if stdin is not a terminal."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    return os.fsencode(terminal.ask_hidden(prompt))
