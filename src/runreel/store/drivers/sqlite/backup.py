"""Copies a SQLite log while others write to it."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runreel.store.drivers.interface import Connection

# Instructions of SQLite's virtual machine between two progress reports.
_STEPS = 100_000


def backup_to(
    connection: Connection, target: Path, *, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write a consistent copy of the log into an empty file, without deleted content.

    Writers are not blocked. ``progress`` is called with the bytes done and the total.
    """
    total = _bytes_of(connection)
    stopped: list[BaseException] = []

    def report_progress() -> int:
        # SQLite swallows exceptions raised here. Without this callback Ctrl-C would not interrupt
        # the copy either.
        try:
            if progress is not None:
                progress(min(target.stat().st_size, total), total)
        except BaseException as error:  # noqa: BLE001 - it is raised below
            stopped.append(error)
        return len(stopped)

    connection.raw.set_progress_handler(report_progress, _STEPS)
    try:
        connection.execute("VACUUM INTO ?", (str(target.absolute()),))
    except sqlite3.OperationalError:
        if stopped:
            raise stopped[0] from None
        raise
    finally:
        connection.raw.set_progress_handler(None, 0)


def _bytes_of(connection: Connection) -> int:
    pages, free, size = (
        int(connection.one(f"PRAGMA {name}")[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size
