"""``runreel proxy``: forward the calls of any program to a service, and record them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runreel.cli import capture_options, log_check, options, serving_options
from runreel.cli.serving_options import listening

if TYPE_CHECKING:
    from collections.abc import Mapping


@options.command("""
runreel proxy --upstream https://api.openai.com/v1
runreel proxy --upstream https://api.anthropic.com/v1 --label team=search
runreel --db calls.db proxy --upstream http://localhost:11434/v1 --port 8000
""")
@click.option(
    "--upstream",
    metavar="URL",
    required=True,
    type=options.TEXT,
    help="Base URL of the service, with /v1.",
)
@serving_options.address
@capture_options.capture
@click.option(
    "--durability",
    type=click.Choice(("full", "normal")),
    default="full",
    help="full: each event survives a power loss once it is passed on. normal: faster.",
)
def proxy_command(  # noqa: PLR0913 - one for each option
    *,
    upstream: str,
    port: int,
    host: str,
    labels: Mapping[str, str],
    requests: bool,
    on_error: str,
    durability: str,
) -> None:
    """Record the model calls of any program.

    Forwards each request below /v1 to the service, and passes its answer on, chunk by chunk as it
    comes. Calls of /responses, /chat/completions and /messages are recorded: each event is in the
    log before the program gets it. The first line is the value for OPENAI_BASE_URL, the next one
    that for ANTHROPIC_BASE_URL.

    Keys are forwarded and never stored. A service that does not answer fails the run. With
    --on-error raise, a call that cannot be recorded is refused.
    """
    from runreel.capture.http.hook import CallHook
    from runreel.serving import proxy

    url = proxy.upstream_url(upstream)
    with (
        options.opened(create=True, durability=durability) as reel,
        listening(host, port, "use the service through it") as listener,
    ):
        log_check.check(reel, warn_only=on_error == "warn")
        hook = CallHook(reel.db, labels=dict(labels), requests=requests, on_error=on_error)
        app = proxy.create_app(url, hook, host, on_problem=serving_options.print_problem)
        serving_options.serve(
            app, host, listener, lambda origin: [f"{origin}/v1", origin], has_lifespan=True
        )
