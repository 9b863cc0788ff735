"""The main class of the Python API, ``Reel``, and ``open``, which creates one.

Methods import the packages that they need when they are called, so that short commands start fast.
"""

from __future__ import annotations

# Types of signatures are imported at run time because `checked` resolves them.
# ruff: noqa: TC003
import os
import re
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from runreel.api.budgeting import BudgetMixin
from runreel.api.files import FilesMixin
from runreel.api.following import FollowMixin
from runreel.api.looking import LookMixin
from runreel.api.maintenance import MaintenanceMixin
from runreel.api.queries import QueryMixin
from runreel.api.recording import RecordingMixin
from runreel.api.searching import SearchMixin
from runreel.api.watching import Watch, WatchMixin
from runreel.model.arguments import checked
from runreel.model.errors import UsageError
from runreel.store.database import Database
from runreel.system.default_location import default_url

if TYPE_CHECKING:
    from runreel.codec.secret_masking import SecretFilter, SecretPattern


@checked
def open(  # noqa: A001, PLR0913 - runreel.open reads as it should
    url: str | os.PathLike[str] | None = None,
    *,
    durability: str = "full",
    on_error: str = "raise",
    create: bool = True,
    patience: float = 0.0,
    mask: Sequence[str | re.Pattern[str] | Callable[[str], str]] = (),
) -> Reel:
    """Open the log at ``url``; None means RUNREEL_DB or the default location.

    ``url`` is a path (SQLite) or a Postgres URL. The database is opened at its first use.

    ``durability``: with ``"full"``, events that your code has received survive a power loss;
    ``"normal"`` is faster, and a power loss may lose the newest events.
    ``on_error``: with ``"warn"``, your stream continues if recording fails.
    ``patience``: for how many seconds opening a recording, and each append, retries to reach the
    database.
    ``mask``: text to mask in all events before they are stored: ``"secrets"`` (keys and tokens of
    well-known services), patterns, or functions that receive a string and return its replacement.
    The note that ends a recording has the number of masked values.

    Raises:
        BadDatabaseUrl: if the URL is invalid.
        UsageError: if another argument is invalid.
    """
    if durability not in ("full", "normal"):
        raise UsageError(f"invalid durability {durability!r}: use 'full' or 'normal'")
    if on_error not in ("raise", "warn"):
        raise UsageError(f"invalid on_error {on_error!r}: use 'raise' or 'warn'")
    if patience < 0:
        raise UsageError(f"invalid patience {patience!r}: use a number of seconds from 0")
    database = Database(
        default_url(url),
        durability=durability,
        create=create,
        patience=patience,
        masking=_masking(mask) if mask else None,
    )
    return Reel(database, on_error=on_error)


@checked
def watch(
    url: str | os.PathLike[str] | None = None,
    *,
    labels: dict[Any, Any] | None = None,
    requests: bool = True,
    on_error: str = "raise",
) -> Watch:
    """Record every model call of this process in the log at ``url``: see ``Reel.watch``.

    ``url`` and ``on_error`` are those of ``open``.
    """
    return open(url, on_error=on_error).watch(labels=labels, requests=requests)


@checked
def read(
    path: str | os.PathLike[str], *, progress: Callable[[int, int], None] | None = None
) -> Reel:
    """Open a recording file as a log that can only be read.

    The file is verified first. Its rows are then in a temporary file on disk, which is removed when
    the reel is closed. ``progress`` receives the bytes read and the total.

    Raises:
        BadRecording: if the file is no recording, or was changed or cut off.
        UsageError: if the file cannot be read; and from each call that would write.
    """
    from runreel.importing.recording_log import RecordingLog

    return Reel(RecordingLog([path], progress=progress))


def _masking(rules: Sequence[SecretPattern]) -> SecretFilter:
    from runreel.codec.secret_masking import SecretFilter

    return SecretFilter(rules)


class Reel(
    RecordingMixin,
    WatchMixin,
    QueryMixin,
    FollowMixin,
    SearchMixin,
    BudgetMixin,
    LookMixin,
    FilesMixin,
    MaintenanceMixin,
):
    """A log of runs; use it as a context manager.

    It may be shared between threads and used in forked child processes.
    """

    def __init__(self, database: Database, *, on_error: str = "raise") -> None:
        self.db = database
        self._on_error = on_error

    @property
    def url_shown(self) -> str:
        """The URL of the database without passwords, safe to print."""
        return self.db.shown

    def close(self) -> None:
        """Close all connections; a later call opens new ones."""
        self.db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
