"""Submission of tool results: stored before they are sent, marked once they have arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import AttachRunRequest

from runreel.capture.yandex import proto_json as protos
from runreel.model.errors import SourceError

if TYPE_CHECKING:
    from yandex.cloud.ai.assistants.v1.common_pb2 import ToolResultList
    from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run

    from runreel.capture.yandex.sdk_client import AsyncSdkClient
    from runreel.capture.yandex.session import Session


class ToolResultSubmission:
    """Submits the results of this program for the tool calls of one run."""

    def __init__(self, session: Session, sender: AsyncSdkClient) -> None:
        self._session = session
        self._sender = sender

    async def submit(self, results: ToolResultList, seconds: float) -> None:
        """Store tool results, send them, and mark them as sent once they have arrived.

        Raises:
            SourceError: if the run does not wait for tool results.
            grpc.RpcError: if the call failed and the results may not have arrived.
        """
        session = self._session
        before = await self._waiting_run()
        request = AttachRunRequest(run_id=before.id, tool_result_list=results)
        seq = await session.store_tool_results(request)
        try:
            await self._sender.submit(request, seconds)
        except grpc.RpcError:
            # The results may have arrived although the call failed or timed out.
            if not await session.has_changed(before):
                raise
            await session.mark_sent(seq)
        else:
            await session.mark_sent(seq)
            # The next reader of the run must not see the tool calls that were just answered.
            await session.has_changed(before)

    async def _waiting_run(self) -> Run:
        """Return the run once it waits for tool results."""
        session, run = self._session, self._session.run
        if run is None or session.results_sent or not protos.needs_tool_results(run):
            run = await session.poll_until(lambda run: not protos.is_running(run))
        if run is None:
            run = await session.fetch_run()
        if not protos.needs_tool_results(run):
            raise SourceError(
                f"run {session.client.run_id} does not wait for tool results: its status is"
                f" {protos.status_name(run)}",
                hint="Nothing was sent.",
            )
        return run
