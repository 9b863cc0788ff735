"""Which database is used by default: RUNREEL_DB, else a file in the user's data directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = "RUNREEL_DB"


def default_url(url: str | os.PathLike[str] | None) -> str:
    """``url``, else the value of RUNREEL_DB, else a file in the user's data directory.

    Raises:
        UsageError: if RUNREEL_DB is used and empty.
    """
    if url is not None:
        return os.fspath(url)
    given = from_environment()
    return str(data_directory() / "runreel.db") if given is None else given


def from_environment() -> str | None:
    """The value of RUNREEL_DB, None where it is not set.

    Raises:
        UsageError: if it is empty, as where it was made of another variable that is not set.
    """
    given = os.environ.get(ENVIRONMENT)
    return None if given is None else not_empty(given, ENVIRONMENT)


def not_empty(given: str, name: str) -> str:
    """``given``, which ``name`` (an option or a variable) says.

    Raises:
        UsageError: if it is empty.
    """
    if not given.strip():
        raise UsageError(
            f"{name} is empty",
            hint=f"Give it a file or a database URL; the default log needs no {name} at all.",
        )
    return given


def data_directory() -> Path:
    """The folder of the user's data that is ours; it may not exist."""
    from platformdirs import user_data_path

    return user_data_path("runreel", appauthor=False)
