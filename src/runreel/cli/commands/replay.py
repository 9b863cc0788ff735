"""``runreel replay``: replay the stream of a run with its timing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.cli import options, selection, timing_options
from runreel.cli.render import terminal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.api.reel import Reel
    from runreel.model.timeline import Timeline

RENDERERS = ("delta", "cumulative", "jsonl")
_CLOCKS = {
    "recorded": None,
    "source": "Timing of the source: this run was imported.",
    "even": "Timing unknown: the events are replayed at even intervals.",
}


@options.command("""
runreel replay latest
runreel replay latest --speed 10 --max-gap 1
runreel replay demo-20251231 --instant --render jsonl
runreel replay latest -i --paused
""")
@options.one_or_more_runs
@timing_options.timing
@options.seqs
@click.option(
    "--render",
    type=click.Choice(RENDERERS),
    default="delta",
    help="Print text deltas, the cumulative text, or JSON lines.",
)
@click.option("--loop", is_flag=True, help="Repeat until Ctrl-C.")
@click.option(
    "-i",
    "--interactive",
    is_flag=True,
    help="Play, pause, step forward and back, search (extra tui).",
)
@click.option("--paused", is_flag=True, help="With -i: do not start to play.")
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
    interactive: bool,
    paused: bool,
) -> None:
    """Replay the stream of a run with its timing.

    --from is inclusive, --to is exclusive. --max-gap limits a pause before --speed divides it. If
    the timing is not that of a live recording, stderr says so. Several runs are replayed one after
    the other.

    -i shows the rows of one run, with the text so far above them, and takes keys: space plays and
    pauses, . and , step forward and back, / searches, q quits, ? shows the others.
    """
    if interactive:
        _interact(reel, runs, start, stop, speed=speed, max_gap=max_gap, paused=paused)
        return
    if paused:
        raise click.UsageError("--paused needs -i.")
    from runreel.cli.render import replay_renderers

    timelines = [reel.timeline(reel.resolve(run), start=start, stop=stop) for run in runs]
    found = [timeline for timeline in timelines if timeline.times]
    _write_notices(found, with_clocks=not instant)
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


def _write_notices(found: Sequence[Timeline], *, with_clocks: bool) -> None:
    if not found:
        terminal.write_notice("No stream events.")
    clocks = dict.fromkeys(_CLOCKS[timeline.clock] for timeline in found) if with_clocks else ()
    for clock in filter(None, clocks):
        terminal.write_notice((clock, "dim"))


def _interact(  # noqa: PLR0913 - one for each option
    reel: Reel,
    runs: tuple[str, ...],
    start: int,
    stop: int | None,
    *,
    speed: float,
    max_gap: float | None,
    paused: bool,
) -> None:
    given = click.get_current_context().get_parameter_source
    for name in ("instant", "render", "loop"):
        if given(name) is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(f"-i and --{name} exclude each other.")
    if len(runs) != 1:
        raise click.UsageError("-i takes one RUN.")
    from runreel.cli.interactive import launch

    launch.check()
    launch.run(
        reel,
        reel.resolve(runs[0]),
        start=start,
        stop=stop,
        speed=speed,
        max_gap=max_gap,
        playing=not paused,
    )
