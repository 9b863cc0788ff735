"""All output of the program goes through this module.

A ``StyledText`` is a string, or a pair of a string and a style. Text is escaped first and coloured
afterwards, so that only our own escape sequences reach a terminal.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

import click

from runreel.codec.escaping import escape, escape_part
from runreel.model.errors import RunreelError
from runreel.model.passwords import mask_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

StyledText = str | tuple[str, str | None]

COLORS = ("auto", "always", "never")

_color_mode = "auto"


class OutputFailed(RunreelError):
    """The output cannot be written, for a reason other than a closed pipe."""

    hint = "The database is not affected: stored events are safe."


def set_color_mode(choice: str) -> None:
    """Set when to use colours: ``auto``, ``always`` or ``never``."""
    global _color_mode  # noqa: PLW0603 - there is one standard output per process
    _color_mode = choice


def write(*parts: StyledText, end: str = "\n", flush: bool = False) -> None:
    """Print a result."""
    _write(sys.stdout, _text(sys.stdout, parts) + end, flush=flush)


def write_part(text: str, start: int, stop: int) -> None:
    """Print the characters from ``start`` to ``stop``, escaped as in the whole text."""
    _write(sys.stdout, escape_part(text, start, stop), flush=True)


def write_raw(text: str) -> None:
    """Print a result for another program: unescaped, unless stdout is a terminal."""
    _write(sys.stdout, escape(text) if is_terminal() else text, flush=False)


def notice_console() -> Console:
    """The console for live displays of rich on stderr."""
    from rich.console import Console

    return Console(
        file=sys.stderr,
        width=width(),
        force_terminal=True,
        color_system="standard" if uses_color(sys.stderr) else None,
        no_color=False,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )


def write_notice(*parts: StyledText, end: str = "\n") -> None:
    """Print a notice on stderr."""
    # Keeps stdout and stderr in order on a shared terminal.
    flush()
    _write(sys.stderr, _text(sys.stderr, parts) + end, flush=True)


def counted(count: int, noun: str) -> str:
    """Format a number with its noun: ``1 run``, ``2 runs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def ask_hidden(prompt: str) -> str:
    """Ask on the terminal without echo."""
    from getpass import getpass

    return getpass(escape(prompt), stream=sys.stderr)


class _NoticeHandler(logging.Handler):
    """Prints log records escaped; the default handler prints them as they are."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        reason = "" if error is None else f": {error}"
        write_notice(("Warning: ", "yellow"), mask_passwords(f"{record.getMessage()}{reason}"))


@contextmanager
def show_warnings() -> Iterator[None]:
    """Print warnings that are logged in this context, by runreel and by other packages."""
    log, notes = logging.getLogger(), _NoticeHandler(logging.WARNING)
    log.addHandler(notes)
    try:
        yield
    finally:
        log.removeHandler(notes)


def flush() -> None:
    """Flush stdout."""
    _write(sys.stdout, "", flush=True)


def wait(seconds: float) -> None:
    """Flush stdout, then sleep, but only while its reader is there.

    Raises:
        BrokenPipeError: if the reader of a pipe has closed it.
    """
    import select
    import time

    flush()
    try:
        output = sys.stdout.fileno()
        poll = select.poll()
    except (AttributeError, OSError, ValueError):
        time.sleep(seconds)
        return
    # Only an error, or the end of the reader, ends the wait early.
    poll.register(output, 0)
    began = time.monotonic()
    if poll.poll(seconds * 1_000):
        if not _is_terminal(sys.stdout):
            raise BrokenPipeError
        time.sleep(max(0.0, began + seconds - time.monotonic()))


def abandon() -> None:
    """Discard unwritten output, so that Python reports no error for it at exit."""
    _abandon(sys.stdout)
    _abandon(sys.stderr)


def is_terminal() -> bool:
    """True if stdout is a terminal."""
    return _is_terminal(sys.stdout)


def notices_are_visible() -> bool:
    """True if stderr is a terminal that can show a progress bar."""
    return _is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"


def is_interactive() -> bool:
    """True if a program can take keys and draw a screen: all standard streams are a terminal."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    return all(map(_is_terminal, streams)) and os.environ.get("TERM") != "dumb"


def notices_use_color() -> bool:
    """True if what is drawn on stderr is coloured."""
    return uses_color(sys.stderr)


def width() -> int:
    """Columns of the terminal."""
    import shutil

    return shutil.get_terminal_size().columns


def takes_unicode() -> bool:
    """True if stdout can encode any character."""
    # A program that draws on the terminal may replace stdout meanwhile.
    streams = (sys.stdout, sys.__stdout__)
    encoding = next(filter(None, (getattr(one, "encoding", None) for one in streams)), "")
    return encoding.lower().replace("-", "").startswith("utf")


def uses_color(stream: IO[str] | None) -> bool:
    """True if output is coloured: by --color, else NO_COLOR or FORCE_COLOR, else on a terminal."""
    if _color_mode != "auto":
        return _color_mode == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return _is_terminal(stream) and os.environ.get("TERM") != "dumb"


def _text(stream: IO[str] | None, parts: tuple[StyledText, ...]) -> str:
    styled = [(part, None) if isinstance(part, str) else part for part in parts]
    if not any(style for _, style in styled) or not uses_color(stream):
        return escape("".join([text for text, _ in styled]))
    return "".join(
        _styled(escape(text), style) if style else escape(text) for text, style in styled
    )


def _styled(text: str, style: str) -> str:
    words = set(style.split())
    color = next(iter(words - {"bold", "dim"}), None)
    return click.style(text, fg=color, bold="bold" in words or None, dim="dim" in words or None)


def _is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()


def _write(stream: IO[str] | None, text: str, *, flush: bool) -> None:
    # Python sets the stream to None if its descriptor was closed at start.
    if stream is None:
        return
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            known = getattr(stream, "encoding", None) or "ascii"
            stream.write(text.encode(known, "backslashreplace").decode(known))
        if flush:
            stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _abandon(stream)
        raise OutputFailed(f"cannot write the output: {error.strerror}") from error


def _abandon(stream: IO[str] | None) -> None:
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # type: ignore[union-attr]
        os.close(nowhere)
