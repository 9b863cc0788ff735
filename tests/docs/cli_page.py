"""The page of commands, made from the commands themselves."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

import click

from runreel.cli.main import root

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """\
# Command line

Results go to standard output, everything else to standard error. Times in tables are local, in
JSON they are UTC. A dash in a table is unknown, which is not zero. Off a terminal a table is
plain text: no colours, no boxes, nothing shortened.

RUN is a run's id, a unique beginning of one, or `latest`. What `--json` prints is described in
[JSON](json.md).

A filter given twice matches any of its values; different filters must all match.

## Times

TIME is `2026-11-30T18:30` or a date, with or without an offset; a length of time before now, such
as `24h`, `7d` or `3 days ago`; `now`; epoch seconds (`1764489600`, or `@0` for any); or a PERIOD,
which means its start.

PERIOD is a date, `today`, `yesterday`, a week (`2026-W48`), a month (`2026-11`), a year (`2026`),
or `this-week`, `last-week`, `this-month`, `last-month`, `this-year`, `last-year`. `--on` means the
whole of it. Weeks begin on Monday. Days are as long as the clocks of the zone make them; `7d` is
seven times 24 hours.

`--tz ZONE` is the zone in which times are read and printed: a name such as `Europe/Moscow`, or an
offset such as `+03:00`. The default is the machine's. Tables name it.
"""

EXITS = """\
## Exit codes

| code | meaning |
| --- | --- |
| 0 | Done. |
| 1 | Differences were found, lines were bad, or nothing was found (`--fail-empty`). |
| 2 | The question is wrong: bad options, an unknown run, an ambiguous beginning. |
| 3 | The database: missing, locked, read-only, too old, too new, not ours. |
| 4 | The source: a second source for a run, an optional package that is missing. |
| 70 | A bug in runreel. It prints a traceback. |
| 130 | Ctrl-C. |
| 141 | The reader of the output went away (a closed pipe). |
"""

_OPTION = re.compile(r"(?<![\w`-])(--[a-z][a-z-]*)")


def render() -> str:
    """The whole page, as Markdown."""
    sections = [piece for context in contexts() for piece in _section(context)]
    return "\n".join([HEAD, *sections, EXITS]).rstrip() + "\n"


def contexts() -> Iterator[click.Context]:
    """A context of the root and of every command below it, in the order of the help."""
    # A command remembers the help option of the first context that asks for it.
    yield from _from(click.Context(root, info_name="runreel", **root.context_settings))


def _from(context: click.Context) -> Iterator[click.Context]:
    yield context
    group = context.command
    if isinstance(group, click.Group):
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield from _from(click.Context(command, info_name=name, parent=context))


def _section(context: click.Context) -> Iterator[str]:
    command, path = context.command, context.command_path
    level = max(2, 1 + path.count(" "))
    yield f"{'#' * level} {path}\n"
    yield f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield _prose(command.help or "")
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    if options:
        yield "| option | |\n| --- | --- |"
        yield from (_option(one) for one in options if one.name != "help")
        yield ""
    if command.epilog and "Examples:" in command.epilog:
        yield f"```sh\n{_examples(command.epilog)}\n```\n"


def _option(one: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in (*one.opts, *one.secondary_opts))
    value = "" if one.is_flag else f" {_value(one)}"
    told = [one.help or ""]
    if isinstance(one.type, click.Choice) and one.metavar:
        told.append(f"One of {', '.join(f'`{choice}`' for choice in one.type.choices)}.")
    if one.required:
        told.append("Required.")
    if _is_worth_telling(one.default) and not one.is_flag:
        told.append(f"Default: `{_default(one.default)}`.")
    return f"| {names}{value} | {' '.join(part for part in told if part)} |"


def _value(one: click.Option) -> str:
    if one.metavar:
        choices = one.metavar.split("|")
    elif isinstance(one.type, click.Choice):
        choices = list(one.type.choices)
    else:
        choices = ["N" if isinstance(one.type, click.IntRange) else one.type.name.upper()]
    return " \\| ".join(f"`{choice}`" for choice in choices)


def _is_worth_telling(default: Any) -> bool:
    return isinstance(default, (str, int, float, tuple)) and default not in ("", (), False)


def _default(default: Any) -> str:
    return ", ".join(default) if isinstance(default, tuple) else str(default)


def _prose(text: str) -> str:
    told = inspect.cleandoc(text.replace("\b\n", "").partition("\f")[0])
    return _OPTION.sub(r"`\1`", told.replace("<", "&lt;")) + "\n"


def _examples(epilog: str) -> str:
    block = epilog.partition("Examples:\n")[2].partition("\n\b")[0].rstrip()
    return inspect.cleandoc(block)
