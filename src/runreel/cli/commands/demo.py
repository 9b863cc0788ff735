"""``runreel demo``: record a scripted run with the real recorder and print reports on it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import click

from runreel.cli import options
from runreel.cli.render import terminal
from runreel.model.errors import ProjectionOutdated
from runreel.system import wall_clock
from runreel.system.default_location import demo_file

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.cli.main import CliContext


@options.command("""
runreel demo
runreel --db try.db demo --fast
""")
@click.option("--fast", is_flag=True, help="Record and replay without pauses.")
@click.pass_obj
def demo_command(app: CliContext, *, fast: bool) -> None:
    """Record a scripted run, show it, replay it, count it.

    The run is named demo-<time> and labelled app=demo. It is recorded to demo.db in your data
    directory, or to the database given by --db; RUNREEL_DB and configuration files are ignored.
    """
    prefix = ""
    own = app.db is None
    if own:
        app.db = str(demo_file())
        prefix = f"--db {shlex.quote(app.db)} "
    with options.opened(create=True) as reel:
        if own:
            _update(reel)
        _demonstrate(reel, prefix, fast=fast)


def _update(reel: Reel) -> None:
    """Rebuild the projections of the demo database if another version of runreel wrote them."""
    from runreel.store.schema import migrations

    with reel.db.reading() as connection:
        version = migrations.projection_version(connection)
    try:
        migrations.check_projections(version)
    except ProjectionOutdated:
        reel.rebuild()
        terminal.write_notice(f"Rebuilt {reel.url_shown}: written by another version of runreel.")


def _demonstrate(reel: Reel, prefix: str, *, fast: bool) -> None:
    """Record and print; ``prefix`` is the --db option of the printed commands."""
    from runreel.cli.commands import demo_scenario
    from runreel.cli.render import replay_renderers, run_detail, usage_table

    run_id = f"demo-{wall_clock.now().astimezone():%Y%m%d-%H%M%S-%f}"
    _print_step(f"Recording {run_id} to {reel.url_shown}", None)
    demo_scenario.record(reel, run_id, pause=0.0 if fast else 1.0)

    _print_step("The recorded run", f"{prefix}show latest")
    summary, result = reel.state(run_id)
    run_detail.print_run(summary, result)

    _print_step("Its stream again, four times as fast", f"{prefix}replay latest --speed 4")
    replay_renderers.play(
        reel.timeline(run_id), replay_renderers.DeltaRenderer(), speed=4, instant=fast
    )

    _print_step("The tokens of all demo runs", f"{prefix}usage --by model --label app=demo")
    usage_table.print_usage(reel.usage(("model",), labels=demo_scenario.LABELS))

    _print_step("Try next", None)
    for command in ("ui", "runs", "events latest", "show latest --at 5 --content"):
        terminal.write(f"  runreel {prefix}{command}")
    terminal.write("  runreel --help")


def _print_step(title: str, command: str | None) -> None:
    terminal.write("")
    shown = "" if command is None else f"   $ runreel {command}"
    terminal.write((f"== {title}", "bold cyan"), (shown, "dim"))
    terminal.write("")
