"""Creates the interceptors that record every run of an SDK object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.capture.yandex import record

if TYPE_CHECKING:
    from runreel.capture.yandex.session import RetryPolicy
    from runreel.store.database import Database


def interceptors(
    database: Database, on_error: str = "raise", patience: RetryPolicy | None = None
) -> list[Any]:
    """Interceptors for ``AIStudio(interceptors=…)`` or ``AsyncAIStudio``: one list per object.

    Raises:
        MissingExtra: if the SDK is not installed, or its version has no assistants.
    """
    record.require()
    from runreel.capture.yandex.interceptors import create

    return create(database, on_error, patience)
