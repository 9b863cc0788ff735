"""The SDK's ``Run`` and ``AsyncRun``, recorded: the same objects, whose events are stored first."""

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
    """A ``Run`` that is recorded."""

    _session: Session
    _answers: ToolResultSubmission
    _listener: Listener

    def listen(
        self, *, events_start_idx: int | None = None, timeout: float = 60
    ) -> Generator[Any, None, None]:
        """Events as the SDK's: those that the log has come from there.

        None begins where the log ends, the next time at the beginning.
        """
        events = blocking(self._listener.events(events_start_idx, timeout))
        return exit_hooks.close_at_exit(events)

    __iter__ = listen

    def submit_tool_results(self, tool_results: Any, *, timeout: float = 60) -> None:
        """Like the SDK's, stored first.

        Raises:
            SourceError: if the run waits for none.
        """
        completed(self._answers.submit(_results(tool_results), timeout))

    async def _get_run(self, *, timeout: float = 60) -> Any:  # noqa: ASYNC109 - the SDK's
        run = await super()._get_run(timeout=timeout)
        # This is the SDK's event loop, which is there for all threads: the log is not its business.
        await asyncio.to_thread(lambda: completed(self._session.store_run(run)))
        return run


class RecordedAsyncRun(AsyncRun):  # type: ignore[misc]  # as above
    """An ``AsyncRun`` that is recorded."""

    _session: Session
    _answers: ToolResultSubmission
    _listener: Listener

    def listen(
        self, *, events_start_idx: int | None = None, timeout: float = 60
    ) -> AsyncGenerator[Any, None]:
        """Events as the SDK's: those that the log has come from there.

        None begins where the log ends, the next time at the beginning.
        """
        return self._listener.events(events_start_idx, timeout)

    __aiter__ = listen

    async def submit_tool_results(
        self,
        tool_results: Any,
        *,
        timeout: float = 60,  # noqa: ASYNC109 - the SDK's
    ) -> None:
        """Like the SDK's, stored first.

        Raises:
            SourceError: if the run waits for none.
        """
        await self._answers.submit(_results(tool_results), timeout)

    async def _get_run(self, *, timeout: float = 60) -> Any:  # noqa: ASYNC109 - the SDK's
        run = await super()._get_run(timeout=timeout)
        await self._session.store_run(run)
        return run


def watched(run: Any, database: Database, session: Session, wire: Any) -> Any:
    """The run, recorded by ``session``; ``wire`` reaches its service."""
    twin: Any = object.__new__(RecordedAsyncRun if isinstance(run, AsyncRun) else RecordedRun)
    vars(twin).update(vars(run))
    sdk = run._sdk  # noqa: SLF001 - what the SDK makes its own events with
    twin._session, twin._answers = session, ToolResultSubmission(session, wire)  # noqa: SLF001
    twin._listener = Listener(  # noqa: SLF001
        database,
        session,
        wire,
        lambda event: RunStreamEvent._from_proto(proto=event, sdk=sdk),  # noqa: SLF001
    )
    exit_hooks.register(session)
    return twin


def _results(results: Any) -> Any:
    return tool_results_to_proto(results, proto_type=ToolResultList)
