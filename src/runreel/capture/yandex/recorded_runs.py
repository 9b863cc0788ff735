"""Recorded versions of the SDK's ``Run`` and ``AsyncRun``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from yandex.cloud.ai.assistants.v1.common_pb2 import ToolResultList
from yandex_ai_studio_sdk._runs.result import RunStreamEvent
from yandex_ai_studio_sdk._runs.run import AsyncRun, Run
from yandex_ai_studio_sdk._tools.tool_result import tool_results_to_proto

from runreel.capture import exit_hooks
from runreel.capture.yandex.listener import Listener
from runreel.capture.yandex.recording_adapter import RecordingAdapter
from runreel.capture.yandex.retry import PATIENCE
from runreel.capture.yandex.sdk_client import AsyncSdkClient, BlockingSdkClient
from runreel.capture.yandex.session import Session
from runreel.capture.yandex.tool_results import ToolResultSubmission
from runreel.model.events import INTERRUPTED
from runreel.system import sync_bridge

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run as RunProto
    from yandex_ai_studio_sdk._runs.run import BaseRun
    from yandex_ai_studio_sdk._tools.tool_result import ToolResultInputType

    from runreel.capture.yandex.retry import RetryPolicy
    from runreel.store.database import Database


class RecordedRun(Run):  # type: ignore[misc]  # the SDK has no types for us
    """A ``Run`` whose events are stored before they are yielded."""

    _session: Session
    _submission: ToolResultSubmission
    _listener: Listener[RunStreamEvent]

    def listen(
        self, *, events_start_idx: int | None = None, timeout: float = 60
    ) -> Generator[RunStreamEvent, None, None]:
        """Yield events like the SDK; those already stored come from the event log.

        The first call with None resumes after the last stored event, later calls start over.
        """
        events = sync_bridge.blocking(self._listener.events(events_start_idx, timeout))
        return exit_hooks.close_at_exit(events)

    __iter__ = listen

    def submit_tool_results(
        self, tool_results: ToolResultInputType, *, timeout: float = 60
    ) -> None:
        """Submit tool results like the SDK, after storing them.

        Raises:
            SourceError: if the run does not wait for tool results.
        """
        sync_bridge.completed(self._submission.submit(_to_proto(tool_results), timeout))

    async def _get_run(self, *, timeout: float = 60) -> RunProto:  # noqa: ASYNC109 - the SDK's
        run: RunProto = await super()._get_run(timeout=timeout)
        # This is the SDK's event loop, shared by all threads: database calls must not block it.
        await asyncio.to_thread(lambda: sync_bridge.completed(self._session.store_run(run)))
        return run


class RecordedAsyncRun(AsyncRun):  # type: ignore[misc]  # as above
    """An ``AsyncRun`` whose events are stored before they are yielded."""

    _session: Session
    _submission: ToolResultSubmission
    _listener: Listener[RunStreamEvent]

    def listen(
        self, *, events_start_idx: int | None = None, timeout: float = 60
    ) -> AsyncGenerator[RunStreamEvent, None]:
        """Like ``RecordedRun.listen``."""
        return self._listener.events(events_start_idx, timeout)

    __aiter__ = listen

    async def submit_tool_results(
        self,
        tool_results: ToolResultInputType,
        *,
        timeout: float = 60,  # noqa: ASYNC109 - the SDK's
    ) -> None:
        """Like ``RecordedRun.submit_tool_results``."""
        await self._submission.submit(_to_proto(tool_results), timeout)

    async def _get_run(self, *, timeout: float = 60) -> RunProto:  # noqa: ASYNC109 - the SDK's
        run: RunProto = await super()._get_run(timeout=timeout)
        await self._session.store_run(run)
        return run


def record_run(  # noqa: PLR0913 - options of a recording
    run: BaseRun,
    database: Database,
    *,
    on_error: str,
    labels: dict[str, str] | None,
    context: dict[str, object] | None,
    patience: RetryPolicy | None,
) -> BaseRun:
    """A clone of ``run`` that is recorded; ``context`` is its assistant, if known."""
    known = {"assistant_id": run.assistant_id, "thread_id": run.thread_id, "labels": labels}
    identity = {key: value for key, value in known.items() if value}
    blocking = isinstance(run, Run)
    store = RecordingAdapter(
        database, run.id, blocking=blocking, on_error=on_error, identity=identity
    )
    clone: Any = object.__new__(RecordedRun if blocking else RecordedAsyncRun)
    vars(clone).update(vars(run))
    sdk = run._sdk  # noqa: SLF001 - a run has no public access to its SDK
    client = (BlockingSdkClient if blocking else AsyncSdkClient)(sdk, run.id)
    session = Session(
        client,
        store,
        assistant_id=run.assistant_id,
        context=context,
        # Read now, so that a run that cannot be recorded is refused at once; an event loop reads
        # it later, in a thread.
        interrupted_before=store.state.recording == INTERRUPTED if blocking else None,
        patience=patience or PATIENCE,
    )
    clone._session, clone._submission = session, ToolResultSubmission(session, client)  # noqa: SLF001
    clone._listener = Listener(  # noqa: SLF001
        session,
        client,
        lambda event: RunStreamEvent._from_proto(proto=event, sdk=sdk),  # noqa: SLF001
    )
    exit_hooks.register(session)
    return clone


def _to_proto(results: ToolResultInputType) -> ToolResultList:
    proto: ToolResultList = tool_results_to_proto(results, proto_type=ToolResultList)
    return proto
