"""``runreel completion``: print the completion script of a shell."""

from __future__ import annotations

import click

from runreel.cli import options
from runreel.cli.render import terminal

_SHELLS = ("bash", "zsh", "fish")

_SETUP = {
    "bash": 'eval "$(runreel completion bash)"      in ~/.bashrc',
    "zsh": 'eval "$(runreel completion zsh)"       in ~/.zshrc, after compinit',
    "fish": "runreel completion fish | source      in ~/.config/fish/config.fish",
}


@options.command("\n".join(_SETUP.values()))
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    The TAB key then completes commands, options, and values such as run ids, models and labels.
    """
    from click.shell_completion import ShellComplete, get_completion_class

    from runreel.cli.main import COMPLETE, NAME

    script_class = get_completion_class(shell)
    assert script_class is not None  # noqa: S101 - click supports all three
    # The override for bash would start bash to read its version.
    script = ShellComplete.source(script_class(ctx.find_root().command, {}, NAME, COMPLETE))
    terminal.write(script, end="")
