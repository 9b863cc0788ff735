"""Errors as words: what a person reads when a command does not succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.cli.render.escaping import mask_passwords
from runreel.cli.render.terminal import write_notice

if TYPE_CHECKING:
    from runreel.model.errors import RunreelError

BUG = 70
CLOSED_PIPE = 141
INTERRUPTED = 130

# Options of the group that are easily looked for behind the command.
_OF_GROUP = ("--db", "--color", "-v", "--verbose")


def report_error(error: RunreelError, *, verbose: bool) -> int:
    """Print what went wrong and what to do next; the exit code."""
    _print(str(error), error.hint)
    if verbose:
        _print_causes(error)
    return error.exit_code


def report_usage_error(error: click.ClickException) -> int:
    """Print what is wrong with the command line; the exit code."""
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        write_notice(error.format_message())
        return error.exit_code
    hint = None
    if context is not None:
        hint = f"See `{context.command_path} --help`."
    if isinstance(error, click.NoSuchOption) and error.option_name in _OF_GROUP:
        hint = f"{error.option_name} goes before the command: runreel {error.option_name} …"
    _print(error.format_message(), hint)
    return error.exit_code


def report_interrupt() -> int:
    """Print that we stopped because we were told to; the exit code."""
    # The terminal has already shown ^C on this line.
    write_notice("\nInterrupted.")
    return INTERRUPTED


def report_bug() -> int:
    """Print the traceback of the exception that is being handled; the exit code."""
    import traceback

    write_notice(mask_passwords(traceback.format_exc()), end="")
    write_notice("This is a bug in runreel. Please report it, with the lines above.")
    return BUG


def _print(message: str, hint: str | None) -> None:
    write_notice(("Error: ", "bold red"), mask_passwords(message))
    if hint:
        write_notice(("Hint: ", "bold"), mask_passwords(hint))


def _print_causes(error: BaseException) -> None:
    cause = error.__cause__
    while cause is not None:
        write_notice(
            ("Cause: ", "bold"), f"{type(cause).__qualname__}: {mask_passwords(str(cause))}"
        )
        cause = cause.__cause__
