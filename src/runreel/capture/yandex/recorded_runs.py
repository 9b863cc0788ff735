"""Recorded versions of the SDK's ``Run`` and ``AsyncRun``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from yandex.cloud.ai.assistants.v1.common_pb2 import ToolResultList
from yandex_ai_studio_sdk._runs.result import RunStreamEvent
from yandex_ai_studio_sdk._runs.run import AsyncRun, Run
from yandex_ai_studio_sdk._tools.tool_result import tool_results_to_proto

from runreel.capture import exit_hooks
from runreel.capture.sync_bridge import blocking, completed
from runreel.capture.yandex.listener import Listener
from runreel.capture.yandex.tool_results import ToolResultSubmission

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from runreel.capture.yandex.session import Session
    from runreel.store.database import Database


class RecordedRun(Run):  # type: ignore[misc]  # the SDK has no types for us
    """A ``Run`` whose events are stored before they are yielded."""

    _session: Session
    _submission: ToolResultSubmission
    _listener: Listener

    def listen(
        self, *, events_start_idx: int | None = None, timeout: float = 60
    ) -> Generator[Any, None, None]:
        """Yield events like the SDK; those already stored come from the event log.

        The first call with None resumes after the last stored event, later calls start over.
        """
        events = blocking(self._listener.events(events_start_idx, timeout))
        return exit_hooks.close_at_exit(events)

    __iter__ = listen

    def submit_tool_results(self, tool_results: Any, *, timeout: float = 60) -> None:
        """Submit tool results like the SDK, after storing them.

        Raises:
            SourceError: if the run does not wait for tool results.
        """
        completed(self._submission.submit(_to_proto(tool_results), timeout))

    async def _get_run(self, *, timeout: float = 60) -> Any:  # noqa: ASYNC109 - the SDK's
        run = await super()._get_run(timeout=timeout)
        # This is the SDK's event loop, shared by all threads: database calls must not block it.
        await asyncio.to_thread(lambda: completed(self._session.store_run(run)))
        return run


class RecordedAsyncRun(AsyncRun):  # type: ignore[misc]  # as above
    """An ``AsyncRun`` whose events are stored before they are yielded."""

    _session: Session
    _submission: ToolResultSubmission
    _listener: Listener

    def listen(
        self, *, events_start_idx: int | None = None, timeout: float = 60
    ) -> AsyncGenerator[Any, None]:
        """Yield events like the SDK; those already stored come from the event log.

        The first call with None resumes after the last stored event, later calls start over.
        """
        return self._listener.events(events_start_idx, timeout)

    __aiter__ = listen

    async def submit_tool_results(
        self,
        tool_results: Any,
        *,
        timeout: float = 60,  # noqa: ASYNC109 - the SDK's
    ) -> None:
        """Submit tool results like the SDK, after storing them.

        Raises:
            SourceError: if the run does not wait for tool results.
        """
        await self._submission.submit(_to_proto(tool_results), timeout)

    async def _get_run(self, *, timeout: float = 60) -> Any:  # noqa: ASYNC109 - the SDK's
        run = await super()._get_run(timeout=timeout)
        await self._session.store_run(run)
        return run


def record_run(run: Any, database: Database, session: Session, client: Any) -> Any:
    """A clone of ``run`` that is recorded by ``session``; ``client`` calls its service."""
    clone: Any = object.__new__(RecordedAsyncRun if isinstance(run, AsyncRun) else RecordedRun)
    vars(clone).update(vars(run))
    sdk = run._sdk  # noqa: SLF001 - needed to create the SDK's events
    clone._session, clone._submission = session, ToolResultSubmission(session, client)  # noqa: SLF001
    clone._listener = Listener(  # noqa: SLF001
        database,
        session,
        client,
        lambda event: RunStreamEvent._from_proto(proto=event, sdk=sdk),  # noqa: SLF001
    )
    exit_hooks.register(session)
    return clone


def _to_proto(results: Any) -> Any:
    return tool_results_to_proto(results, proto_type=ToolResultList)
