"""Keys that sign; a passphrase comes from a file, the environment or the terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runreel.cli.render import terminal
from runreel.model.errors import BadKey

if TYPE_CHECKING:
    from runreel.audit.signing import SigningKey

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


def signing_key(path: Path, passphrase_file: str | None) -> SigningKey:
    """Load a private key, with its passphrase if it has one; warn if others can read it.

    Raises:
        BadKey: if it is no private key, or the passphrase is wrong or missing.
        MissingExtra: if the package ``cryptography`` is not installed.
    """
    from runreel.audit import signing

    def get_passphrase() -> bytes | None:
        stored = read_passphrase(passphrase_file)
        return ask_passphrase(f"Passphrase of {path.name}: ") if stored is None else stored

    key = signing.load(path, get_passphrase)
    if signing.is_exposed(path):
        terminal.write_notice(f"Other users can read the key: run chmod 600 {path}")
    return key
