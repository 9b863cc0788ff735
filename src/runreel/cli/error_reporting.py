"""Errors as words: what a person reads when a command does not succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.cli.render.escaping import masked
from runreel.cli.render.terminal import note

if TYPE_CHECKING:
    from runreel.model.errors import RunreelError

BUG = 70
CLOSED_PIPE = 141
INTERRUPTED = 130

# Options of the group that are easily looked for behind the command.
_OF_GROUP = ("--db", "--color", "-v", "--verbose")


def explain(error: RunreelError, *, verbose: bool) -> int:
    """Print what went wrong and what to do next; the exit code."""
    _say(str(error), error.hint)
    if verbose:
        _say_causes(error)
    return error.exit_code


def explain_usage(error: click.ClickException) -> int:
    """Print what is wrong with the command line; the exit code."""
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        note(error.format_message())
        return error.exit_code
    hint = None
    if context is not None:
        hint = f"See `{context.command_path} --help`."
    if isinstance(error, click.NoSuchOption) and error.option_name in _OF_GROUP:
        hint = f"{error.option_name} goes before the command: runreel {error.option_name} …"
    _say(error.format_message(), hint)
    return error.exit_code


def explain_interrupt() -> int:
    """Print that we stopped because we were told to; the exit code."""
    # The terminal has already shown ^C on this line.
    note("\nInterrupted.")
    return INTERRUPTED


def explain_bug() -> int:
    """Print the traceback of the exception that is being handled; the exit code."""
    import traceback

    note(masked(traceback.format_exc()), end="")
    note("This is a bug in runreel. Please report it, with the lines above.")
    return BUG


def _say(message: str, hint: str | None) -> None:
    note(("Error: ", "bold red"), masked(message))
    if hint:
        note(("Hint: ", "bold"), masked(hint))


def _say_causes(error: BaseException) -> None:
    cause = error.__cause__
    while cause is not None:
        note(("Cause: ", "bold"), f"{type(cause).__qualname__}: {masked(str(cause))}")
        cause = cause.__cause__
