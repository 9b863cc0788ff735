"""The passphrase of a key: from a file, the environment or a terminal, never an argument."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from runreel.cli.render import terminal
from runreel.model.errors import BadKey

if TYPE_CHECKING:
    from collections.abc import Callable

Command = TypeVar("Command", bound="Callable[..., object]")

ENVIRONMENT = "RUNREEL_KEY_PASSPHRASE"


def option(command: Command) -> Command:
    """Add ``--passphrase-file``: ``passphrase_file``."""
    return click.option(
        "--passphrase-file",
        type=click.Path(dir_okay=False),
        metavar="FILE",
        help=f"Its first line is the passphrase; else {ENVIRONMENT} is.",
    )(command)


def read_passphrase(file: str | None) -> bytes | None:
    """What the file, else the environment says; None if neither says anything.

    Raises:
        BadKey: if the file cannot be read.
    """
    if file is None:
        told = os.environ.get(ENVIRONMENT)
        return os.fsencode(told) if told else None
    try:
        with Path(file).open("rb") as lines:
            return lines.readline().rstrip(b"\r\n")
    except OSError as error:
        raise BadKey(f"cannot read the passphrase in {file}: {error.strerror}") from error


def ask_passphrase(prompt: str) -> bytes | None:
    """What a person types, who does not see it; None where there is no person."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    return os.fsencode(terminal.ask_hidden(prompt))
