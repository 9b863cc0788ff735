"""Records runs of the Yandex Assistants service through the SDK's own objects."""

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
# Modules that recording by id needs, and those that recording SDK objects needs.
PROTO_MODULES = ("grpc", "yandex.cloud.ai.assistants.v1.runs.run_service_pb2_grpc")
_SDK_MODULES = ("yandex_ai_studio_sdk._runs.run",)
_PACKAGE = "yandex-ai-studio-sdk"
_VERSIONS = "0.19.0 to 0.22.0"


def recorded(  # noqa: PLR0913 - options of a recording
    run: Any,
    database: Database,
    *,
    on_error: str = "raise",
    labels: dict[str, str] | None = None,
    assistant: Any = None,
    patience: RetryPolicy | None = None,
) -> Any:
    """Return a ``Run`` or ``AsyncRun`` whose events are stored before they are yielded.

    ``assistant`` is the SDK's object. Without it the service is called once, for the model.

    Raises:
        MissingExtra: if the SDK is not installed, or its version has no assistants.
        UsageError: if ``run`` is not a run of the SDK.
        SourceMismatch: if the log has the run from another source; for an ``AsyncRun``, the first
            awaited call raises it.
    """
    require()
    from yandex_ai_studio_sdk._runs.run import AsyncRun, Run

    from runreel.capture.yandex import recorded_runs
    from runreel.capture.yandex.recording_adapter import AsyncRecordingAdapter, RecordingAdapter
    from runreel.capture.yandex.sdk_client import AsyncSdkClient, BlockingSdkClient
    from runreel.capture.yandex.session import RetryPolicy, Session

    if not isinstance(run, AsyncRun | Run):
        raise UsageError(f"not a run of the Yandex SDK: {type(run).__name__}")
    known = {"assistant_id": run.assistant_id, "thread_id": run.thread_id, "labels": labels}
    identity = {key: value for key, value in known.items() if value}
    make_recorder = partial(
        Recorder, database, run.id, source=SOURCE, via="live", identity=identity
    )
    recorder = GuardedRecorder(make_recorder, on_error, database.patience)
    sdk = run._sdk  # noqa: SLF001 - a run has no public access to its SDK
    if asynchronous := isinstance(run, AsyncRun):
        loops.require_asyncio()
    store = AsyncRecordingAdapter(recorder) if asynchronous else RecordingAdapter(recorder)
    # Read now, so that a run that cannot be recorded is refused at once; an event loop reads it
    # later, in a thread.
    interrupted_before = None if asynchronous else store.state.recording == INTERRUPTED
    client: AsyncSdkClient | BlockingSdkClient
    client = AsyncSdkClient(sdk, run.id) if asynchronous else BlockingSdkClient(sdk, run.id)
    session = Session(
        client,
        store,
        assistant_id=run.assistant_id,
        context=None if assistant is None else _context(assistant),
        interrupted_before=interrupted_before,
        patience=patience or RetryPolicy(),
    )
    return recorded_runs.record_run(run, database, session, client)


def require(*modules: str) -> None:
    """Check that the SDK, or ``modules`` of its packages, can be imported and has assistants.

    Raises:
        MissingExtra: if it is missing or of an unsupported version.
    """
    try:
        for module in modules or _SDK_MODULES:
            import_module(module)
    except ImportError:
        try:
            found = f"{_PACKAGE} {metadata.version(_PACKAGE)} has no assistants"
        except metadata.PackageNotFoundError:
            found = f"{_PACKAGE} is not installed"
        raise MissingExtra(
            f"{found}; versions {_VERSIONS} are supported",
            hint="pip install 'runreel[yandex]' installs a supported version.",
        ) from None


def _context(assistant: Any) -> dict[str, Any]:
    """The fields of an assistant, named as in its proto."""
    fields = {
        "id": assistant.id,
        "name": assistant.name,
        "modelUri": assistant.model.uri,
        "instruction": assistant.instruction,
    }
    return {key: value for key, value in fields.items() if value}
