"""Values that the shell completes: run ids, models, labels, time zones and sources."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from runreel.model.identifiers import LATEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import click
    from click.shell_completion import CompletionItem

    from runreel.store.connection import Connection

# Maximum items per completion; America has about this many time zones.
_MAX_ITEMS = 200
# The shell interprets other characters.
_SHELL_SAFE = re.compile(r"[\w.:@%+,/=-]+", re.ASCII)


def run_ids(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001 - click's signature
    incomplete: str,
) -> list[CompletionItem]:
    """Complete a run id: the newest runs first; nothing if the database cannot be read."""
    from runreel.store.events import event_log
    from runreel.store.projections import known_values

    def query(connection: Connection) -> list[str]:
        newest = known_values.run_ids(connection)
        found = [run_id for run_id in newest if run_id.startswith(incomplete)]
        if incomplete and len(found) < _MAX_ITEMS:
            found += event_log.run_ids(connection, prefix=incomplete, limit=_MAX_ITEMS)
        latest = [LATEST] if newest and LATEST.startswith(incomplete) else []
        return [*_shell_safe(dict.fromkeys(found)), *latest]

    return _items(_query(ctx, query))


def values(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the value of the option ``param``; nothing if its values are unknown."""
    for option in param.opts:
        if option in _COMPLETERS:
            return _items(_shell_safe(_COMPLETERS[option](ctx, incomplete)))
    return []


def _groupings(ctx: click.Context, incomplete: str) -> list[str]:
    from runreel.projection.usage_periods import COLUMNS, LABEL, TIMES

    groups = [group for group in (*TIMES, *COLUMNS, LABEL) if group.startswith(incomplete)]
    if not incomplete.startswith(LABEL):
        return groups
    return [f"{LABEL}{key}" for key in _label_keys(ctx, incomplete.removeprefix(LABEL))]


def _models(ctx: click.Context, incomplete: str) -> list[str]:
    from runreel.store.projections import known_values

    return [m for m in _query(ctx, known_values.models) if m.startswith(incomplete)]


def _labels(ctx: click.Context, incomplete: str) -> list[str]:
    from runreel.store.projections import known_values

    key, equals, prefix = incomplete.partition("=")
    if not equals:
        return [f"{name}=" for name in _label_keys(ctx, key)]
    found = _query(ctx, lambda log: known_values.label_values(log, key, prefix, _MAX_ITEMS))
    return [f"{key}={value}" for value in found]


def _label_keys(ctx: click.Context, prefix: str) -> list[str]:
    from runreel.store.projections import known_values

    return _query(ctx, lambda log: known_values.label_keys(log, prefix, _MAX_ITEMS))


def _zones(ctx: click.Context, incomplete: str) -> list[str]:  # noqa: ARG001 - the signature of a completer
    from importlib.util import find_spec
    from pathlib import Path

    found = find_spec("tzdata")
    assert found is not None and found.origin is not None  # noqa: S101 - it is a dependency
    # zoneinfo.available_timezones() would open every file; tzdata lists all zones in one.
    zones = (Path(found.origin).parent / "zones").read_text("ascii").split()
    prefix = incomplete.lower()
    return [zone for zone in zones if zone.lower().startswith(prefix)]


def _sources(ctx: click.Context, incomplete: str) -> list[str]:  # noqa: ARG001 - the signature of a completer
    from runreel.sources import SOURCES

    return [source for source in SOURCES if source.startswith(incomplete)]


def _reports(ctx: click.Context, incomplete: str) -> list[str]:  # noqa: ARG001 - as above
    from runreel.cli import configuration
    from runreel.model.errors import RunreelError

    with suppress(RunreelError):
        return [name for name in configuration.sections("reports") if name.startswith(incomplete)]
    return []


_COMPLETERS: dict[str, Callable[[click.Context, str], list[str]]] = {
    "--by": _groupings,
    "--model": _models,
    "--label": _labels,
    "--tz": _zones,
    "--source": _sources,
    "--pivot": _groupings,
    "--report": _reports,
}


def _query(ctx: click.Context, query: Callable[[Connection], list[str]]) -> list[str]:
    """The result of ``query``; nothing if the database cannot be read."""
    from runreel.api.reel import open as open_reel
    from runreel.cli import configuration

    try:
        choice = configuration.database(ctx.find_root().params.get("db"))
        with open_reel(choice.name, create=False) as reel, reel.db.reading() as connection:
            return query(connection)
    except Exception:  # noqa: BLE001 - a message would appear in the command line being typed
        return []


def _shell_safe(found: Iterable[str]) -> list[str]:
    return [text for text in found if _SHELL_SAFE.fullmatch(text)][:_MAX_ITEMS]


def _items(found: list[str]) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    return [CompletionItem(text) for text in found]
