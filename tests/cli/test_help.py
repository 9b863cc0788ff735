from __future__ import annotations

from typing import TYPE_CHECKING

import click
import pytest

from runreel.cli.main import COMMANDS, root
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
    for name, (_, line) in COMMANDS.items():
        command = root.get_command(context, name)
        assert command is not None
        assert (command.help or "").split("\n")[0] == line
        assert command.name == name


def test_the_commands_of_this_version_are_these() -> None:
    assert {name for name in NAMES if name not in ("runreel", "db")} == {
        "demo",
        "record",
        "import",
        "runs",
        "show",
        "events",
        "replay",
        "usage",
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


def test_without_a_command_help_goes_to_stderr_and_the_exit_code_is_2(call_sqlite: Caller) -> None:
    told = call_sqlite.bare()
    assert (told.code, told.out) == (2, "")
    assert "Usage: runreel" in told.err
    assert "Examples:" in told.err
    assert "\\x" not in told.err


def test_the_version_is_the_package_s() -> None:
    import runreel

    told = program("--version")
    assert told.returncode == 0
    assert told.stdout.decode().split()[-1] == runreel.__version__


def test_help_can_be_printed_in_ascii() -> None:
    told = program("events", "--help", env={"PYTHONIOENCODING": "ascii"})
    assert told.returncode == 0
    assert told.stderr == b""
