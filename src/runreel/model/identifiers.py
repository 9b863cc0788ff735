"""What a run can be called, and what can be said of why one was changed."""

from __future__ import annotations

from unicodedata import category

from runreel.model.errors import BadInput, RunNotFound, UsageError
from runreel.model.events import MAX_RUN_ID

# The word that stands for the newest run wherever a run is named.
LATEST = "latest"


def check_run_id(run_id: str) -> None:
    """See that a run can be called so.

    Raises:
        BadInput: if it cannot.
    """
    if not isinstance(run_id, str) or not 0 < len(run_id) <= MAX_RUN_ID:
        raise BadInput(f"a run's id has 1 to {MAX_RUN_ID} characters")
    if not _writable(run_id):
        raise BadInput("a run's id has no control characters and no lone surrogates")


def check_new_id(run_id: str) -> None:
    """See that a run that the log does not have yet can get this id.

    Raises:
        BadInput: if it cannot, also where the id is the word for the newest run.
    """
    check_run_id(run_id)
    if run_id == LATEST:
        raise BadInput(f"a run cannot have the id {LATEST!r}: it means the newest run")


def check_lookup_id(run_id: str) -> None:
    """See that there may be a run of this id: no database could be asked for others.

    Raises:
        RunNotFound: if there cannot.
    """
    if not _writable(run_id):
        raise RunNotFound(f"no run is called {run_id!r}")


def check_reason_and_actor(*texts: str | None) -> None:
    """See that a reason and an actor, where they are given, are fit to be kept.

    Raises:
        UsageError: if one is empty or has control characters.
    """
    for text in texts:
        if text is not None and not (text.strip() and text.isprintable()):
            raise UsageError("a reason and an actor are words without control characters")


def _writable(run_id: str) -> bool:
    return run_id.isprintable() or all(category(char) not in ("Cc", "Cs") for char in run_id)
