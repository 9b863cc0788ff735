"""Completion in the shell: the script, and the ids of runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from runreel.cli import terminal

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_SHELLS = ("bash", "zsh", "fish")
_MANY = 50
# Other characters would mean something to the shell that is handed the ids.
_PLAIN_ID = re.compile(r"[\w.:@%+,/=-]+", re.ASCII)

_WHERE = {
    "bash": 'eval "$(runreel completion bash)"      in ~/.bashrc',
    "zsh": 'eval "$(runreel completion zsh)"       in ~/.zshrc, after compinit',
    "fish": "runreel completion fish | source      in ~/.config/fish/config.fish",
}


@click.command(
    "completion",
    epilog="\b\nExamples:\n" + "\n".join(f"  {line}" for line in _WHERE.values()),
)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    With it, the TAB key completes commands, options and the ids of runs.
    """
    from click.shell_completion import ShellComplete, get_completion_class

    from runreel.cli.main import COMPLETE, NAME

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has all three
    # Not the shell's own method: bash's would start bash to ask for its version.
    script = ShellComplete.source(kind(ctx.find_root().command, {}, NAME, COMPLETE))
    terminal.out(script, end="")


def run_ids(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001 - click's signature
    incomplete: str,
) -> list[CompletionItem]:
    """The newest runs whose ids begin like this; none where the log cannot be read."""
    from click.shell_completion import CompletionItem

    from runreel.cli import settings
    from runreel.reel import open as open_reel

    try:
        database = settings.database(ctx.find_root().params.get("db")).name
        with open_reel(database, create=False) as reel:
            found = [run.run_id for run in reel.runs(limit=0)]
    except Exception:  # noqa: BLE001 - a message would land in the middle of somebody's typing
        return []
    ids = [run_id for run_id in found if run_id.startswith(incomplete)]
    offered = [run_id for run_id in ids if _PLAIN_ID.fullmatch(run_id)][:_MANY]
    if "latest".startswith(incomplete) and found:
        offered.append("latest")
    return [CompletionItem(run_id) for run_id in offered]
