"""Answers to tool calls: in the log before they are sent, marked when they have arrived."""

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
    """A way for tool results to the service."""

    async def submit(self, request: Any, seconds: float) -> None:
        """Send an ``AttachRunRequest``."""
        ...


class ToolResultSubmission:
    """The answers that this program gives to the tool calls of one run."""

    def __init__(self, session: Session, sender: ToolResultSender) -> None:
        self._session = session
        self._sender = sender

    async def submit(self, results: Any, seconds: float) -> None:
        """Send tool results: stored first, marked when they have arrived.

        Raises:
            SourceError: if the run waits for none.
            grpc.RpcError: if it is not known that they have arrived.
        """
        session = self._session
        before = await self._asking_run()
        request = AttachRunRequest(run_id=before.id, tool_result_list=results)
        seq = await session.store.append(TOOL_RESULTS, protos.to_json(request))
        try:
            await self._sender.submit(request, seconds)
        except grpc.RpcError:
            # They may well have arrived although the call was cut or ran out of time.
            if not await session.has_changed(before):
                raise
            await self._mark_sent(seq)
        else:
            await self._mark_sent(seq)
            # What asks for the run next is not to be told the calls that were just answered.
            await session.has_changed(before)

    async def _asking_run(self) -> Any:
        """The run, which waits for tool results."""
        session = self._session
        known = session.run is not None and protos.waiting(session.run) and not session.answered
        if not known and not await session.poll_until(lambda run: not protos.going_on(run)):
            await session.fetch_run()
        if not protos.waiting(session.run):
            raise SourceError(
                f"run {session.wire.run_id} waits for no tool results: it is"
                f" {protos.status_name(session.run)}",
                hint="Nothing was sent.",
            )
        return session.run

    async def _mark_sent(self, seq: int | None) -> None:
        self._session.answered = True
        if seq is not None:
            await self._session.store.note(SENT, {"seq": seq})
