from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from runreel.cli.main import COMMANDS, GROUPS, root
from runreel.sources import SOURCES
from tests.cli.calls import program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.calls import Caller


def walk(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from walk(inner, (*path, name))


ALL = list(walk(root))
NAMES = [" ".join(path) or "runreel" for path, _ in ALL]


@pytest.mark.parametrize(("path", "command"), ALL, ids=NAMES)
def test_every_command_explains_itself_with_an_example(
    path: tuple[str, ...], command: click.Command, call_sqlite: Caller
) -> None:
    told = call_sqlite.bare(*path, "--help")
    assert told.code == 0
    assert told.out == call_sqlite.bare(*path, "-h").out
    assert "Examples:\n" in told.out
    assert (
        f"  runreel {' '.join(path)}".rstrip() in told.out.split("Examples:")[1]
        or " | runreel" in told.out
    )
    assert command.help and command.help[0].isupper() and command.help.split("\n")[0].endswith(".")
    assert told.out.isascii(), "help is printed where nothing but ASCII is known too"


@pytest.mark.parametrize(("path", "command"), ALL, ids=NAMES)
def test_every_option_explains_itself(path: tuple[str, ...], command: click.Command) -> None:
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, option.name


def test_the_list_of_commands_says_what_each_command_says_of_itself() -> None:
    context = click.Context(root)
    for name, line in COMMANDS.items():
        command = root.get_command(context, name)
        assert command is not None
        assert (command.help or "").split("\n")[0] == line
        assert command.name == name


def test_the_commands_of_this_version_are_these() -> None:
    assert {name for name in NAMES if name not in ("runreel", "db", "prices")} == {
        "demo",
        "record",
        "watch",
        "proxy",
        "import",
        "runs",
        "show",
        "events",
        "timeline",
        "diff",
        "tail",
        "search",
        "ui",
        "replay",
        "serve",
        "export",
        "usage",
        "budget",
        "prices list",
        "prices show",
        "prices import",
        "prices check",
        "rebuild",
        "verify",
        "recover",
        "redact",
        "prune",
        "checkpoint",
        "keygen",
        "backup",
        "doctor",
        "db upgrade",
        "db current",
        "db sql",
        "db grants",
        "db status",
        "schema",
        "completion",
    }


def test_the_database_is_named_on_the_group_alone() -> None:
    for path, command in ALL:
        options = {name for option in command.params for name in option.opts}
        assert ("--db" in options) == (path == ())


def test_without_any_word_the_help_is_the_result(call_sqlite: Caller) -> None:
    told = call_sqlite.bare()
    assert (told.code, told.err) == (0, "")
    assert told.out == call_sqlite.bare("--help").out


def test_a_group_without_a_command_but_with_an_option_is_a_usage_error(call_sqlite: Caller) -> None:
    told = call_sqlite("--verbose")
    assert (told.code, told.out) == (2, "")
    assert "Missing command" in told.err


def test_commands_are_grouped_by_purpose(call_sqlite: Caller) -> None:
    shown = call_sqlite.bare("--help").out
    titles = [f"{title}:" for title in GROUPS]
    assert titles[:5] == ["Record:", "Inspect:", "Report:", "Audit:", "Maintain:"]
    places = [shown.index(f"\n{title}\n") for title in titles]
    assert places == sorted(places)
    for names, begin, end in zip(GROUPS.values(), places, [*places[1:], len(shown)], strict=True):
        for name in names:
            assert f"\n  {name} " in shown[begin:end]


@pytest.mark.parametrize("columns", [50, 60, 79, 80, 120, 200])
@pytest.mark.parametrize("path", [(), ("runs",), ("verify",)], ids=" ".join)
def test_help_is_as_wide_as_the_terminal(
    path: tuple[str, ...], columns: int, call_sqlite: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    shown = call_sqlite.bare(*path, "--help").out
    prose, _, _ = shown.partition("Examples:")
    widths = [len(line) for line in prose.splitlines() if " " in line.strip()]
    assert max(widths) <= columns
    assert max(widths) > columns * 0.8 or columns == 200


@pytest.mark.parametrize(("path", "command"), ALL, ids=NAMES)
def test_defaults_are_shown_and_ranges_that_say_nothing_are_not(
    path: tuple[str, ...],
    command: click.Command,
    call_sqlite: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    shown = call_sqlite.bare(*path, "--help").out
    assert "922337203685477" not in shown
    assert str(2**31) not in shown
    lines = shown.partition("Options:")[2].partition("Examples:")[0].splitlines()
    for option in command.params:
        if not isinstance(option, click.Option) or option.is_flag or option.required:
            continue
        context = click.Context(command)
        default = option.get_default(context)
        if not isinstance(default, (str, int, float, tuple)) or default == ():
            continue
        words = default if isinstance(default, tuple) else (default,)
        (place,) = [n for n, line in enumerate(lines) if line.lstrip().startswith(option.opts[0])]
        # Long names have their text on the next line.
        assert f"[default: {', '.join(map(str, words))}" in "".join(lines[place : place + 2])


def test_every_option_for_a_source_names_all_of_them(
    call_sqlite: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    found = 0
    for path, command in ALL:
        if any("--source" in option.opts for option in command.params):
            found += 1
            shown = call_sqlite.bare(*path, "--help").out
            (line,) = [line for line in shown.splitlines() if line.lstrip().startswith("--source")]
            assert all(source in line for source in SOURCES), path
    assert found >= 3


def test_the_version_is_the_package_s() -> None:
    import runreel

    told = program("--version")
    assert told.returncode == 0
    assert told.stdout.decode().split()[-1] == runreel.__version__


def test_help_can_be_printed_in_ascii() -> None:
    told = program("events", "--help", env={"PYTHONIOENCODING": "ascii"})
    assert told.returncode == 0
    assert told.stderr == b""
