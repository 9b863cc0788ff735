"""The options of commands that record the model calls of other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from runreel.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

Command = TypeVar("Command", bound="Callable[..., Any]")

_OPTIONS = (
    options.labels("Label of each run (repeatable)."),
    click.option(
        "--log-requests/--no-log-requests",
        "requests",
        default=True,
        help="Also store what the model was asked.",
    ),
    click.option(
        "--on-error",
        type=click.Choice(("raise", "warn")),
        default="raise",
        help="What happens to a call that cannot be recorded: an error, or only a warning.",
    ),
)


def capture(command: Command) -> Command:
    """Add ``--label``, ``--log-requests`` and ``--on-error``, in this order."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
