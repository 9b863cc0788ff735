"""The exchanges of several runs, and sentences about what they lack."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.serving import recordings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runreel.serving.exchange import Exchange
    from runreel.store.database import Database

# Runs that a notice names.
_NAMED = 3


class Collection(NamedTuple):
    """Exchanges to serve, in their order; ``notices`` are sentences about them.

    ``others`` are the ids of runs without any.
    """

    exchanges: list[Exchange]
    notices: list[str]
    others: list[str]


def collect(
    database: Database,
    run_ids: Sequence[str],
    *,
    named: bool,
    progress: Callable[[int, int], None] | None = None,
) -> Collection:
    """Return the exchanges of these runs.

    Those whose request is unknown are left out, unless the runs are ``named``: a request that fits
    nothing else would get the answer to any other. ``progress`` receives the runs read and the
    total.

    Raises:
        RunNotFound: if one of the runs is not in the log.
    """
    found: list[Exchange] = []
    others: dict[str, None] = {}
    for number, run_id in enumerate(run_ids):
        exchanges = recordings.of_run(database, run_id)
        if not exchanges:
            others[run_id] = None
        found += exchanges
        if progress is not None:
            progress(number + 1, len(run_ids))
    unknown = [one for one in found if one.request is None]
    if not named:
        found = [one for one in found if one.request is not None]
    return Collection(found, _notices(found, unknown, named=named), list(others))


def _notices(found: Sequence[Exchange], unknown: Sequence[Exchange], *, named: bool) -> list[str]:
    sentences = []
    if unknown and named:
        sentences.append(
            "The log does not have what was asked, so any request to their endpoint gets the"
            f" answers in their order: {_runs(unknown)}."
        )
    elif unknown:
        sentences.append(
            "Left out, because the log does not have what was asked; name them to serve them:"
            f" {_runs(unknown)}."
        )
    if blocked := [one for one in found if one.blocked]:
        sentences.append(f"Parts were erased, and are served as blocks: {_runs(blocked)}.")
    if cut := [one for one in found if one.cut]:
        sentences.append(f"Recorded without an end, so the connection will break: {_runs(cut)}.")
    return sentences


def _runs(exchanges: Sequence[Exchange]) -> str:
    return names(list(dict.fromkeys(one.run_id for one in exchanges)))


def names(run_ids: Sequence[str]) -> str:
    """Return the first of these ids, and the number of the others."""
    more = f" and {len(run_ids) - _NAMED:,} more" if len(run_ids) > _NAMED else ""
    return ", ".join(run_ids[:_NAMED]) + more
