"""``runreel ui``: serve the pages of a log to a browser on this machine."""

from __future__ import annotations

import os
import re
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runreel.cli import completions, options, recordings, stop_signals
from runreel.cli.main import CliContext
from runreel.cli.render import terminal
from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

_SHORTEST_TOKEN = 32
_TOKEN = re.compile(r"[\w-]+", re.ASCII)


@options.command("""
runreel ui
runreel ui latest
runreel ui weather.reel.jsonl --no-open
runreel ui --host 0.0.0.0 --port 8000 --token-file token.txt
""")
@click.argument(
    "run",
    metavar="[RUN|FILE]",
    required=False,
    type=options.TEXT,
    shell_complete=completions.run_ids,
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 is any free port.")
@click.option(
    "--host", type=options.TEXT, default="127.0.0.1", help="Address or name to listen on."
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with the token for a host that other machines reach.",
)
@click.option("--open/--no-open", "opens", default=True, help="Open the page in a browser.")
def ui_command(
    run: str | None, *, port: int, host: str, token_file: Path | None, opens: bool
) -> None:
    """Show runs in a browser.

    Prints the URL of the page once it can be opened, and serves it until Ctrl-C. The pages read the
    log and change nothing. They are served to this machine alone, and the URL has a token that one
    browser can use once. Without a log of yours, they show that of `runreel demo`.

    With another --host, other machines reach the pages. Anyone who has the token of --token-file
    can then read every run of the log, and the connection is not encrypted.
    """
    from runreel.web import access as rules
    from runreel.web import server

    token = _token(host, token_file, is_loopback=rules.is_loopback(host))
    with terminal.show_warnings(), _log(run) as (reel, path):
        listener = server.listen(host, port)
        try:
            access = rules.Access(host, listener.getsockname()[1], token=token)
            url = f"{access.origin}{path}{'&' if '?' in path else '?'}token={access.token}"

            def on_start(_server: object) -> None:
                terminal.write(url, flush=True)
                if opens:
                    _open(url)

            with stop_signals.stop_on_signals():
                server.serve(reel, listener, access, on_start=on_start)
            # A shell lets programs in the background ignore Ctrl-C; the server ends all the same.
            raise KeyboardInterrupt
        finally:
            listener.close()


@contextmanager
def _log(run: str | None) -> Iterator[tuple[Reel, str]]:
    """Open the log or the recording; with it, the path of the page to begin with.

    Raises:
        RunreelError: if it cannot be read, or has no such run.
    """
    from runreel.web import links

    if run is not None and recordings.is_recording(run):
        with recordings.opened([run]) as reel:
            runs = reel.runs(limit=2)
            yield reel, links.run(next(iter(runs)).run_id) if len(runs) == 1 else "/"
        return
    _show_demo()
    with options.opened() as reel:
        if run is not None:
            yield reel, links.run(reel.resolve(run))
            return
        # What cannot be read is refused before the page is opened.
        reel.runs(limit=1)
        yield reel, "/"


def _show_demo() -> None:
    """Take the log of ``runreel demo`` if the user names no log and has no other."""
    from runreel.cli import configuration
    from runreel.system.default_location import default_url, demo_file

    app = click.get_current_context().ensure_object(CliContext)
    if configuration.database(app.db).name is None and not Path(default_url(None)).exists():
        demo = demo_file()
        if demo.exists():
            app.db = str(demo)
            terminal.write_notice(
                ("There is no log yet: this is the one of `runreel demo`.", "dim")
            )


def _token(host: str, file: Path | None, *, is_loopback: bool) -> str | None:
    """Return the token of the file, None without one.

    Raises:
        UsageError: if it is needed and missing, or others could read or guess it.
    """
    if file is None:
        if is_loopback:
            return None
        raise UsageError(
            f"other machines reach host {host!r}: name the file of a token with --token-file",
            hint="Anyone who has the token can read every run of the log, and the connection is not"
            " encrypted. `python -c 'import secrets; print(secrets.token_urlsafe(32))'` makes one.",
        )
    try:
        text = file.read_text(encoding="ascii").strip()
        shared = os.name == "posix" and file.stat().st_mode & 0o077
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise UsageError(f"cannot read the token file {file}: {reason}") from error
    if len(text) < _SHORTEST_TOKEN or not _TOKEN.fullmatch(text):
        raise UsageError(
            f"{file} has no token: one has {_SHORTEST_TOKEN} or more letters, digits, - and _"
        )
    if shared:
        raise UsageError(
            f"other users can read or change the token file {file}", hint=f"chmod 600 {file}"
        )
    if not is_loopback:
        terminal.write_notice(
            ("Warning: ", "yellow"),
            f"other machines reach {host}. Anyone who has the token can read every run of the log,"
            " and the connection is not encrypted.",
        )
    return text


def _open(url: str) -> None:
    """Open a browser, if one has a window of its own."""
    import threading
    import webbrowser

    windows = any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")))
    if windows or sys.platform in ("darwin", "win32"):
        # Starting it may take seconds.
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
