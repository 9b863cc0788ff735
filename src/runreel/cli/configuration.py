"""Settings from the command line, the environment and configuration files."""

from __future__ import annotations

import json
import os
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from runreel.model.errors import BadDatabaseUrl, UsageError
from runreel.store import database_url_forms
from runreel.system.default_location import ENVIRONMENT, from_environment, not_empty

MASK = "RUNREEL_MASK"
_PROJECT = "pyproject.toml"
_TRUSTED = "trusted_projects"


class DatabaseChoice(NamedTuple):
    """The database to open: ``name`` is a URL or path, None for the default file.

    ``project`` is the pyproject.toml that chose it, None if the user did.
    """

    name: str | None
    project: Path | None


def database(flag: str | None) -> DatabaseChoice:
    """Find the database: ``--db``, else RUNREEL_DB, else configuration, else the default file.

    The configuration is ``db`` in ``[tool.runreel]`` of the nearest pyproject.toml that has it,
    else in runreel.toml in the user's configuration directory. Paths are relative to that file.

    Raises:
        UsageError: if the option or the variable is empty, a configuration file is not valid, or
            a pyproject.toml names a server and the user's configuration does not trust the project.
    """
    given = from_environment() if flag is None else not_empty(flag, "--db")
    if given is not None:
        return DatabaseChoice(given, None)
    found = _find_setting("db")
    if found is None:
        return DatabaseChoice(None, None)
    value, file = found
    project = file if file.name == _PROJECT else None
    return DatabaseChoice(_resolve_database(value, file, project=project), project)


def mask() -> list[str]:
    """Read the mask rules for recorded events: RUNREEL_MASK, one per line, or the configuration.

    The configuration is ``mask``, a list of rules, in the same files as ``db``: the rules of the
    project and those of the user's file are combined. A rule is ``secrets`` or a pattern.

    Raises:
        UsageError: if a configuration file is not valid.
    """
    variable = os.environ.get(MASK)
    if variable is not None:
        return variable.split("\n") if variable else []
    file, table = _user_settings()
    # A project can add rules but not remove those of the user.
    found = [(table.get("mask", []), file), _find_setting("mask") or ([], file)]
    rules = (_strings(value, source, "mask", "patterns") for value, source in found)
    return list(dict.fromkeys(chain.from_iterable(rules)))


def own_price_book() -> Path:
    """Find your own price book: RUNREEL_PRICES, else ``prices`` in the configuration files.

    A path in a file is relative to it. The default is prices.jsonl next to runreel.toml.

    Raises:
        UsageError: if the variable is empty, a configuration file is not valid, or an untrusted
            project names a file outside of its folder, which an import would write.
    """
    from runreel.query import price_books

    found = None if price_books.ENVIRONMENT in os.environ else _find_setting("prices")
    if found is None:
        return price_books.own_path()
    value, file = found
    if not isinstance(value, str) or not value:
        raise UsageError(f"{file}: `prices` must be a path")
    path = file.parent / Path(value).expanduser()
    if file.name == _PROJECT and not path.resolve().is_relative_to(file.parent.resolve()):
        _require_trusted(file, "a price book elsewhere", price_books.ENVIRONMENT)
    return path


def sections(key: str) -> dict[str, tuple[object, Path]]:
    """Read the sections ``[KEY.NAME]`` by name, each with its file.

    They are those of the user's file and of the nearest pyproject.toml that has any, which win.

    Raises:
        UsageError: if a configuration file is not valid.
    """
    file, table = _user_settings()
    found: dict[str, tuple[object, Path]] = {}
    for value, source in ((table.get(key, {}), file), _find_setting(key) or ({}, file)):
        if not isinstance(value, dict):
            raise UsageError(f"{source}: `{key}` must be a table")
        found |= {name: (section, source) for name, section in value.items()}
    return found


def _strings(value: object, file: Path, key: str, noun: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise UsageError(f"{file}: `{key}` must be a list of {noun}")
    return value


def _find_setting(key: str) -> tuple[object, Path] | None:
    """Find ``key`` in the nearest configuration file; return its value and the file."""
    for folder in _folders():
        file = folder / _PROJECT
        table = _read(file).get("tool")
        table = table.get("runreel") if isinstance(table, dict) else None
        if isinstance(table, dict) and key in table:
            return table[key], file
    file, table = _user_settings()
    return (table[key], file) if key in table else None


def _folders() -> tuple[Path, ...]:
    try:
        folder = Path.cwd()
    except FileNotFoundError:
        # The working directory was deleted.
        return ()
    return (folder, *folder.parents)


def _user_settings() -> tuple[Path, dict[str, object]]:
    from platformdirs import user_config_path

    file = user_config_path("runreel", appauthor=False) / "runreel.toml"
    return file, _read(file)


def _read(file: Path) -> dict[str, object]:
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
        raise UsageError(f"invalid TOML in {file}: {error}") from error


def _resolve_database(value: object, file: Path, *, project: Path | None) -> str:
    if not isinstance(value, str) or not value:
        raise UsageError(f"{file}: `db` must be a URL or a path")
    try:
        text = database_url_forms.cleaned(value)
        path = database_url_forms.as_path(text)
    except BadDatabaseUrl as error:
        raise UsageError(f"{file}: {error}", hint=error.hint) from None
    if path is not None:
        return str(file.parent / path)
    if project is not None and not text.lower().startswith("sqlite"):
        _require_trusted(project, "a database server", f"--db or {ENVIRONMENT}")
    return text


def _require_trusted(project: Path, what: str, instead: str) -> None:
    """Refuse what an untrusted project names: a server would receive the user's events.

    Raises:
        UsageError: if the user's configuration does not trust the project.
    """
    file, table = _user_settings()
    trusted = _strings(table.get(_TRUSTED, []), file, _TRUSTED, "folders")
    folders = (Path(folder).expanduser().resolve() for folder in trusted)
    if not any(project.resolve().is_relative_to(folder) for folder in folders):
        raise UsageError(
            f"{project} names {what}, but the project is not trusted",
            hint=f"Set {instead}, or list the folder in {file}:"
            f" {_TRUSTED} = [{json.dumps(str(project.parent))}]",
        )
