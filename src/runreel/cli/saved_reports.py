"""Reports that are saved by name in the configuration."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING

import click

from runreel.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.cli.options import Command

_SECTION = "reports"
_NOT_SAVED = ("help", "report")


def report(command: Command) -> Command:
    """Add ``--report NAME``, which gives the other options the values of a saved report."""
    return click.option(
        "--report",
        metavar="NAME",
        type=options.TEXT,
        is_eager=True,
        expose_value=False,
        callback=_use_report,
        help="Use the options of [reports.NAME] in a configuration file; others given here win.",
    )(command)


def _use_report(ctx: click.Context, param: click.Parameter, value: str | None) -> None:  # noqa: ARG001
    if value is None or ctx.resilient_parsing:
        return
    from runreel.cli import configuration
    from runreel.model.errors import UsageError

    known = configuration.sections(_SECTION)
    if value not in known:
        names = ", ".join(sorted(known)) or "none are saved"
        raise UsageError(f"there is no report {value!r}", hint=f"Saved reports: {names}.")
    table, file = known[value]
    where = f"{file}: [{_SECTION}.{value}]"
    if not isinstance(table, dict):
        raise UsageError(f"{where} must be a table of options")
    ctx.default_map = {**(ctx.default_map or {}), **_defaults(ctx, table, where, file)}


def _defaults(
    ctx: click.Context, table: dict[str, object], where: str, file: Path
) -> dict[str, object]:
    """Return the values of a saved report by the names of the parameters.

    Raises:
        UsageError: if an option does not exist, or a value does not fit it.
    """
    from runreel.model.errors import UsageError

    known = _parameters(ctx.command)
    found: dict[str, object] = {}
    for key, given in table.items():
        parameter = known.get(key.replace("-", "_"))
        if parameter is None or parameter.name is None:
            raise UsageError(f"{where}: there is no option {key!r}", hint=_names(known))
        value = _value(parameter, given, file)
        try:
            if value is None:
                raise click.BadParameter(f"{given!r} does not fit it")
            parameter.type_cast_value(ctx, value)
        except click.BadParameter as error:
            raise UsageError(f"{where}: {key}: {error.message}") from None
        found[parameter.name] = value
    return found


def _parameters(command: click.Command) -> dict[str, click.Option]:
    """Return the options of a command by their long names, as keys of TOML."""
    return {
        name.removeprefix("--").replace("-", "_"): option
        for option in command.params
        if isinstance(option, click.Option)
        for name in option.opts
        if name.startswith("--") and name.removeprefix("--") not in _NOT_SAVED
    }


def _names(known: dict[str, click.Option]) -> str:
    return f"The keys are the options of the command: {', '.join(sorted(known))}."


def _value(option: click.Option, given: object, file: Path) -> object:
    """Convert a value of TOML to what the option takes; None if it does not fit."""
    if option.is_flag:
        return given if isinstance(given, bool) else None
    if option.multiple:
        return _several(given)
    text = _text(given)
    if text is not None and isinstance(option.type, click.Path):
        return str(file.parent / text)
    return text


def _several(given: object) -> list[str] | None:
    """Return the values of a repeatable option: of one, of a list, or of a table of labels."""
    if isinstance(given, dict):
        return _labels(given)
    texts = [_text(one) for one in (given if isinstance(given, list) else [given])]
    found = [text for text in texts if text is not None]
    return found if len(found) == len(texts) else None


def _labels(given: dict[str, object]) -> list[str] | None:
    found: list[str] = []
    for key, value in given.items():
        values = None if isinstance(value, dict) else _several(value)
        if values is None:
            return None
        found += (f"{key}={text}" for text in values)
    return found


def _text(given: object) -> str | None:
    # TOML has numbers and dates of its own, such as 2026-11-30.
    if isinstance(given, (date, time)):
        return given.isoformat()
    fits = isinstance(given, (str, int)) and not isinstance(given, bool)
    return str(given) if fits else None
