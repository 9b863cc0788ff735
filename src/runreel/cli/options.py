"""Options and arguments that several commands share."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from runreel.cli import completions
from runreel.cli.main import CliContext
from runreel.cli.render import terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.shell_completion import CompletionItem

    from runreel.api.reel import Reel

P = ParamSpec("P")
R = TypeVar("R")
Command = TypeVar("Command", bound="Callable[..., Any]")

FORMATS = ("table", "json", "jsonl", "csv")
MAX_SEQ = 2**63 - 2


# click 8.2 cannot be subscripted at run time; only type checkers see it as generic.
class _Text(click.ParamType):  # type: ignore[type-arg]
    """Valid text: the bytes of an argument need not be UTF-8."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        if any("\ud800" <= char <= "\udfff" for char in text):
            self.fail("not valid UTF-8", param, ctx)
        return text

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return completions.values(ctx, param, incomplete)


class _Number(click.ParamType):  # type: ignore[type-arg]
    """A number from 0 to a technical limit that the help does not show."""

    name = "n"

    def __init__(self, maximum: int) -> None:
        self._range = click.IntRange(0, maximum)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        return int(self._range.convert(value, param, ctx))


TEXT = _Text()
SEQ = _Number(MAX_SEQ)
COUNT = _Number(2**31)


def examples(text: str) -> str:
    """Format examples as the epilog of a command's help, one per line."""
    lines = "\n".join(f"  {line}" for line in text.strip().splitlines())
    return f"\b\nExamples:\n{lines}"


def reel(*, create: bool = False) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Open the database and pass it as the first argument; ``create`` may create it."""

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(command)
        def wrapper(*args: Any, **kwargs: Any) -> R:
            with opened(create=create) as log:
                return command(log, *args, **kwargs)

        return wrapper

    return decorate


@contextmanager
def opened(*, create: bool = False) -> Iterator[Reel]:
    """Open the configured database.

    If the configuration of a project chose it, stderr names it.
    """
    from runreel.api.reel import open as open_reel
    from runreel.cli import configuration as settings

    app = click.get_current_context().ensure_object(CliContext)
    choice = settings.database(app.db)
    rules = settings.mask() if create else ()
    with terminal.show_warnings(), open_reel(choice.name, create=create, mask=rules) as log:
        if choice.project is not None:
            terminal.write_notice((f"Log: {log.url_shown}, from {choice.project}.", "dim"))
        yield log


def output(*, empty: bool = False) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Add ``-o``, ``--json`` and, if ``empty``, ``--fail-empty``; pass them as ``output``."""

    def decorate(command: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(command)
        def wrapper(
            *args: Any, format_: str | None, as_json: bool, fail_empty: bool = False, **kwargs: Any
        ) -> R:
            if as_json and format_ not in (None, "json"):
                raise click.UsageError(f"--json and --output {format_} exclude each other.")
            from runreel.cli.render.output import Output

            format_name = "json" if as_json else format_ or "table"
            return command(*args, output=Output(format_name, fail_empty=fail_empty), **kwargs)

        decorated: Callable[..., R] = wrapper
        if empty:
            decorated = click.option(
                "--fail-empty", is_flag=True, help="Exit with 1 if there is nothing to print."
            )(decorated)
        decorated = click.option("--json", "as_json", is_flag=True, help="Short for -o json.")(
            decorated
        )
        return click.option(
            "-o", "--output", "format_", type=click.Choice(FORMATS), help="Default: table."
        )(decorated)

    return decorate


def run_argument(command: Command) -> Command:
    """Add the argument RUN; pass it as ``run``, unresolved."""
    return click.argument("run", metavar="RUN", type=TEXT, shell_complete=completions.run_ids)(
        command
    )


def runs_argument(command: Command) -> Command:
    """Add the repeatable argument RUN; pass it as ``runs``, unresolved."""
    return click.argument(
        "runs", metavar="[RUN]...", nargs=-1, type=TEXT, shell_complete=completions.run_ids
    )(command)


def labels(name: str, text: str) -> Callable[[Command], Command]:
    """Add the repeatable option ``--label K=V``; pass it as a dictionary."""
    return click.option(
        "--label", name, metavar="K=V", multiple=True, type=TEXT, callback=_labels, help=text
    )


def seqs(command: Command) -> Command:
    """Add ``--from`` and ``--to``; pass them as ``start`` and ``stop``."""
    command = click.option("--to", "stop", type=SEQ, metavar="SEQ", help="Stop before this row.")(
        command
    )
    return click.option(
        "--from", "start", type=SEQ, metavar="SEQ", default=0, help="Start at this row."
    )(command)


def parse_pair(param: click.Parameter, text: str) -> tuple[str, str]:
    """Split a text of the form K=V into key and value."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is not of the form K=V", param=param)
    return key, value


def _labels(
    ctx: click.Context,  # noqa: ARG001 - click's signature
    param: click.Parameter,
    value: tuple[str, ...],
) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in value:
        key, label = parse_pair(param, text)
        if found.setdefault(key, label) != label:
            raise click.BadParameter(f"{key!r} is given twice", param=param)
    return found
