"""Selects the recording of a stream by the package of its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.capture.marks import log_name
from runreel.capture.scope import Scope, current
from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from runreel.store.database import Database

_YANDEX = ("yandex_ai_studio_sdk", "yandex_cloud_ml_sdk")
_OPENAI = ("openai",)
# The package of streams that are recorded already.
_RECORDED = "runreel.capture.openai"


def recorded(  # noqa: PLR0913 - options of a recording
    stream: object,
    database: Database,
    *,
    request: dict[str, object] | None = None,
    assistant: Any = None,
    labels: dict[str, str] | None = None,
    on_error: str = "raise",
) -> object:
    """Return a recorded equivalent of ``stream``, an object of a supported vendor package.

    Raises:
        UsageError: if its package is not supported.
    """
    scope = Scope(labels=labels).within(current(log_name(database)))
    modules = {kind.__module__ for kind in type(stream).__mro__}
    packages = {module.partition(".")[0] for module in modules}
    if not packages.isdisjoint(_YANDEX):
        from runreel.capture.yandex import record as yandex

        return yandex.recorded(
            stream, database, assistant=assistant, labels=scope.labels, on_error=on_error
        )
    again = any(module.startswith(_RECORDED) for module in modules)
    if again or not packages.isdisjoint(_OPENAI) or _awaits_openai(stream):
        from runreel.capture.openai import record as openai

        return openai.recorded(stream, database, request=request, scope=scope, on_error=on_error)
    if callable(stream):
        from runreel.capture.calls import record_call as calls

        return calls.recorded_call(
            stream, database, request=request, scope=scope, on_error=on_error
        )
    raise UsageError(
        f"cannot record a {type(stream).__name__}",
        hint="Pass a run of the Yandex SDK, a stream of openai, or a function that calls openai;"
        " or use reel.recording(...).",
    )


def _awaits_openai(stream: object) -> bool:
    """Whether it is a call of the asynchronous client that was not awaited yet."""
    code = getattr(stream, "cr_code", None)
    return code is not None and "openai" in code.co_filename
