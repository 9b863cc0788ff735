"""Selects the recording of a stream by the package of its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runreel.capture.marks import log_name
from runreel.capture.scope import Scope, current
from runreel.capture.streams.recorded import BaseRecordedStream
from runreel.capture.streams.vendor import Recordings, recorded_again, recorded_by
from runreel.capture.vendors import vendor_of
from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from runreel.store.database import Database

_YANDEX = ("yandex_ai_studio_sdk", "yandex_cloud_ml_sdk")


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
    if not packages.isdisjoint(_YANDEX) or _is_made_by_yandex(stream):
        from runreel.capture.yandex import record as yandex

        return yandex.recorded(
            stream, database, assistant=assistant, labels=scope.labels, on_error=on_error
        )
    recordings = Recordings(database, request, on_error, scope)
    if isinstance(stream, BaseRecordedStream):
        return recorded_again(recordings, stream)
    vendor = vendor_of(stream)
    if vendor is not None:
        return recorded_by(vendor, recordings, stream)
    if callable(stream):
        from runreel.capture.calls import record_call as calls

        return calls.recorded_call(
            stream, database, request=request, scope=scope, on_error=on_error
        )
    raise UsageError(
        f"cannot record a {type(stream).__name__}",
        hint="Pass a run of the Yandex SDK, a stream of openai or anthropic, or a function that"
        " calls one of them; or use reel.recording(...).",
    )


def _is_made_by_yandex(stream: object) -> bool:
    """Whether a generator or a coroutine runs code of the Yandex SDK."""
    codes = (getattr(stream, name, None) for name in ("gi_code", "ag_code", "cr_code"))
    files = [code.co_filename for code in codes if code is not None]
    return any(package in file for file in files for package in _YANDEX)
