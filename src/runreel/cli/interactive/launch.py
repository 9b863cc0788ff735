"""Starts the interactive replay, and leaves the terminal as it was."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
from typing import TYPE_CHECKING

import click

from runreel.cli.render import progress, terminal
from runreel.model.errors import MissingExtra
from runreel.replay import run_index
from runreel.replay.stepper import Stepper
from runreel.system.foreground import SIGNAL_EXIT_BASE

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.interactive.app import StepperApp

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
# File descriptors.
_INPUT, _OUTPUTS = 0, (1, 2)
_WATCH_SECONDS = 1.0


def check() -> None:
    """Check that an interactive program can run here.

    Raises:
        click.UsageError: if there is no terminal.
        MissingExtra: if the package ``textual`` is not installed.
    """
    if not terminal.is_interactive():
        raise click.UsageError("-i needs a terminal; without -i, replay prints the stream.")
    try:
        importlib.import_module("textual")
    except ImportError:
        raise MissingExtra(
            "replay -i needs the package textual", hint="pip install 'runreel[tui]'"
        ) from None


def run(  # noqa: PLR0913 - the options of the command
    reel: Reel,
    run_id: str,
    *,
    start: int,
    stop: int | None,
    speed: float,
    max_gap: float | None,
    playing: bool,
) -> None:
    """Step through the rows of a run from ``start`` to before ``stop``.

    Raises:
        RunNotFound: if the log has no such run, or it is pruned meanwhile.
        UsageError: if it has no such rows.
        KeyboardInterrupt: after Ctrl-C.
    """
    from runreel.cli.interactive.app import StepperApp

    with progress.bar("Reading") as step:
        index = run_index.read(reel.db, run_id, progress=step)
    stepper = Stepper(index, start=start, stop=stop, speed=speed, max_gap=max_gap)
    app = StepperApp(reel, stepper, playing=playing, colors=terminal.notices_use_color())
    asyncio.run(_run(app))
    if app.failure is not None:
        raise app.failure
    if app.signal == signal.SIGINT:
        raise KeyboardInterrupt
    if app.signal:
        terminal.write_notice(f"Stopped by {signal.Signals(app.signal).name}.")
        raise click.exceptions.Exit(SIGNAL_EXIT_BASE + app.signal)


async def _run(app: StepperApp) -> None:
    loop = asyncio.get_running_loop()
    for name in _SIGNALS:
        if hasattr(signal, name):
            loop.add_signal_handler(getattr(signal, name), _stop, app, getattr(signal, name))
    _watch_terminal(app, loop)
    # Without the mouse, a terminal keeps its own selection of text.
    await app.run_async(mouse=False)


def _watch_terminal(app: StepperApp, loop: asyncio.AbstractEventLoop) -> None:
    """End the program when its terminal is gone, though no signal says so."""
    if _terminal_is_gone():
        _stop(app, signal.SIGHUP)
    else:
        loop.call_later(_WATCH_SECONDS, _watch_terminal, app, loop)


def _stop(app: StepperApp, number: int) -> None:
    if _terminal_is_gone():
        # Textual writes in a thread that would end at the first error; then it waits for it.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in _OUTPUTS:
            os.dup2(nowhere, stream)
        os.close(nowhere)
    app.stop(number)


def _terminal_is_gone() -> bool:
    import termios

    try:
        termios.tcgetattr(_INPUT)
    except termios.error:
        return True
    return False
