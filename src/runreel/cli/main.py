"""The root command; turns errors into messages and exit codes.

Imports click and little else: each command is imported when it is used.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click

from runreel import __version__
from runreel.cli import error_reporting
from runreel.cli.render import terminal
from runreel.model.errors import RunreelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.shell_completion import CompletionItem

NAME = "runreel"
COMPLETE = "_RUNREEL_COMPLETE"
# Columns. A narrower help has no room for the descriptions of options.
_MIN_WIDTH = 50

# Title of the group: command: first line of its help, so that the help imports no command.
GROUPS = {
    "Record": {
        "demo": "Record a scripted run, show it, replay it, count it.",
        "record": "Record a run from JSON lines as they arrive.",
        "watch": "Run a program and record its model calls.",
        "proxy": "Record the model calls of any program.",
        "import": "Import recorded events.",
        "recover": "Find recordings that a dead process left open and end them.",
    },
    "Inspect": {
        "runs": "List runs, newest first.",
        "show": "Show runs: their result, usage and timing.",
        "events": "List the events of runs in their order.",
        "timeline": "Show where the time of runs went.",
        "diff": "Compare two runs: request, tools, text, usage, timing.",
        "search": "Find where a text was said, newest run first.",
        "tail": "Follow runs: their last events, then new ones as they come.",
        "ui": "Show runs in a browser.",
        "replay": "Replay the stream of a run with its timing.",
        "serve": "Serve recorded runs to unmodified programs.",
        "export": "Write runs to a file to pass on.",
    },
    "Report": {
        "usage": "Count tokens by day, model, assistant and more.",
        "prices": "List, explain, add and check prices of models.",
        "budget": "Compare what runs cost with a budget; by default this month's.",
    },
    "Audit": {
        "verify": "Verify that the log is intact; change nothing.",
        "checkpoint": "Sign the last hash of every run.",
        "keygen": "Create a key that signs checkpoints.",
    },
    "Maintain": {
        "rebuild": "Rebuild derived tables from the event log.",
        "redact": "Erase a text or whole rows; the rest still verifies.",
        "prune": "Delete old runs; keep a tombstone of each.",
        "backup": "Copy the log into a new file; writers are not blocked.",
        "doctor": "Check the health of the database and say what to do.",
        "db": "Manage the database.",
    },
    "Integrate": {
        "schema": "Print the JSON Schemas of the output.",
        "completion": "Print the completion script of a shell.",
    },
}
COMMANDS = {name: line for commands in GROUPS.values() for name, line in commands.items()}
# Commands whose module has another name.
_MODULES = {"record": "record_import", "import": "record_import"}


@dataclass(slots=True)
class CliContext:
    """The values of the root options; the ``obj`` of every click context."""

    db: str | None = None
    verbose: bool = False


class LazyGroup(click.Group):
    """The group of the commands in ``COMMANDS``; imports only the command that runs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; without any, show the help."""
        return super().parse_args(ctx, args or ["--help"])

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the command names in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return a command; None if it is unknown."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"runreel.cli.commands.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command named by the first argument, or fail with a suggestion."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}.{_suggestion(name)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands, grouped by purpose."""
        longest = max(map(len, COMMANDS))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                # Padded to the longest name, so that all groups align.
                formatter.write_dl([(name.ljust(longest), line) for name, line in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands, and options after a dash."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=line)
            for name, line in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(
    NAME,
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
    epilog="\b\nExamples:\n"
    "  runreel demo\n"
    "  runreel import traffic.jsonl\n"
    "  runreel show latest --content\n"
    "  runreel --db postgresql://me@host/log usage --by model\n"
    "\n\b\n"
    "Exit codes: 0 done; 1 differences, bad lines, nothing found (--fail-empty);\n"
    "2 bad usage or unknown run; 3 database; 4 source; 130 Ctrl-C; 141 closed pipe.",
)
@click.option(
    "--db",
    metavar="URL|PATH",
    help="The database: a SQLite file, postgresql://USER@HOST/NAME, or a recording file to read."
    " Default: RUNREEL_DB, a configuration file, or runreel.db in your data directory.",
)
@click.option(
    "--color",
    type=click.Choice(terminal.COLORS),
    default="auto",
    help="When to use colours. auto: on a terminal, unless NO_COLOR or FORCE_COLOR is set.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show the causes of an error.")
@click.version_option(__version__, prog_name=NAME)
@click.pass_context
def root(ctx: click.Context, db: str | None, color: str, *, verbose: bool) -> None:
    """Record every event of LLM-assistant runs; show, replay and count them.

    RUN is the id of a run, a unique prefix of one, `latest`, or a recording file of one run.
    """
    app = ctx.ensure_object(CliContext)
    app.db, app.verbose = db, verbose
    terminal.set_color_mode(color)
    ctx.color = None if color == "auto" else color == "always"


def run(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    sys.exit(main(sys.argv[1:] if arguments is None else arguments))


def main(arguments: Sequence[str]) -> int:
    """Run the command line, print errors on stderr and return the exit code."""
    try:
        code = _run_reporting_errors(list(arguments))
        terminal.flush()
    except BrokenPipeError:
        terminal.abandon()
        return error_reporting.CLOSED_PIPE
    except terminal.OutputFailed as error:
        terminal.abandon()
        return error.exit_code
    except KeyboardInterrupt:
        return error_reporting.INTERRUPTED
    return code


def _run_reporting_errors(arguments: list[str]) -> int:
    app = CliContext()
    try:
        code = _invoke(arguments, app)
        terminal.flush()
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except (click.Abort, KeyboardInterrupt):
        return error_reporting.report_interrupt()
    except click.ClickException as error:
        return error_reporting.report_usage_error(error)
    except RunreelError as error:
        return error_reporting.report_error(error, verbose=app.verbose)
    except BrokenPipeError:
        raise
    except Exception:  # noqa: BLE001 - the last resort prints the traceback
        return error_reporting.report_bug()
    return code


def _invoke(arguments: list[str], app: CliContext) -> int:
    completion = os.environ.get(COMPLETE)
    if completion:
        from click.shell_completion import shell_complete

        return shell_complete(root, {"obj": app}, NAME, COMPLETE, completion)
    terminal.set_color_mode("auto")
    # Click limits the width to 80 columns by default.
    columns = max(terminal.width(), _MIN_WIDTH)
    with root.make_context(NAME, arguments, obj=app, terminal_width=columns) as context:
        root.invoke(context)
    return 0


def _suggestion(name: str) -> str:
    from difflib import get_close_matches

    similar = get_close_matches(name, COMMANDS)
    return f" Did you mean {' or '.join(similar)}?" if similar else ""
