"""Options that select runs and rows, and ``--tz``."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from runreel.cli import options
from runreel.cli.options import MAX_SEQ, TEXT
from runreel.model.errors import UsageError
from runreel.model.events import EVENT_TYPES, RECORDINGS
from runreel.model.selection import STATES, Interval
from runreel.model.status import RunStatus
from runreel.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from click.shell_completion import CompletionItem

T = TypeVar("T")
Command = TypeVar("Command", bound="Callable[..., Any]")

_TIMES = "2026-11-30, 2026-11-30T18:30, 24h, yesterday, last-week, 2026-11, epoch seconds"


# click 8.2 cannot be subscripted at run time; only type checkers see it as generic.
class ChoiceText(click.ParamType):  # type: ignore[type-arg]
    """A word of a list, in either case. ``accepted`` words are valid but not suggested."""

    def __init__(self, name: str, offered: tuple[str, ...], accepted: tuple[str, ...] = ()) -> None:
        self.name = name
        self._offered = offered
        self._known = {word.lower() for word in (*offered, *accepted)}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the word and return it unchanged."""
        word = TEXT.convert(value, param, ctx)
        if word.lower() not in self._known:
            self.fail(
                f"invalid {self.name} {word!r}; choose from {', '.join(self._offered)}", param, ctx
            )
        return word

    def shell_complete(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        param: click.Parameter,  # noqa: ARG002
        incomplete: str,
    ) -> list[CompletionItem]:
        """Complete a word."""
        from click.shell_completion import CompletionItem

        prefix = incomplete.lower()
        return [CompletionItem(word) for word in self._offered if word.lower().startswith(prefix)]


STATUS = ChoiceText("status", STATES, tuple(RunStatus.__members__))
TYPE = ChoiceText("type", EVENT_TYPES)


def filters(command: Command) -> Command:
    """Add the options that select runs, named like the parameters of ``Reel.runs``."""
    for option in reversed(_FILTERS):
        command = option(command)
    return tz(command)


def tz(command: Command) -> Command:
    """Add ``--tz``, the time zone of the times that the command reads and prints."""
    # Eager, because other options parse times in this zone.
    return click.option(
        "--tz",
        metavar="ZONE",
        type=TEXT,
        is_eager=True,
        expose_value=False,
        callback=_use_zone,
        help="Time zone of dates and times, such as Europe/Moscow. Default: local time.",
    )(command)


def status(command: Command, name: str = "status") -> Command:
    """Add the repeatable option ``--status``."""
    return click.option(
        "--status",
        name,
        type=STATUS,
        multiple=True,
        callback=_several,
        metavar="STATUS",
        help=f"Status shown in lists: {', '.join(STATES)}; or a RunStatus in capitals.",
    )(command)


