"""Options that select runs and rows, and ``--tz``."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from runreel.cli.options import MAX_SEQ, PAIR, TEXT, Command, Text
from runreel.model.errors import UsageError
from runreel.model.events import EVENT_TYPES, RECORDINGS
from runreel.model.selection import STATES, Interval
from runreel.model.status import RunStatus
from runreel.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from click.shell_completion import CompletionItem

T = TypeVar("T")

_TIMES = "2026-11-30, 2026-11-30T18:30, 24h, yesterday, last-week, 2026-11, epoch seconds"


class ChoiceText(Text):
    """A word of a list, in either case. ``accepted`` words are valid but not suggested."""

    def __init__(self, noun: str, offered: tuple[str, ...], accepted: tuple[str, ...] = ()) -> None:
        known = {word.lower() for word in (*offered, *accepted)}

        def parse(text: str) -> str:
            if text.lower() not in known:
                raise ValueError(f"invalid {noun} {text!r}; choose from {', '.join(offered)}")
            return text

        super().__init__(parse)
        self._offered = offered

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


def _moment(text: str) -> datetime:
    from runreel.cli import time_arguments
    from runreel.model import periods

    return periods.moment(text, now=time_arguments.now(), zone=time_arguments.zone()[0])


def _seq_or_moment(text: str) -> int | datetime:
    if not (text.isascii() and text.isdigit()):
        return _moment(text)
    if int(text[:20]) > MAX_SEQ:
        raise ValueError(f"seq {text} is too large; write epoch seconds as @{text}")
    return int(text)


def _interval(text: str) -> Interval:
    from runreel.cli import time_arguments
    from runreel.model import periods

    return Interval(*periods.period(text, now=time_arguments.now(), zone=time_arguments.zone()[0]))


def _duration(text: str) -> timedelta:
    from runreel.model import periods

    return periods.duration(text)


STATUS = ChoiceText("status", STATES, tuple(RunStatus.__members__))
TYPE = ChoiceText("type", EVENT_TYPES)
# A period means its start.
TIME = Text(_moment)
SEQ_OR_TIME = Text(_seq_or_moment)


def filters(command: Command) -> Command:
    """Add the options that select runs, named like the parameters of ``Reel.runs``."""
    for option in reversed(_FILTERS):
        command = option(command)
    return tz(command)


def _use_zone(ctx: click.Context, param: click.Parameter, value: str | None) -> None:  # noqa: ARG001
    if value is None:
        return
    from runreel.cli import time_arguments

    try:
        time_arguments.set_zone(value)
    except UsageError as error:
        raise click.BadParameter(f"{error}. {error.hint}", param=param) from None


# The time zone of the times that the command reads and prints. Eager, because other options parse
# times in this zone.
tz = click.option(
    "--tz",
    metavar="ZONE",
    type=TEXT,
    is_eager=True,
    expose_value=False,
    callback=_use_zone,
    help="Time zone of dates and times, such as Europe/Moscow. Default: local time.",
)


def _several(
    option: str,
    metavar: str | None,
    text: str,
    type_: click.ParamType = TEXT,  # type: ignore[type-arg]
    combine: Callable[[tuple[T, ...]], object] = tuple,
) -> Callable[[Command], Command]:
    """Add a repeatable option; pass its values combined, or None without any."""

    def combined(ctx: click.Context, param: click.Parameter, value: tuple[T, ...]) -> object:  # noqa: ARG001
        return combine(value) if value else None

    return click.option(
        *option.split(), type=type_, multiple=True, metavar=metavar, callback=combined, help=text
    )


def _grouped(pairs: tuple[tuple[str, str], ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return found


status = _several(
    "--status",
    "STATUS",
    f"Status shown in lists: {', '.join(STATES)}; or a RunStatus in capitals.",
    STATUS,
)


def _flag(option: str, text: str) -> Callable[[Command], Command]:
    return click.option(option, is_flag=True, help=text)


_FILTERS = (
    status,
    _several("--source", "NAME", f"Source of the run: {', '.join(SOURCES)}."),
    _several("--assistant", "ID", "ID of the assistant."),
    _several("--thread", "ID", "ID of the thread."),
    _several("--model", "MODEL", "Model name."),
    _several(
        "--label labels",
        "K=V",
        "Label. Several values of a key match any; several keys must all match.",
        PAIR,
        _grouped,
    ),
    _several(
        "--recording", None, "State of the recording, not of the run.", click.Choice(RECORDINGS)
    ),
    _several("--since", "TIME", f"Started at TIME or later: {_TIMES}.", TIME, min),
    _several("--until", "TIME", "Started before TIME.", TIME, max),
    _several(
        "--on",
        "PERIOD",
        "Started within PERIOD, a day, week, month or year: yesterday, 2026-W48, 2026-11.",
        Text(_interval),
    ),
    _flag("--has-error", "Only runs with an error."),
    _flag("--no-usage", "Only runs without usage."),
    _flag("--problems", "Only runs that failed, are interrupted or stale."),
    _several("--error-contains", "TEXT", "Text in the error message or code, ignoring case."),
    _several(
        "--slower-than",
        "DURATION",
        "Took longer than DURATION: 500ms, 2.5s, 1m30s.",
        Text(_duration),
        min,
    ),
    _several("--min-tokens", "N", "Used at least N tokens in total.", click.IntRange(0), min),
)
