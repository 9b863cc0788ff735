"""Completion in the shell: the script, and the values of arguments and options."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from runreel.cli.render import terminal
from runreel.model.identifiers import LATEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem

    from runreel.store.connection import Connection

_SHELLS = ("bash", "zsh", "fish")
# A list is no longer than this: America has this many time zones.
_MANY = 200
# Other characters would mean something to the shell that gets the values.
_PLAIN = re.compile(r"[\w.:@%+,/=-]+", re.ASCII)

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

    The TAB key then completes commands, options, and values such as run ids, models and labels.
    """
    from click.shell_completion import ShellComplete, get_completion_class

    from runreel.cli.main import COMPLETE, NAME

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has all three
    # Not the shell's own method: bash's would start bash to ask for its version.
    script = ShellComplete.source(kind(ctx.find_root().command, {}, NAME, COMPLETE))
    terminal.write(script, end="")


def run_ids(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001 - click's signature
    incomplete: str,
) -> list[CompletionItem]:
    """The newest runs whose ids start with ``incomplete``; none where the log cannot be read."""

    def ask(connection: Connection) -> list[str]:
        from runreel.store.events import event_log
        from runreel.store.projections import known_values

        newest = known_values.run_ids(connection)
        found = [run_id for run_id in newest if run_id.startswith(incomplete)]
        if incomplete and len(found) < _MANY:
            found += event_log.run_ids(connection, prefix=incomplete, limit=_MANY)
        word = [LATEST] if newest and LATEST.startswith(incomplete) else []
        return [*_offered(dict.fromkeys(found)), *word]

    return _items(_asked(ctx, ask))


def values(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """What the option ``param`` may be set to, as far as it is known what that is."""
    for option in param.opts:
        if option in _COMPLETERS:
            return _items(_offered(_COMPLETERS[option](ctx, incomplete)))
    return []


def _groupings(ctx: click.Context, incomplete: str) -> list[str]:
    from runreel.projection.usage_periods import COLUMNS, LABEL, TIMES

    words = [word for word in (*TIMES, *COLUMNS, LABEL) if word.startswith(incomplete)]
    if not incomplete.startswith(LABEL):
        return words
    return [f"{LABEL}{key}" for key in _label_keys(ctx, incomplete.removeprefix(LABEL))]


def _models(ctx: click.Context, incomplete: str) -> list[str]:
    def ask(connection: Connection) -> list[str]:
        from runreel.store.projections import known_values

        return known_values.models(connection)

    return [model for model in _asked(ctx, ask) if model.startswith(incomplete)]


def _labels(ctx: click.Context, incomplete: str) -> list[str]:
    key, equals, begun = incomplete.partition("=")
    if not equals:
        return [f"{found}=" for found in _label_keys(ctx, key)]

    def ask(connection: Connection) -> list[str]:
        from runreel.store.projections import known_values

        return known_values.label_values(connection, key, begun, _MANY)

    return [f"{key}={value}" for value in _asked(ctx, ask)]


def _label_keys(ctx: click.Context, begun: str) -> list[str]:
    def ask(connection: Connection) -> list[str]:
        from runreel.store.projections import known_values

        return known_values.label_keys(connection, begun, _MANY)

    return _asked(ctx, ask)


def _zones(ctx: click.Context, incomplete: str) -> list[str]:  # noqa: ARG001 - as the others
    from importlib.util import find_spec
    from pathlib import Path

    found = find_spec("tzdata")
    assert found is not None and found.origin is not None  # noqa: S101 - it is a dependency
    # The list is one file; zoneinfo would open every zone to see that it is one.
    zones = (Path(found.origin).parent / "zones").read_text("ascii").split()
    begun = incomplete.lower()
    return [zone for zone in zones if zone.lower().startswith(begun)]


def _sources(ctx: click.Context, incomplete: str) -> list[str]:  # noqa: ARG001 - as the others
    from runreel.sources import SOURCES

    return [source for source in SOURCES if source.startswith(incomplete)]


_COMPLETERS: dict[str, Callable[[click.Context, str], list[str]]] = {
    "--by": _groupings,
    "--model": _models,
    "--label": _labels,
    "--tz": _zones,
    "--source": _sources,
}


def _asked(ctx: click.Context, ask: Callable[[Connection], list[str]]) -> list[str]:
    """What the log answers; nothing where it cannot be read."""
    from runreel.api.reel import open as open_reel
    from runreel.cli import configuration

    try:
        choice = configuration.database(ctx.find_root().params.get("db"))
        with open_reel(choice.name, create=False) as reel, reel.db.reading() as connection:
            return ask(connection)
    except Exception:  # noqa: BLE001 - a message would land in the line that a person types
        return []


def _offered(found: Iterable[str]) -> list[str]:
    return [text for text in found if _PLAIN.fullmatch(text)][:_MANY]


def _items(found: list[str]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(text) for text in found]
