"""The files of an archive in a folder."""

from __future__ import annotations

from pathlib import Path

# Where programs keep their sessions, in the folder that they own.
_PLACES = ("projects", "sessions", "archived_sessions")
_ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst", "logs.db", ".otlp.json")


def files_in(folder: str) -> list[str]:
    """Return the paths of the files in a folder, and in its folders, that may hold sessions.

    Of a folder that a program owns, only the places where it keeps sessions are looked at.
    """
    root = Path(folder)
    places = [root / name for name in _PLACES if (root / name).is_dir()] or [root]
    found = [
        path
        for place in places
        for path in place.rglob("*")
        if path.name.lower().endswith(_ENDINGS) and path.is_file()
    ]
    return [str(path) for path in sorted(found)]
