"""Options and arguments that several commands share."""

from __future__ import annotations

import functools
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

import click
from click.core import ParameterSource

from runreel.cli import completions, recordings
from runreel.cli.main import CliContext
from runreel.cli.render import terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.shell_completion import CompletionItem

    from runreel.api.reel import Reel
    from runreel.cli.render.output import Output

P = ParamSpec("P")
R = TypeVar("R")
Command = TypeVar("Command", bound="Callable[..., object]")

FORMATS = ("table", "json", "jsonl", "csv")
MAX_SEQ = 2**63 - 2


# click 8.2 cannot be subscripted at run time; only type checkers see it as generic.
class Text(click.ParamType):  # type: ignore[type-arg]
    """Valid text, parsed: a ValueError of ``parse`` is a usage error with its message."""

    name = "text"

    def __init__(self, parse: Callable[[str], object] = str) -> None:
        self._parse = parse

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """Check the text, because the bytes of an argument need not be UTF-8, and parse it."""
        text = str(value)
        if any("\ud800" <= char <= "\udfff" for char in text):
            self.fail("not valid UTF-8", param, ctx)
        try:
            return self._parse(text)
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete a known value of the option."""
        return completions.values(ctx, param, incomplete)


class _Number(click.ParamType):  # type: ignore[type-arg]
    """A number from 0 to a technical limit that the help does not show."""

    name = "n"

    def __init__(self, maximum: int) -> None:
        self._range = click.IntRange(0, maximum)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        return int(self._range(value, param, ctx))


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ValueError(f"{text!r} is not of the form K=V")
    return key, value


TEXT = Text()
PAIR = Text(_pair)
SEQ = _Number(MAX_SEQ)
COUNT = _Number(2**31)


def examples(text: str) -> str:
    """Format examples as the epilog of a command's help, one per line."""
    lines = "\n".join(f"  {line}" for line in text.strip().splitlines())
    return f"\b\nExamples:\n{lines}"


def command(
    text: str, group: click.Group | None = None
) -> Callable[[Callable[..., object]], click.Command]:
    """Make a command of a function; its help ends with the examples of ``text``, one per line."""
    declare = click.command if group is None else group.command
    return declare(epilog=examples(text))


class RunReference(Text):
    """A run of the log, unresolved, or a recording file that holds one run.

    ``reel`` opens the file instead of the log, and passes the ID of its run.
    """


RUN = RunReference()


def _run_names() -> list[str]:
    """Return the names of the arguments and options of the command that are runs."""
    parameters = click.get_current_context().command.params
    return [str(one.name) for one in parameters if isinstance(one.type, RunReference)]


def _texts(value: object) -> list[str]:
    """Return the texts of one argument: one or several."""
    return [value] if isinstance(value, str) else [*value] if isinstance(value, tuple) else []


