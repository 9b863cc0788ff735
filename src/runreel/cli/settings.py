"""Which database: what the command line, the environment and the configuration say of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from runreel.store.location import ENVIRONMENT
from runreel.words.errors import UsageError

MASK = "RUNREEL_MASK"


def database(flag: str | None) -> str | None:
    """The URL or path in force: ``--db``, RUNREEL_DB, configuration; None for the default file.

    The configuration is ``db`` in ``[tool.runreel]`` of the nearest pyproject.toml that has it,
    else in runreel.toml in the user's configuration directory. A path in it is relative to it.

    Raises:
        UsageError: if a configuration file cannot be understood.
    """
    given = flag or os.environ.get(ENVIRONMENT)
    if given:
        return given
    found = _configured("db")
    return None if found is None else _located(*found)


def mask() -> list[str]:
    """What no event may bring into the log: RUNREEL_MASK, a rule a line, or the configuration.

    The configuration is ``mask``, a list of rules, where ``db`` may stand. A rule is ``secrets``
    or a pattern.

    Raises:
        UsageError: if a configuration file cannot be understood.
    """
    given = os.environ.get(MASK)
    if given is not None:
        return given.split("\n") if given else []
    found = _configured("mask")
    if found is None:
        return []
    rules, file = found
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        raise UsageError(f"{file}: `mask` has to be a list of patterns")
    return rules


def _configured(key: str) -> tuple[Any, Path] | None:
    """What the nearest configuration that has it says, and which file that is."""
    folder = Path.cwd()
    for place in (folder, *folder.parents):
        file = place / "pyproject.toml"
        table = _read(file).get("tool")
        table = table.get("runreel") if isinstance(table, dict) else None
        if isinstance(table, dict) and key in table:
            return table[key], file
    from platformdirs import user_config_path

    file = user_config_path("runreel", appauthor=False) / "runreel.toml"
    table = _read(file)
    return (table[key], file) if key in table else None


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
