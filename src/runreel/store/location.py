"""Where the log is, if nobody says."""

from __future__ import annotations

import os

ENVIRONMENT = "RUNREEL_DB"


def located(url: str | os.PathLike[str] | None) -> str:
    """``url``, else what RUNREEL_DB says, else a file in the user's data directory."""
    if url is not None:
        return os.fspath(url)
    if told := os.environ.get(ENVIRONMENT):
        return told
    from platformdirs import user_data_path

    return str(user_data_path("runreel", appauthor=False) / "runreel.db")
