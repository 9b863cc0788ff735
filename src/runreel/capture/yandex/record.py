"""Records runs and completions of the Yandex SDK, which it loads only when it is needed."""

from __future__ import annotations

import os
from importlib import import_module, metadata
from typing import TYPE_CHECKING

from runreel.model.errors import MissingExtra, UsageError
from runreel.model.import_report import Report
from runreel.sources.yandex.reader import reader
from runreel.system import loops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from yandex_ai_studio_sdk._assistants.assistant import BaseAssistant
    from yandex_ai_studio_sdk._runs.run import BaseRun

    from runreel.capture.yandex.interceptors import Interceptor
    from runreel.capture.yandex.retry import RetryPolicy
    from runreel.recording.deduplication import AppendOutcome
    from runreel.store.database import Database

SOURCE = reader.name
# Modules that recording by id needs, and those that recording SDK objects needs.
PROTO_MODULES = ("grpc", "yandex.cloud.ai.assistants.v1.runs.run_service_pb2_grpc")
_SDK_MODULES = ("yandex_ai_studio_sdk._runs.run",)
# Modules that recording completions needs; unlike assistants, newer versions have them.
_COMPLETIONS = (
    "yandex_ai_studio_sdk._models.completions",
    "yandex.cloud.ai.foundation_models.v1.text_generation.text_generation_service_pb2",
)
_HINT = (
    "Calls of sdk.models.completions are recorded by AIStudio(interceptors=reel.interceptors()),"
    " those of sdk.chat.completions by runreel.watch(...)."
)
_PACKAGE = "yandex-ai-studio-sdk"
_VERSIONS = "0.19.0 to 0.22.0"
_INSTALL = "pip install 'runreel[yandex]' installs a version that has all of them."


def interceptors(
    database: Database, on_error: str = "raise", patience: RetryPolicy | None = None
) -> list[Interceptor]:
    """Interceptors for ``AIStudio(interceptors=…)`` or ``AsyncAIStudio``: one list per object.

    They record completions and, in versions that have them, assistants.

    Raises:
        MissingExtra: if the SDK is not installed, or its version has neither.
    """
    found: list[Interceptor] = []
    if _missing(_SDK_MODULES) is None:
        from runreel.capture.yandex.interceptors import create

        found += create(database, on_error, patience)
    if _missing(_COMPLETIONS) is None:
        from runreel.capture.yandex.completions import Completions

        found.append(Completions(database, on_error))
    if not found:
        raise MissingExtra(
            f"{_installed('neither assistants nor completions')}; versions 0.19.0 and later have"
            f" completions, {_VERSIONS} have assistants too",
            hint=_INSTALL,
        )
    return found


def recorded(  # noqa: PLR0913 - options of a recording
    run: object,
    database: Database,
    *,
    on_error: str = "raise",
    labels: dict[str, str] | None = None,
    assistant: BaseAssistant | None = None,
    patience: RetryPolicy | None = None,
) -> BaseRun:
    """Return a ``Run`` or ``AsyncRun`` whose events are stored before they are yielded.

    ``assistant`` is the SDK's object. Without it the service is called once, for the model.

    Raises:
        MissingExtra: if the SDK is not installed, or its version has no assistants.
        UsageError: if ``run`` is not a run of the SDK.
        SourceMismatch: if the log has the run from another source; for an ``AsyncRun``, the first
            awaited call raises it.
    """
    if _missing(_SDK_MODULES) is not None and _missing(_COMPLETIONS) is None:
        # No object of this version is a run.
        raise _not_a_run(run)
    require()
    from yandex_ai_studio_sdk._runs.run import AsyncRun, Run

    from runreel.capture.yandex import recorded_runs

    if not isinstance(run, AsyncRun | Run):
        raise _not_a_run(run)
    if isinstance(run, AsyncRun):
        loops.require_asyncio()
    context = None if assistant is None else _context(assistant)
    return recorded_runs.record_run(
        run, database, on_error=on_error, labels=labels, context=context, patience=patience
    )


def listen_by_id(
    database: Database,
    run_id: str,
    *,
    identity: dict[str, object] | None = None,
    on_event: Callable[[Report], None] | None = None,
    patience: RetryPolicy | None = None,
) -> Report:
    """Record a run until it ends, starting after the last event in the log.

    Key and endpoint come from the SDK's environment variables: YC_API_KEY, YC_IAM_TOKEN or
    YC_TOKEN, YC_API_ENDPOINT, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH.

    Raises:
        MissingExtra: if the required packages are not installed.
        SourceError: if the service refuses, or sends no event for too long; events received until
            then are stored.
    """
    require(*PROTO_MODULES)
    from runreel.capture.yandex.grpc_client import listen
    from runreel.capture.yandex.recording_adapter import RecordingAdapter

    report = Report(source=SOURCE)

    def count(outcome: AppendOutcome | None) -> None:
        report.lines += 1
        if outcome is not None:
            report.count(new=outcome.new, conflict=outcome.conflict)
            report.runs_touched = int(report.events_new > 0)
            report.runs_new = int(new and report.events_new > 0)
        if on_event is not None:
            on_event(report)

    store = RecordingAdapter(database, run_id, blocking=True, identity=identity, on_outcome=count)
    new = store.state.last_seq < 0
    listen(store, run_id, os.environ, patience)
    return report


def require(*modules: str) -> None:
    """Check that the SDK, or ``modules`` of its packages, can be imported and has assistants.

    Raises:
        MissingExtra: if it is missing or of an unsupported version.
    """
    error = _missing(modules or _SDK_MODULES)
    if error is not None:
        raise MissingExtra(
            f"{_installed('no assistants')}; versions {_VERSIONS} have them", hint=_INSTALL
        )


def _missing(modules: Sequence[str]) -> ImportError | None:
    """Why these modules cannot be imported, None if they can."""
    try:
        for module in modules:
            import_module(module)
    except ImportError as error:
        return error
    return None


def _installed(lack: str) -> str:
    """Which version is installed, and what it lacks."""
    try:
        return f"{_PACKAGE} {metadata.version(_PACKAGE)} has {lack}"
    except metadata.PackageNotFoundError:
        return f"{_PACKAGE} is not installed"


def _not_a_run(value: object) -> UsageError:
    return UsageError(f"not a run of the Yandex SDK: {type(value).__name__}", hint=_HINT)


def _context(assistant: BaseAssistant) -> dict[str, object]:
    """The fields of an assistant, named as in its proto."""
    fields = {
        "id": assistant.id,
        "name": assistant.name,
        "modelUri": assistant.model.uri,
        "instruction": assistant.instruction,
    }
    return {key: value for key, value in fields.items() if value}
