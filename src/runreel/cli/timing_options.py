"""Options for the timing of what is replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from runreel.cli.options import Command


def timing(command: Command) -> Command:
    """Add ``--speed``, ``--max-gap`` and ``--instant``."""
    for option in reversed(_TIMING):
        command = option(command)
    return command


def _speed(ctx: click.Context, param: click.Parameter, value: float) -> float:  # noqa: ARG001
    if not 0 < value < float("inf"):
        raise click.BadParameter("must be above 0", param=param)
    return value


def _gap(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:  # noqa: ARG001
    if value is not None and not value >= 0:
        raise click.BadParameter("must be 0 or more", param=param)
    return value


_TIMING = (
    click.option(
        "--speed",
        type=float,
        callback=_speed,
        default=1.0,
        metavar="X",
        help="Playback speed factor.",
    ),
    click.option(
        "--max-gap", type=float, callback=_gap, metavar="SECONDS", help="Limit pauses to SECONDS."
    ),
    click.option("--instant", is_flag=True, help="Replay without pauses."),
)
