"""``runreel serve``: recorded runs for unmodified programs."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Unpack, cast

import click

from runreel.cli import completions, options, recordings, selection, serving_options, timing_options
from runreel.cli.render import terminal
from runreel.cli.serving_options import listening
from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel
    from runreel.importing.recording_log import RecordingLog
    from runreel.model.run_filter import Filters
    from runreel.serving.assistant_runs import AssistantRun
    from runreel.serving.collection import Collection
    from runreel.store.database import Database

_NO_GRPC = (
    "Runs of the Assistants service are not served without the extra yandex"
    " (pip install 'runreel[yandex]')"
)


@options.command("""
runreel serve latest
runreel serve weather.reel.jsonl --instant
runreel serve --label suite=weather --match strict
runreel serve latest --fail-at 50 --port 8000
""")
@click.argument(
    "runs",
    metavar="[RUN|FILE]...",
    nargs=-1,
    type=options.TEXT,
    shell_complete=completions.run_ids,
)
@serving_options.address
@timing_options.timing
@click.option(
    "--match",
    type=click.Choice(("order", "strict")),
    default="order",
    help="What an equal request gets once all its recordings were served: the last, or an error.",
)
@click.option(
    "--fail-at",
    type=options.COUNT,
    metavar="N",
    help="Break the connection after N events of each answer.",
)
@selection.filters
def serve_command(  # noqa: PLR0913 - one for each option
    *,
    runs: tuple[str, ...],
    port: int,
    host: str,
    speed: float,
    max_gap: float | None,
    instant: bool,
    match: str,
    fail_at: int | None,
    **filters: Unpack[Filters],
) -> None:
    """Serve recorded runs to unmodified programs.

    Answers the requests of vendors' clients with the recorded events and the recorded timing,
    counted from the request. Serves the given runs or files, the runs that match the filters of
    `runreel runs`, or the whole log. The first line is the value for OPENAI_BASE_URL, the next one
    that for ANTHROPIC_BASE_URL. If there are runs of the Yandex Assistants service, the third line
    is the endpoint for its SDK.

    A request is answered by the recording of the same request; who asks (user, metadata) does not
    count. Equal requests get equal recordings in order. A request that was not recorded gets an
    error that names the closest recording and the first difference. Nothing is ever sent to the
    network.

    --max-gap limits a pause before --speed divides it.
    """
    from runreel.cli import configuration
    from runreel.serving import server
    from runreel.serving.matching import Matcher
    from runreel.serving.player import Player
    from runreel.serving.timing import Timing

    as_timed, strict = Timing(speed, max_gap, instant), match == "strict"
    with (
        _found(runs, filters) as (database, found),
        listening(host, port, "read what was recorded") as listener,
        ExitStack() as stack,
    ):
        matcher = Matcher(found.exchanges, strict=strict, mask=configuration.mask())
        player = Player(database, found.exchanges, matcher, as_timed=as_timed, fail_at=fail_at)
        urls: list[str] = []
        if assistants := _assistants(database, found, named=bool(runs)):
            from runreel.serving.assistants import AssistantsServer

            service = AssistantsServer(
                assistants,
                host,
                listener.getsockname()[1] + 1,
                as_timed=as_timed,
                strict=strict,
                fail_at=fail_at,
                on_problem=serving_options.print_problem,
            )
            stack.callback(service.stop)
            urls.append(f"grpc://{service.address}")
        app = server.create_app(player, host, on_problem=serving_options.print_problem)
        serving_options.serve(app, host, listener, lambda origin: [f"{origin}/v1", origin, *urls])


def _assistants(database: Database, found: Collection, *, named: bool) -> list[AssistantRun]:
    """Return the runs of the Assistants service, and print what is to say about the others.

    Raises:
        UsageError: if there is nothing to serve.
    """
    from runreel.serving import assistant_runs, collection

    runs, others = assistant_runs.of_runs(database, found.others)
    for notice in found.notices:
        terminal.write_notice(notice)
    if runs and not _has_grpc():
        names = collection.names([run.run_id for run in runs])
        terminal.write_notice(f"{_NO_GRPC}: {names}.")
        runs = []
    if not found.exchanges and not runs:
        raise UsageError(
            "nothing to serve: no recorded call of a model over HTTP",
            hint="`runreel watch` and `runreel proxy` record calls with their requests.",
        )
    if named and others:
        terminal.write_notice(f"No calls to serve: {collection.names(others)}.")
    return runs


def _has_grpc() -> bool:
    from importlib.util import find_spec

    return all(map(find_spec, ("grpc", "yandex")))


@contextmanager
def _found(runs: tuple[str, ...], filters: Filters) -> Iterator[tuple[Database, Collection]]:
    """Open the log or the recordings, and yield it with the calls to serve.

    Raises:
        UsageError: if runs and files or filters are mixed.
        RunNotFound: if one of the runs is not in the log.
    """
    from runreel.cli.render import progress
    from runreel.serving.collection import collect
    from runreel.store.read_only import ReadOnlyDatabase

    given = sorted(name for name, value in filters.items() if value)
    if runs and given:
        raise click.UsageError(f"Give RUN or filters, not both: {', '.join(given)}.")
    with _opened(runs) as (reel, named), ExitStack() as stack:
        database = reel.db
        if not database.is_temporary:
            database = stack.enter_context(closing(ReadOnlyDatabase(reel.db)))
        run_ids = named or [run.run_id for run in reel.runs(**filters)][::-1]
        with progress.bar("Reading") as step:
            found = collect(database, run_ids, named=bool(runs), progress=step)
        yield database, found


@contextmanager
def _opened(runs: tuple[str, ...]) -> Iterator[tuple[Reel, list[str] | None]]:
    """Open the log or the recordings, and yield it with the named runs; None if none is named."""
    files = recordings.files_among(runs)
    if not files:
        with options.opened() as reel:
            yield reel, [reel.resolve(run) for run in runs] or None
        return
    if len(files) < len(runs):
        raise click.UsageError("Give runs of the log or recordings, not both.")
    from runreel.importing.recording_log import run_ids

    with recordings.opened(files) as reel:
        named = set(run_ids(cast("RecordingLog", reel.db), files))
        yield reel, [run.run_id for run in reel.runs() if run.run_id in named][::-1]
