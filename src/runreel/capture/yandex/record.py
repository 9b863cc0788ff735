"""Recording runs of the Yandex Assistants service through the SDK's own objects."""

from __future__ import annotations

from functools import partial
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from runreel.model.errors import MissingExtra, UsageError
from runreel.model.events import INTERRUPTED
from runreel.recording.error_policy import GuardedRecorder
from runreel.recording.recorder import Recorder
from runreel.sources.yandex.reader import reader
from runreel.system import loops

if TYPE_CHECKING:
    from runreel.capture.yandex.session import RetryPolicy
    from runreel.store.database import Database

SOURCE = reader.name
# What the command line needs to listen by id, and what the SDK's own objects need.
PROTOS = ("grpc", "yandex.cloud.ai.assistants.v1.runs.run_service_pb2_grpc")
_SDK = ("yandex_ai_studio_sdk._runs.run",)
_PACKAGE = "yandex-ai-studio-sdk"
_VERSIONS = "0.19.0 to 0.22.0"


def recorded(  # noqa: PLR0913 - what can be said of a recording
    run: Any,
    database: Database,
    *,
    on_error: str = "raise",
    labels: dict[str, str] | None = None,
    assistant: Any = None,
    patience: RetryPolicy | None = None,
) -> Any:
    """A ``Run`` or ``AsyncRun`` like ``run``, whose events are stored before they are yielded.

    ``assistant`` is the SDK's object; without it the service is asked once, for the model.

    Raises:
        MissingExtra: if the SDK is not installed, or is one without assistants.
        UsageError: if ``run`` is something else.
        SourceMismatch: if the log has the run from another source; of an ``AsyncRun`` that is
            raised by what is first awaited of it.
    """
    require()
    from yandex_ai_studio_sdk._runs.run import AsyncRun, Run

    from runreel.capture.yandex import recorded_runs
    from runreel.capture.yandex.recording_adapter import AsyncRecordingAdapter, RecordingAdapter
    from runreel.capture.yandex.sdk_client import AsyncSdkClient, BlockingSdkClient
    from runreel.capture.yandex.session import RetryPolicy, Session

    if not isinstance(run, AsyncRun | Run):
        raise UsageError(f"this is no run of the Yandex SDK: {type(run).__name__}")
    told = {"assistant_id": run.assistant_id, "thread_id": run.thread_id, "labels": labels}
    identity = {key: value for key, value in told.items() if value}
    make = partial(Recorder, database, run.id, source=SOURCE, via="live", identity=identity)
    keeper = GuardedRecorder(make, on_error, database.patience)
    sdk = run._sdk  # noqa: SLF001 - a run has no public way to its service
    if asynchronous := isinstance(run, AsyncRun):
        loops.require_asyncio()
    store = AsyncRecordingAdapter(keeper) if asynchronous else RecordingAdapter(keeper)
    # Asked now, so that a run which cannot be recorded is refused at once; an event loop asks
    # later, in a thread.
    halfway = None if asynchronous else store.state.recording == INTERRUPTED
    wire: AsyncSdkClient | BlockingSdkClient
    wire = AsyncSdkClient(sdk, run.id) if asynchronous else BlockingSdkClient(sdk, run.id)
    session = Session(
        wire,
        store,
        assistant_id=run.assistant_id,
        context=None if assistant is None else _context(assistant),
        halfway=halfway,
        patience=patience or RetryPolicy(),
    )
    return recorded_runs.watched(run, database, session, wire)


def require(*modules: str) -> None:
    """See that the SDK, or what of its packages ``modules`` are, is there and has assistants.

    Raises:
        MissingExtra: if not.
    """
    try:
        for module in modules or _SDK:
            import_module(module)
    except ImportError:
        try:
            found = f"{_PACKAGE} {metadata.version(_PACKAGE)} has no assistants"
        except metadata.PackageNotFoundError:
            found = f"{_PACKAGE} is not installed"
        raise MissingExtra(
            f"{found}; versions {_VERSIONS} have what is needed",
            hint="pip install 'runreel[yandex]' installs one of them.",
        ) from None


def _context(assistant: Any) -> dict[str, Any]:
    """What is known of an assistant, named as in its proto."""
    told = {
        "id": assistant.id,
        "name": assistant.name,
        "modelUri": assistant.model.uri,
        "instruction": assistant.instruction,
    }
    return {key: value for key, value in told.items() if value}
