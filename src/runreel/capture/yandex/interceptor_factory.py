"""Recording whole programs: what the SDK's object is to be made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.capture.yandex import record

if TYPE_CHECKING:
    from runreel.capture.yandex.session import RetryPolicy
    from runreel.store.database import Database


def interceptors(
    database: Database, on_error: str = "raise", patience: RetryPolicy | None = None
) -> list[Any]:
    """For ``AIStudio(interceptors=…)`` or ``AsyncAIStudio``: each object gets a list of its own.

    Raises:
        MissingExtra: if the SDK is not installed, or is one without assistants.
    """
    record.require()
    from runreel.capture.yandex.interceptors import create

    return create(database, on_error, patience)
