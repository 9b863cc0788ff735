"""Checks of run ids, and of the reason and actor of a change."""

from __future__ import annotations

from unicodedata import category

from runreel.model.errors import BadInput, RunNotFound, UsageError
from runreel.model.events import MAX_RUN_ID

# The alias of the newest run, accepted in place of a run id.
LATEST = "latest"


def check_run_id(run_id: str) -> None:
    """Check that ``run_id`` is a valid run id.

    Raises:
        BadInput: if it is not.
    """
    if not isinstance(run_id, str) or not 0 < len(run_id) <= MAX_RUN_ID:
        raise BadInput(f"invalid run id: it must have 1 to {MAX_RUN_ID} characters")
    if not _writable(run_id):
        raise BadInput("invalid run id: control characters and lone surrogates are not allowed")


def check_new_id(run_id: str) -> None:
    """Check that a new run can have this id.

    Raises:
        BadInput: if it is not a valid run id, or is the alias of the newest run.
    """
    check_run_id(run_id)
    if run_id == LATEST:
        raise BadInput(f"invalid run id {LATEST!r}: it is the alias of the newest run")


def check_lookup_id(run_id: str) -> None:
    """Check that a run with this id may exist; a database rejects other strings.

    Raises:
        RunNotFound: if it cannot exist.
    """
    if not _writable(run_id):
        raise not_found(run_id)


def not_found(run_id: str) -> RunNotFound:
    """Return the error about a run that is not in the log."""
    return RunNotFound(f"run not found: {run_id!r}")


def check_reason_and_actor(*texts: str | None) -> None:
    """Check a reason and an actor; None is accepted.

    Raises:
        UsageError: if one is empty or has control characters.
    """
    for text in texts:
        if text is not None and not (text.strip() and text.isprintable()):
            raise UsageError("a reason or actor must be non-empty, without control characters")


def _writable(run_id: str) -> bool:
    return run_id.isprintable() or all(category(char) not in ("Cc", "Cs") for char in run_id)
