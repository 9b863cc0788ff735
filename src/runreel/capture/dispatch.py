"""Whose stream it is that a user wants recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from runreel.store.database import Database

_YANDEX = ("yandex_ai_studio_sdk", "yandex_cloud_ml_sdk")
_OPENAI = ("openai",)


def recorded(  # noqa: PLR0913 - what can be said of a recording
    stream: Any,
    database: Database,
    *,
    request: dict[str, Any] | None = None,
    assistant: Any = None,
    labels: dict[str, str] | None = None,
    on_error: str = "raise",
) -> Any:
    """The like of ``stream``, of whichever vendor's package it is, recorded.

    Raises:
        UsageError: if it is of none that runreel knows.
    """
    packages = {kind.__module__.partition(".")[0] for kind in type(stream).__mro__}
    if not packages.isdisjoint(_YANDEX):
        from runreel.capture.yandex import record as yandex

        return yandex.recorded(
            stream, database, assistant=assistant, labels=labels, on_error=on_error
        )
    if not packages.isdisjoint(_OPENAI) or _awaits_openai(stream):
        from runreel.capture.openai import record as openai

        return openai.recorded(stream, database, request=request, labels=labels, on_error=on_error)
    raise UsageError(
        f"runreel does not know how to record a {type(stream).__name__}",
        hint="A run of the Yandex SDK or a stream of the openai client; else reel.recording(...).",
    )


def _awaits_openai(stream: Any) -> bool:
    """Whether it is a call of the asynchronous client that nobody has awaited yet."""
    code = getattr(stream, "cr_code", None)
    return code is not None and "openai" in code.co_filename
