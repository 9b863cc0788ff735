"""The recording session of one run: stores its events, its states and its assistant."""

from __future__ import annotations

import contextlib
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import grpc

from runreel.capture.yandex import proto_json as protos
from runreel.capture.yandex.lossless_json import to_json
from runreel.capture.yandex.retry import PATIENCE, Backoff, RetryPolicy
from runreel.capture.yandex.run_service import is_transient
from runreel.model.errors import RunreelError, SourceError
from runreel.model.events import (
    CONTEXT,
    INTERRUPTED,
    OPEN,
    RUN,
    SENT,
    STREAM_EVENT,
    TOOL_RESULTS,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run
    from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import AttachRunRequest, StreamEvent

    from runreel.capture.yandex.recording_adapter import RecordingAdapter
    from runreel.capture.yandex.run_service import RunService

T = TypeVar("T")
MakeEvent: TypeAlias = "Callable[[StreamEvent], T]"

_log = logging.getLogger("runreel")

_STOPPED = "the program stopped listening"
_UNFINISHED_STREAM = "the stream was not read to its end"


class Session:
    """Stores what the service sends about one run, without repetitions.

    ``interrupted_before`` is True if an earlier recording of its stream was interrupted; None
    reads it from the log on first use.
    """

    def __init__(  # noqa: PLR0913 - all that is known of a run beforehand
        self,
        client: RunService,
        store: RecordingAdapter,
        *,
        assistant_id: str | None = None,
        context: dict[str, object] | None = None,
        interrupted_before: bool | None = False,
        patience: RetryPolicy = PATIENCE,
    ) -> None:
        self.client = client
        self.store = store
        self.patience = patience
        self.run: Run | None = None
        self.results_sent = False
        self._assistant_id = assistant_id
        self._context = context
        self._context_stored = False
        self._stored_run: dict[str, object] | None = None
        self._interrupted_before = interrupted_before
        self._listeners = 0

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None, None]:
        """Register a listener; when the last one fails, the recording is interrupted."""
        self._listeners += 1
        try:
            yield
        except BaseException as error:
            self._listeners -= 1
            # The original error matters more than a log that cannot be opened.
            with contextlib.suppress(RunreelError):
                if not self._listeners:
                    await self._interrupt(_reason(error))
            raise
        self._listeners -= 1

    async def on_start(self) -> None:
        """Store the run and its context, unless its final state is in the log already.

        Raises:
            grpc.RpcError: if the service refuses; transient errors are ignored here.
        """
        await self._prepare()
        if self.run is not None or self.store.state.is_final_by_get:
            return
        try:
            await self.fetch_run()
        except grpc.RpcError as error:
            if not is_transient(error):
                raise

    async def fetch_run(self) -> Run:
        """Fetch the run and store it."""
        run = await self.client.get(self.patience.ask)
        await self.store_run(run)
        return run

    async def try_fetch_run(self) -> Run | None:
        """Like ``fetch_run``, but None if the service fails."""
        try:
            return await self.fetch_run()
        except (grpc.RpcError, SourceError):
            return None

    async def poll_until(self, condition: Callable[[Run], bool]) -> Run | None:
        """Fetch the run until ``condition`` holds, for ``patience.lag`` seconds; None if not."""
        lag = self.patience.lag
        backoff = Backoff(RetryPolicy(outage=lag, unreachable=lag, silence=lag, pause=0.05))
        while True:
            try:
                run = await self.fetch_run()
                if condition(run):
                    return run
            except SourceError:
                return None
            except grpc.RpcError as error:
                if not is_transient(error):
                    return None
            if backoff.is_over:
                return None
            await self.store.sleep(backoff.next_pause())

    async def store_run(self, run: Run) -> None:
        """Store a run snapshot, unless it equals the previous one."""
        await self._prepare()
        self.run = run
        value = to_json(run)
        if value != self._stored_run:
            await self.store.offer(RUN, value)
            self._stored_run = value
        await self._store_context(run)
        if protos.is_final(run) and not self._listeners:
            # A known result does not complete a stream that was interrupted.
            await (
                self.store.interrupt(_UNFINISHED_STREAM)
                if self._interrupted_before
                else self.store.close()
            )

    async def store_event(self, event: StreamEvent, make_event: MakeEvent[object]) -> None:
        """Store an event; on failure the error carries what ``make_event`` makes of it."""
        outcome = await self.store.offer(STREAM_EVENT, to_json(event), lambda: make_event(event))
        if outcome is not None and outcome.conflict and outcome.new:
            _log.warning(
                "event %s of run %s arrived again with different content; both are kept",
                protos.index_of(event),
                self.client.run_id,
            )

    async def store_tool_results(self, request: AttachRunRequest) -> int | None:
        """Store tool results before they are sent; returns their position, None if lost."""
        return await self.store.append(TOOL_RESULTS, to_json(request))

    async def mark_sent(self, seq: int | None) -> None:
        """Note that the tool results at a position have arrived."""
        self.results_sent = True
        if seq is not None:
            await self.store.note(SENT, {"seq": seq})

    async def on_tool_calls(self) -> None:
        """After tool calls in the stream, store the run state that belongs to them."""
        self.results_sent = False
        await self.poll_until(lambda run: not protos.is_running(run))

    async def on_end(self) -> None:
        """After the last event, store the final state and close the recording."""
        if not self.store.state.is_final_by_get:
            await self.poll_until(protos.is_final)
        await self.store.close()
        self._interrupted_before = False

    async def on_refused(self) -> None:
        """After refused tool results, close the recording if the run is final."""
        if self.run is not None and protos.is_final(self.run) and not self._listeners:
            await self.store.close()

    async def has_changed(self, before: Run) -> bool:
        """Whether the run differs from ``before`` now; polls for a short time."""
        return await self.poll_until(lambda run: run != before) is not None

    def close_on_exit(self, reason: str) -> None:
        """Mark the recording as interrupted, without a call to the service."""
        self.store.interrupt_now(reason)

    async def _interrupt(self, reason: str) -> None:
        if self._interrupted_before is not None:
            self._interrupted_before = self.store.index >= 0 and self.store.state.recording == OPEN
        await self.store.interrupt(reason)

    async def _prepare(self) -> None:
        """Read the state of the log before this recording writes to it."""
        if self._interrupted_before is None:
            await self.store.ready()
            self._interrupted_before = self.store.state.recording == INTERRUPTED

    async def _store_context(self, run: Run) -> None:
        if self._context_stored:
            return
        self._context_stored = True
        if self._context is None and self.store.state.metadata.model is None:
            assistant_id = self._assistant_id or run.assistant_id
            try:
                assistant = await self.client.assistant(assistant_id, self.patience.ask)
            except (grpc.RpcError, SourceError):
                # The assistant may have been deleted; it is optional.
                return
            self._context = to_json(assistant)
        if self._context is not None:
            await self.store.offer(CONTEXT, self._context)


class EventIntake:
    """The events of one listener: each is stored, and accepted once.

    Events before number ``first`` are only stored. ``next`` is the number after the last one.
    """

    def __init__(self, session: Session, make_event: MakeEvent[object], first: int = 0) -> None:
        self.next = first
        self._session = session
        self._make_event = make_event
        self._first = first
        self._accepted: set[int] = set()

    async def accepts(self, event: StreamEvent) -> bool:
        """Store an event; False if it is not to be passed on.

        The run state that belongs to it is stored too: the program may stop after receiving it.
        """
        session, index = self._session, protos.index_of(event)
        await session.store_event(event, self._make_event)
        if index is not None:
            if index < self._first or index in self._accepted:
                return False
            self._accepted.add(index)
            self.next = max(self.next, index + 1)
        if protos.is_last_event(event):
            await session.on_end()
        elif event.event_type == protos.TOOL_CALLS:
            await session.on_tool_calls()
        return True


def _reason(error: BaseException) -> str:
    """The reason for the ``interrupted`` note of a recording that ended with ``error``."""
    if isinstance(error, GeneratorExit):
        return _STOPPED
    if isinstance(error, grpc.RpcError):
        return f"{error.code().name}: {error.details()}"
    return type(error).__name__
