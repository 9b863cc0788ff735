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

Results are written to standard output, everything else to standard error. Times are local in
tables and UTC in JSON. A dash in a table means unknown, which is not zero. If the output is not a
terminal, a table is plain text without colours, boxes or truncation.

RUN is the id of a run, a unique prefix of it, or `latest`. [JSON](json.md) describes the output of
`--json`.

If you repeat a filter, a run has to match any of its values; different filters all have to match.

## Times

TIME is `2026-11-30T18:30` or a date, with or without an offset; a duration before now, such as
`24h`, `7d` or `3 days ago`; `now`; epoch seconds (`1764489600`, or `@0` for any number); or a
PERIOD, of which the start is used.

PERIOD is a date, `today`, `yesterday`, a week (`2026-W48`), a month (`2026-11`), a year (`2026`),
or `this-week`, `last-week`, `this-month`, `last-month`, `this-year`, `last-year`. `--on` selects
the whole period. Weeks begin on Monday. Days follow the time zone, including changes of its
clocks; `7d` is seven times 24 hours.

`--tz ZONE` is the time zone for input and output: a name such as `Europe/Moscow`, or an offset such
as `+03:00`. The default is the machine's zone. Tables show it.
"""

EXITS = """\
## Exit codes

| code | meaning |
| --- | --- |
| 0 | Success. |
| 1 | Findings: differences, bad lines, or an empty result with `--fail-empty`. |
| 2 | Invalid request: invalid options, an unknown run, an ambiguous prefix. |
| 3 | Database error: missing, locked, read-only, too old, too new, of another program. |
| 4 | Source error: a second source for a run, a missing optional package. |
| 70 | A bug in runreel. It prints a traceback. |
| 130 | Ctrl-C. |
| 141 | The reader of the output has closed the pipe. |
"""

_OPTION = re.compile(r"(?<![\w`-])(--[a-z][a-z-]*)")


def render() -> str:
    """The whole page, as Markdown."""
    sections = [part for context in contexts() for part in _section(context)]
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
    notes = [one.help or ""]
    if isinstance(one.type, click.Choice) and one.metavar:
        notes.append(f"One of {', '.join(f'`{choice}`' for choice in one.type.choices)}.")
    if one.required:
        notes.append("Required.")
    if _has_default(one.default) and not one.is_flag:
        notes.append(f"Default: `{_default(one.default)}`.")
    return f"| {names}{value} | {' '.join(part for part in notes if part)} |"


def _value(one: click.Option) -> str:
    if one.metavar:
        choices = one.metavar.split("|")
    elif isinstance(one.type, click.Choice):
        choices = list(one.type.choices)
    else:
        choices = ["N" if isinstance(one.type, click.IntRange) else one.type.name.upper()]
    return " \\| ".join(f"`{choice}`" for choice in choices)


def _has_default(default: Any) -> bool:
    return isinstance(default, (str, int, float, tuple)) and default not in ("", (), False)


def _default(default: Any) -> str:
    return ", ".join(default) if isinstance(default, tuple) else str(default)


def _prose(text: str) -> str:
    cleaned = inspect.cleandoc(text.replace("\b\n", "").partition("\f")[0])
    return _OPTION.sub(r"`\1`", cleaned.replace("<", "&lt;")) + "\n"


def _examples(epilog: str) -> str:
    block = epilog.partition("Examples:\n")[2].partition("\n\b")[0].rstrip()
    return inspect.cleandoc(block)
