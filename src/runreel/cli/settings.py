"""Which database: what the command line, the environment and the configuration say of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from runreel.store.location import ENVIRONMENT
from runreel.words.errors import UsageError


def database(flag: str | None) -> str | None:
    """The URL or path in force: ``--db``, RUNREEL_DB, configuration; None for the default file.

    The configuration is ``db`` in ``[tool.runreel]`` of the nearest pyproject.toml that has it,
    else in runreel.toml in the user's configuration directory. A path in it is relative to it.

    Raises:
        UsageError: if a configuration file cannot be understood.
    """
    return flag or os.environ.get(ENVIRONMENT) or _project(Path.cwd()) or _user()


def _project(folder: Path) -> str | None:
    for place in (folder, *folder.parents):
        file = place / "pyproject.toml"
        table = _read(file).get("tool")
        table = table.get("runreel") if isinstance(table, dict) else None
        if isinstance(table, dict) and "db" in table:
            return _located(table["db"], file)
    return None


def _user() -> str | None:
    from platformdirs import user_config_path

    file = user_config_path("runreel", appauthor=False) / "runreel.toml"
    table = _read(file)
    return _located(table["db"], file) if "db" in table else None


def _read(file: Path) -> dict[str, Any]:
    import tomllib

    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {file}: {error}") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not TOML: {error}") from error


def _located(value: Any, file: Path) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{file}: `db` has to be a URL or a path")
    if "://" in value:
        return value
    return str(file.parent / Path(value).expanduser())
