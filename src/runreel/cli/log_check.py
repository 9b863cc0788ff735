"""Checks a log before a program is recorded in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.cli.render import terminal
from runreel.model.errors import LogError

if TYPE_CHECKING:
    from runreel.api.reel import Reel


def check(reel: Reel, *, warn_only: bool) -> None:
    """Check that the log can be written.

    Raises:
        LogError: if it cannot, unless ``warn_only``.
    """
    from runreel.store.write_check import check_writable

    try:
        check_writable(reel.db)
    except LogError as error:
        if not warn_only:
            raise
        terminal.write_notice(("Warning: ", "yellow"), f"nothing will be recorded: {error}")
