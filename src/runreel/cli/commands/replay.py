"""``runreel replay``: replay the stream of a run with its timing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.cli import options, selection
from runreel.cli.render import terminal

if TYPE_CHECKING:
    from runreel.api.reel import Reel

RENDERERS = ("delta", "cumulative", "jsonl")
_CLOCKS = {
    "recorded": None,
    "source": "Timing of the source: this run was imported.",
    "even": "Timing unknown: the events are replayed at even intervals.",
}


def _speed(ctx: click.Context, param: click.Parameter, value: float) -> float:  # noqa: ARG001
    if not 0 < value < float("inf"):
        raise click.BadParameter("must be above 0", param=param)
    return value


def _gap(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:  # noqa: ARG001
    if value is not None and not value >= 0:
        raise click.BadParameter("must be 0 or more", param=param)
    return value


@options.command("""
runreel replay latest
runreel replay latest --speed 10 --max-gap 1
runreel replay demo-20251231 --instant --render jsonl
""")
@options.one_or_more_runs
@click.option(
    "--speed", type=float, callback=_speed, default=1.0, metavar="X", help="Playback speed factor."
)
@click.option(
    "--max-gap", type=float, callback=_gap, metavar="SECONDS", help="Limit pauses to SECONDS."
)
@click.option("--instant", is_flag=True, help="Replay without pauses.")
@options.seqs
@click.option(
    "--render",
    type=click.Choice(RENDERERS),
    default="delta",
    help="Print text deltas, the cumulative text, or JSON lines.",
)
@click.option("--loop", is_flag=True, help="Repeat until Ctrl-C.")
@selection.tz
@options.reel()
def replay_command(  # noqa: PLR0913 - one for each option
    reel: Reel,
    *,
    runs: tuple[str, ...],
    speed: float,
    max_gap: float | None,
    instant: bool,
    start: int,
    stop: int | None,
    render: str,
    loop: bool,
) -> None:
    """Replay the stream of a run with its timing.

    --from is inclusive, --to is exclusive. --max-gap limits a pause before --speed divides it. If
    the timing is not that of a live recording, stderr says so. Several runs are replayed one after
    the other.
    """
    from runreel.cli.render import replay_renderers

    timelines = [reel.timeline(reel.resolve(run), start=start, stop=stop) for run in runs]
    found = [timeline for timeline in timelines if timeline.times]
    if not found:
        terminal.write_notice("No stream events.")
    clocks = () if instant else dict.fromkeys(_CLOCKS[timeline.clock] for timeline in found)
    for clock in filter(None, clocks):
        terminal.write_notice((clock, "dim"))
    while found:
        for timeline in found:
            replay_renderers.play(
                timeline,
                replay_renderers.RENDERERS[render](),
                speed=speed,
                max_gap=max_gap,
                instant=instant,
            )
        if not loop:
            return
