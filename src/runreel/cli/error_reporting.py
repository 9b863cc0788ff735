"""Print error messages and choose exit codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.cli.render.terminal import write_notice
from runreel.model.passwords import mask_passwords

if TYPE_CHECKING:
    from runreel.model.errors import RunreelError

BUG = 70
CLOSED_PIPE = 141
INTERRUPTED = 130

# Root options that users often write after the command.
_ROOT_OPTIONS = ("--db", "--color", "-v", "--verbose")


def report_error(error: RunreelError, *, verbose: bool) -> int:
    """Print the error and its hint; return the exit code."""
    _print(str(error), error.hint)
    if verbose:
        _print_causes(error)
    return error.exit_code


def report_usage_error(error: click.ClickException) -> int:
    """Print a command line error; return the exit code."""
    context = getattr(error, "ctx", None)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        write_notice(error.format_message())
        return error.exit_code
    hint = None
    if context is not None:
        hint = f"See `{context.command_path} --help`."
    if isinstance(error, click.NoSuchOption) and error.option_name in _ROOT_OPTIONS:
        hint = f"Put it before the command: runreel {error.option_name} …"
    _print(error.format_message(), hint)
    return error.exit_code


def report_interrupt() -> int:
    """Print that Ctrl-C interrupted the command; return the exit code."""
    # The terminal has echoed ^C on this line.
    write_notice("\nInterrupted.")
    return INTERRUPTED


def report_bug() -> int:
    """Print the traceback of the current exception; return the exit code."""
    import traceback

    write_notice(mask_passwords(traceback.format_exc()), end="")
    write_notice("This is a bug in runreel. Please report it with the lines above.")
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
