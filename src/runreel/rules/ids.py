"""What a run can be called."""

from __future__ import annotations

from unicodedata import category

from runreel.words.errors import BadInput
from runreel.words.log import MAX_RUN_ID


def check_run_id(run_id: str) -> None:
    """See that a run can be called so.

    Raises:
        BadInput: if it cannot.
    """
    if not isinstance(run_id, str) or not 0 < len(run_id) <= MAX_RUN_ID:
        raise BadInput(f"a run's id has 1 to {MAX_RUN_ID} characters")
    if not run_id.isprintable() and any(category(char) in ("Cc", "Cs") for char in run_id):
        raise BadInput("a run's id has no control characters and no lone surrogates")
