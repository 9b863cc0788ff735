"""Submission of tool results: stored before they are sent, marked once they have arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import grpc
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import AttachRunRequest

from runreel.capture.yandex import proto_json as protos
from runreel.model.errors import SourceError
from runreel.model.events import SENT, TOOL_RESULTS

if TYPE_CHECKING:
    from runreel.capture.yandex.session import Session


class ToolResultSender(Protocol):
    """Sends tool results to the service."""

    async def submit(self, request: Any, seconds: float) -> None:
        """Send an ``AttachRunRequest``."""
        ...


class ToolResultSubmission:
    """Submits the results of this program for the tool calls of one run."""

    def __init__(self, session: Session, sender: ToolResultSender) -> None:
        self._session = session
        self._sender = sender

    async def submit(self, results: Any, seconds: float) -> None:
        """Store tool results, send them, and mark them as sent once they have arrived.

        Raises:
            SourceError: if the run does not wait for tool results.
            grpc.RpcError: if the call failed and the results may not have arrived.
        """
        session = self._session
        before = await self._waiting_run()
        request = AttachRunRequest(run_id=before.id, tool_result_list=results)
        seq = await session.store.append(TOOL_RESULTS, protos.to_json(request))
        try:
            await self._sender.submit(request, seconds)
        except grpc.RpcError:
            # The results may have arrived although the call failed or timed out.
            if not await session.has_changed(before):
                raise
            await self._mark_sent(seq)
        else:
            await self._mark_sent(seq)
            # The next reader of the run must not see the tool calls that were just answered.
            await session.has_changed(before)

    async def _waiting_run(self) -> Any:
        """Return the run once it waits for tool results."""
        session = self._session
        known = (
            session.run is not None
            and protos.needs_tool_results(session.run)
            and not session.results_sent
        )
        if not known and not await session.poll_until(lambda run: not protos.is_running(run)):
            await session.fetch_run()
        if not protos.needs_tool_results(session.run):
            raise SourceError(
                f"run {session.client.run_id} does not wait for tool results: its status is"
                f" {protos.status_name(session.run)}",
                hint="Nothing was sent.",
            )
        return session.run

    async def _mark_sent(self, seq: int | None) -> None:
        self._session.results_sent = True
        if seq is not None:
            await self._session.store.note(SENT, {"seq": seq})