def reel(*, create: bool = False) -> Callable[[Callable[Concatenate[Reel, P], R]], Callable[P, R]]:
    """Open the database and pass it as the first argument; ``create`` may create it.

    Where recording files are given in place of runs, they are opened instead: see ``RunReference``.
    """

    def decorate(function: Callable[Concatenate[Reel, P], R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
            given = {name: kwargs[name] for name in _run_names()}
            texts = [text for value in given.values() for text in _texts(value)]
            if not recordings.files_among(texts):
                with opened(create=create) as log:
                    return function(log, *args, **kwargs)
            with terminal.show_warnings(), recordings.opened_for(texts, opened) as (log, found):
                for name, value in given.items():
                    run_ids = tuple(found[text] for text in _texts(value))
                    kwargs[name] = run_ids[0] if isinstance(value, str) else run_ids
                return function(log, *args, **kwargs)

        return wrapper

    return decorate


@contextmanager
def opened(*, create: bool = False, durability: str = "full") -> Iterator[Reel]:
    """Open the configured database, which may be a recording file; arguments as for ``open``.

    If the configuration of a project chose it, stderr names it.
    """
    from runreel.api.reel import open as open_reel
    from runreel.cli import configuration as settings

    app = click.get_current_context().ensure_object(CliContext)
    choice = settings.database(app.db)
    if choice.name is not None and recordings.is_recording(choice.name):
        with terminal.show_warnings(), recordings.opened([choice.name]) as log:
            yield log
        return
    rules = settings.mask() if create else ()
    found = open_reel(choice.name, create=create, mask=rules, durability=durability)
    with terminal.show_warnings(), found as log:
        if choice.project is not None:
            terminal.write_notice((f"Log: {log.url_shown}, from {choice.project}.", "dim"))
        yield log


def output(*, empty: bool = False) -> Callable[[Command], Command]:
    """Add ``-o``, ``--json`` and, if ``empty``, ``--fail-empty``; pass them as ``output``."""

    def decorate(command: Command) -> Command:
        if empty:
            command = _flag("--fail-empty", "Exit with 1 if there is nothing to print.")(command)
        command = _flag("--json", "Short for -o json.")(command)
        return click.option(
            "-o",
            "--output",
            type=click.Choice(FORMATS),
            callback=_output,
            help="Default: table.",
        )(command)

    return decorate


def _flag(option: str, text: str) -> Callable[[Command], Command]:
    """A flag for the callback of ``--output``, which is called later."""

    def note(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: FBT001
        ctx.meta[param.opts[0]] = value

    return click.option(
        option, is_flag=True, is_eager=True, expose_value=False, callback=note, help=text
    )


def _output(ctx: click.Context, param: click.Parameter, value: str | None) -> Output | None:
    if ctx.resilient_parsing:
        return None
    from runreel.cli.render.output import Output

    # A saved report may have a format; what is on the command line replaces it.
    saved = ctx.get_parameter_source(str(param.name)) is ParameterSource.DEFAULT_MAP
    if ctx.meta["--json"] and value not in (None, "json") and not saved:
        raise click.UsageError(f"--json and --output {value} exclude each other.")
    format_ = "json" if ctx.meta["--json"] else value or "table"
    return Output(format_, fail_empty=ctx.meta.get("--fail-empty", False))


# The arguments RUN, unresolved.
run_argument = click.argument("run", metavar="RUN", type=RUN, shell_complete=completions.run_ids)
one_or_more_runs = click.argument(
    "runs",
    metavar="RUN...",
    nargs=-1,
    required=True,
    type=RUN,
    shell_complete=completions.run_ids,
)
runs_argument = click.argument(
    "runs", metavar="[RUN]...", nargs=-1, type=RUN, shell_complete=completions.run_ids
)


def jobs_option(help_: str) -> Callable[[Command], Command]:
    """Return the option ``-j N`` with this help; its argument is ``jobs``."""
    return click.option("-j", "--jobs", type=click.IntRange(1), default=1, metavar="N", help=help_)


jobs = jobs_option("Number of worker processes.")


def _actor(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:  # noqa: ARG001
    import getpass

    # A container may have no user database.
    with suppress(KeyError, OSError, ImportError):
        return value or getpass.getuser()
    return None


actor = click.option(
    "--actor", type=TEXT, callback=_actor, help="Name kept in the log. Default: your login."
)


def seqs(command: Command) -> Command:
    """Add ``--from`` and ``--to``; pass them as ``start`` and ``stop``."""
    command = click.option("--to", "stop", type=SEQ, metavar="SEQ", help="Stop before this row.")(
        command
    )
    return click.option(
        "--from", "start", type=SEQ, metavar="SEQ", default=0, help="Start at this row."
    )(command)


def labels(text: str) -> Callable[[Command], Command]:
    """Add the repeatable option ``--label K=V`` with this help; pass it as a dictionary."""
    return click.option(
        "--label", "labels", metavar="K=V", multiple=True, type=PAIR, callback=_labels, help=text
    )


def _labels(
    ctx: click.Context,  # noqa: ARG001 - click's signature
    param: click.Parameter,
    value: tuple[tuple[str, str], ...],
) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, label in value:
        if found.setdefault(key, label) != label:
            raise click.BadParameter(f"{key!r} is given twice", param=param)
    return found
