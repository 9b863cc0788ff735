"""``runreel demo``: a scripted run through the real recorder, and what can be seen of it then."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from runreel.cli import options, terminal

if TYPE_CHECKING:
    from runreel.reel import Reel


@click.command(
    "demo",
    epilog=options.examples("""
runreel demo
runreel --db try.db demo --fast
"""),
)
@click.option("--fast", is_flag=True, help="Without pauses.")
@options.reel(create=True)
def demo_command(reel: Reel, *, fast: bool) -> None:
    """Record a scripted run, show it, replay it, count it.

    The run is called demo-<time> and labelled app=demo; it goes into the database in force, where
    the other commands find it.
    """
    from runreel.cli import counts, portrait, script, stage

    run_id = f"demo-{datetime.now().astimezone():%Y%m%d-%H%M%S-%f}"
    _say(f"Recording {run_id} to {reel.url_shown}", None)
    script.record(reel, run_id, pause=0.0 if fast else 1.0)

    _say("The run as the log tells it", "runreel show latest")
    summary, result = reel.state(run_id)
    portrait.show(summary, result, content=False)

    _say("Its stream once more, four times as fast", "runreel replay latest --speed 4")
    stage.play(reel.timeline(run_id), stage.Delta(), speed=4, instant=fast)

    _say("The tokens of all demo runs", "runreel usage --by model --label app=demo")
    counts.show(reel.usage(("model",), labels=script.LABELS))

    _say("Go on with", None)
    for command in ("runs", "events latest", "show latest --at 5 --content", "--help"):
        terminal.out(f"  runreel {command}")


def _say(what: str, command: str | None) -> None:
    terminal.out("")
    terminal.out((f"== {what}", "bold cyan"), ("" if command is None else f"   $ {command}", "dim"))
    terminal.out("")
