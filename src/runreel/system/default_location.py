"""The default database: RUNREEL_DB, else a file in the user's data directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = "RUNREEL_DB"


def default_url(url: str | os.PathLike[str] | None) -> str:
    """Return ``url``, else the value of RUNREEL_DB, else a file in the user's data directory.

    Raises:
        UsageError: if RUNREEL_DB is used and empty.
    """
    if url is not None:
        return os.fspath(url)
    given = from_environment()
    return str(data_directory() / "runreel.db") if given is None else given


def from_environment() -> str | None:
    """Return the value of RUNREEL_DB, or None if it is not set.

    Raises:
        UsageError: if it is empty, for example because it was set from an unset variable.
    """
    given = os.environ.get(ENVIRONMENT)
    return None if given is None else not_empty(given, ENVIRONMENT)


def not_empty(given: str, name: str) -> str:
    """Return ``given``, the value of ``name`` (an option or an environment variable).

    Raises:
        UsageError: if it is empty.
    """
    if not given.strip():
        raise UsageError(
            f"{name} is empty",
            hint=f"Give a file or a database URL, or leave {name} out to use the default database.",
        )
    return given


def demo_file() -> Path:
    """Return the SQLite file of ``runreel demo``; it may not exist."""
    return data_directory() / "demo.db"


def data_directory() -> Path:
    """Return the directory for this user's runreel data; it may not exist."""
    from platformdirs import user_data_path

    return user_data_path("runreel", appauthor=False)
