"""The one way that text leaves the program, and what is known of where it goes.

A piece is a string, or a pair of a string and a style. Pieces are made safe first and painted
then, so that no escape sequence reaches a terminal but our own.
"""

from __future__ import annotations

import logging
import os
import sys
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any

import click

from runreel.cli.render.escaping import escape, escape_part, mask_passwords
from runreel.model.errors import RunreelError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console, RenderableType

StyledText = str | tuple[str, str | None]

COLORS = ("auto", "always", "never")

_color_mode = "auto"


class OutputFailed(RunreelError):
    """What was to be printed cannot be written, for another reason than a closed pipe."""

    hint = "The database is not concerned: what was stored is stored."


def set_color_mode(choice: str) -> None:
    """Colour from now on: ``auto``, ``always`` or ``never``."""
    global _color_mode  # noqa: PLW0603 - there is one standard output per process
    _color_mode = choice


def write(*pieces: StyledText, end: str = "\n", flush: bool = False) -> None:
    """Print a result."""
    _write(sys.stdout, _text(sys.stdout, pieces) + end, flush=flush)


def write_part(text: str, start: int, stop: int) -> None:
    """Print the characters of a result from ``start`` to ``stop``, as they look in the whole."""
    _write(sys.stdout, escape_part(text, start, stop), flush=True)


def write_raw(text: str) -> None:
    """Print a result for another program: as it is, unless a terminal would see it."""
    _write(sys.stdout, escape(text) if is_terminal() else text, flush=False)


def write_rich(renderable: RenderableType, *, columns: int) -> None:
    """Print what rich draws, so many columns wide; the texts in it have to be safe already."""
    console = _console(sys.stdout, columns)
    with console.capture() as capture:
        console.print(renderable)
    _write(sys.stdout, capture.get(), flush=False)


def notice_console() -> Console:
    """For what rich keeps drawing anew on stderr."""
    return _console(sys.stderr, width())


def write_notice(*pieces: StyledText, end: str = "\n") -> None:
    """Print something that is no result, on stderr."""
    # Whoever reads both in one window reads them in their order.
    flush()
    _write(sys.stderr, _text(sys.stderr, pieces) + end, flush=True)


def ask_hidden(prompt: str) -> str:
    """What a person types behind ``prompt`` and nobody sees."""
    from getpass import getpass

    return getpass(escape(prompt), stream=sys.stderr)


class _NoticeHandler(logging.Handler):
    """Prints what is logged; Python itself would print it as it is."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        reason = "" if error is None else f": {error}"
        write_notice(("Warning: ", "yellow"), mask_passwords(f"{record.getMessage()}{reason}"))


@contextmanager
def show_warnings() -> Iterator[None]:
    """Print the warnings that are logged inside, ours and those of the vendors' packages."""
    log, notes = logging.getLogger(), _NoticeHandler(logging.WARNING)
    log.addHandler(notes)
    try:
        yield
    finally:
        log.removeHandler(notes)


def flush() -> None:
    """Hand over everything that was printed."""
    _write(sys.stdout, "", flush=True)


def abandon() -> None:
    """Forget what nobody reads any more, so that Python does not complain of it at exit."""
    _abandon(sys.stdout)
    _abandon(sys.stderr)


def is_terminal() -> bool:
    """Whether a person reads the results."""
    return _is_terminal(sys.stdout)


def notices_are_visible() -> bool:
    """Whether a person reads the notes, and so a progress bar."""
    return _is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"


def width() -> int:
    """Columns of the terminal."""
    import shutil

    return shutil.get_terminal_size().columns


def takes_unicode() -> bool:
    """Whether the results may hold more than ASCII."""
    encoding = getattr(sys.stdout, "encoding", None) or ""
    return encoding.lower().replace("-", "").startswith("utf")


def uses_color(stream: IO[str] | None) -> bool:
    """Whether to paint: as chosen, as NO_COLOR or FORCE_COLOR say, else on a terminal."""
    if _color_mode != "auto":
        return _color_mode == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR", "0") not in ("", "0"):
        return True
    return _is_terminal(stream) and os.environ.get("TERM") != "dumb"


def _console(stream: IO[str], columns: int) -> Console:
    from rich.console import Console

    return Console(
        file=stream,
        width=columns,
        force_terminal=True,
        color_system="standard" if uses_color(stream) else None,
        no_color=False,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _text(stream: IO[str] | None, pieces: tuple[StyledText, ...]) -> str:
    told = [(piece, None) if isinstance(piece, str) else piece for piece in pieces]
    if not any(style for _, style in told) or not uses_color(stream):
        return escape("".join([text for text, _ in told]))
    return "".join(_painted(escape(text), style) if style else escape(text) for text, style in told)


def _painted(text: str, style: str) -> str:
    looks: dict[str, Any] = {}
    for word in style.split():
        looks |= {word: True} if word in ("bold", "dim") else {"fg": word}
    return click.style(text, **looks)


def _is_terminal(stream: IO[str] | None) -> bool:
    return stream is not None and stream.isatty()


def _write(stream: IO[str] | None, text: str, *, flush: bool) -> None:
    # Started with a closed descriptor, Python has no such stream.
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