def time(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:  # noqa: ARG001
    """Parse a time as an option callback; a period means its start."""
    if value is None:
        return None
    from runreel.cli import time_arguments
    from runreel.model import periods

    return _parse(
        param, lambda: periods.moment(value, now=datetime.now(UTC), zone=time_arguments.zone()[0])
    )


def seq_or_time(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> int | datetime | None:
    """Parse a row's seq if the value is a number, else a time."""
    if value is None or not (value.isascii() and value.isdigit()):
        return time(ctx, param, value)
    if int(value[:20]) > MAX_SEQ:
        raise click.BadParameter(
            f"seq {value} is too large; write epoch seconds as @{value}", param=param
        )
    return int(value)


def _parse(param: click.Parameter, parse: Callable[[], T]) -> T:
    try:
        return parse()
    except ValueError as error:
        raise click.BadParameter(str(error), param=param) from None


def _use_zone(ctx: click.Context, param: click.Parameter, value: str | None) -> None:  # noqa: ARG001
    if value is None:
        return
    from runreel.cli import time_arguments

    try:
        time_arguments.set_zone(value)
    except UsageError as error:
        raise click.BadParameter(f"{error}. {error.hint}", param=param) from None


def _several(
    ctx: click.Context,  # noqa: ARG001 - click's signature
    param: click.Parameter,  # noqa: ARG001
    value: tuple[str, ...],
) -> tuple[str, ...] | None:
    return value or None


def _earliest(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> Any:
    return min((time(ctx, param, text) for text in value), default=None)  # type: ignore[type-var]


def _latest(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> Any:
    return max((time(ctx, param, text) for text in value), default=None)  # type: ignore[type-var]


def _periods(
    ctx: click.Context,  # noqa: ARG001 - click's signature
    param: click.Parameter,
    value: tuple[str, ...],
) -> list[Interval] | None:
    return [_parse(param, partial(_interval, text)) for text in value] or None


def _interval(text: str) -> Interval:
    from runreel.cli import time_arguments
    from runreel.model import periods

    return Interval(*periods.period(text, now=datetime.now(UTC), zone=time_arguments.zone()[0]))


def _shortest(
    ctx: click.Context,  # noqa: ARG001 - click's signature
    param: click.Parameter,
    value: tuple[str, ...],
) -> timedelta | None:
    from runreel.model import periods

    return min((_parse(param, partial(periods.duration, text)) for text in value), default=None)


def _smallest(
    ctx: click.Context,  # noqa: ARG001 - click's signature
    param: click.Parameter,  # noqa: ARG001
    value: tuple[int, ...],
) -> int | None:
    return min(value, default=None)


def _labels(
    ctx: click.Context,  # noqa: ARG001 - click's signature
    param: click.Parameter,
    value: tuple[str, ...],
) -> dict[str, list[str]] | None:
    found: dict[str, list[str]] = {}
    for text in value:
        key, label = options.parse_pair(param, text)
        found.setdefault(key, []).append(label)
    return found or None


def _texts(option: str, metavar: str, text: str) -> Callable[[Any], Any]:
    return click.option(
        option, type=TEXT, multiple=True, callback=_several, metavar=metavar, help=text
    )


_FILTERS: tuple[Callable[[Any], Any], ...] = (
    status,
    _texts("--source", "NAME", f"Source of the run: {', '.join(SOURCES)}."),
    _texts("--assistant", "ID", "ID of the assistant."),
    _texts("--thread", "ID", "ID of the thread."),
    _texts("--model", "MODEL", "Model name."),
    click.option(
        "--label",
        "labels",
        type=TEXT,
        multiple=True,
        callback=_labels,
        metavar="K=V",
        help="Label. Several values of a key match any; several keys must all match.",
    ),
    click.option(
        "--recording",
        type=click.Choice(RECORDINGS),
        multiple=True,
        callback=_several,
        help="State of the recording, not of the run.",
    ),
    click.option(
        "--since",
        type=TEXT,
        multiple=True,
        metavar="TIME",
        callback=_earliest,
        help=f"Started at TIME or later: {_TIMES}.",
    ),
    click.option(
        "--until",
        type=TEXT,
        multiple=True,
        metavar="TIME",
        callback=_latest,
        help="Started before TIME.",
    ),
    click.option(
        "--on",
        type=TEXT,
        multiple=True,
        metavar="PERIOD",
        callback=_periods,
        help="Started within PERIOD, a day, week, month or year: yesterday, 2026-W48, 2026-11.",
    ),
    click.option("--has-error", is_flag=True, help="Only runs with an error."),
    click.option("--no-usage", is_flag=True, help="Only runs without usage."),
    click.option(
        "--problems", is_flag=True, help="Only runs that failed, are interrupted or stale."
    ),
    _texts("--error-contains", "TEXT", "Text in the error message or code, ignoring case."),
    click.option(
        "--slower-than",
        type=TEXT,
        multiple=True,
        metavar="DURATION",
        callback=_shortest,
        help="Took longer than DURATION: 500ms, 2.5s, 1m30s.",
    ),
    click.option(
        "--min-tokens",
        type=click.IntRange(0),
        multiple=True,
        metavar="N",
        callback=_smallest,
        help="Used at least N tokens in total.",
    ),
)
