"""The recording session of one run: stores its events, its states and its assistant."""

from __future__ import annotations

import contextlib
import logging
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc

from runreel.capture.yandex import proto_json as protos
from runreel.capture.yandex.sdk_client import is_transient
from runreel.model.errors import RunreelError, SourceError
from runreel.model.events import CONTEXT, INTERRUPTED, OPEN, RUN, STREAM_EVENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.capture.yandex.recording_adapter import RecordingAdapter
    from runreel.capture.yandex.sdk_client import RunService

_log = logging.getLogger("runreel")

_UNFINISHED_STREAM = "the stream was not read to its end"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Time limits in seconds, after which errors of the service are raised in the program.

    ``outage``: without any response; ``unreachable``: the same before the first response;
    ``silence``: without an event, although the service responds; ``lag``: until Get reflects the
    events of the stream; ``ask``: for one Get. Pauses between attempts grow from ``pause`` to
    ``longest_pause``.
    """

    outage: float = 90.0
    unreachable: float = 20.0
    silence: float = 300.0
    lag: float = 3.0
    ask: float = 10.0
    pause: float = 0.25
    longest_pause: float = 10.0


class Backoff:
    """The wait for the next event: pauses between attempts, and the time to give up."""

    def __init__(self, patience: RetryPolicy) -> None:
        self._patience = patience
        self.event_received()
        self._had_contact = False

    def event_received(self) -> None:
        """Restart all limits: an event has arrived."""
        self._last_event = self._last_contact = time.monotonic()
        self._pause = self._patience.pause
        self._had_contact = True

    def response_received(self) -> None:
        """Restart the outage limit: the service has responded, without a new event."""
        self._last_contact = time.monotonic()
        self._had_contact = True

    @property
    def is_over(self) -> bool:
        """Whether a limit is exceeded."""
        now, patience = time.monotonic(), self._patience
        outage = patience.outage if self._had_contact else patience.unreachable
        return now - self._last_contact > outage or now - self._last_event > patience.silence

    def next_pause(self) -> float:
        """Seconds to wait before the next attempt."""
        pause, self._pause = self._pause, min(self._pause * 2, self._patience.longest_pause)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads the retries of several clients


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
        context: dict[str, Any] | None = None,
        interrupted_before: bool | None = False,
        patience: RetryPolicy = RetryPolicy(),
    ) -> None:
        self.client = client
        self.store = store
        self.patience = patience
        self.run: Any = None
        self.results_sent = False
        self._assistant_id = assistant_id
        self._context = context
        self._context_stored = False
        self._stored_run: dict[str, Any] | None = None
        self._interrupted_before = interrupted_before
        self._listeners = 0

    async def on_start(self) -> None:
        """Store the run and its context, unless its final state is in the log already.

        Raises:
            grpc.RpcError: if the service refuses; transient errors are ignored here.
        """
        self.listener_started()
        await self._prepare()
        if self.run is not None or self.store.state.is_final_by_get:
            return
        try:
            await self.fetch_run()
        except grpc.RpcError as error:
            if not is_transient(error):
                raise

    def listener_started(self) -> None:
        """Register a listener."""
        self._listeners += 1

    async def fetch_run(self) -> Any:
        """Fetch the run and store it."""
        run = await self.client.get(self.patience.ask)
        await self.store_run(run)
        return run

    async def try_fetch_run(self) -> Any:
        """Like ``fetch_run``, but None if the service fails."""
        try:
            return await self.fetch_run()
        except (grpc.RpcError, SourceError):
            return None

    async def poll_until(self, condition: Callable[[Any], bool]) -> bool:
        """Fetch the run until ``condition`` holds, for ``patience.lag`` seconds; False if not."""
        backoff = Backoff(
            RetryPolicy(outage=self.patience.lag, silence=self.patience.lag, pause=0.05)
        )
        backoff.response_received()
        while True:
            try:
                if condition(await self.fetch_run()):
                    return True
            except SourceError:
                return False
            except grpc.RpcError as error:
                if not is_transient(error):
                    return False
            if backoff.is_over:
                return False
            await self.client.sleep(backoff.next_pause())

    async def store_run(self, run: Any) -> None:
        """Store a run snapshot, unless it equals the previous one."""
        await self._prepare()
        self.run = run
        value = protos.to_json(run)
        if value != self._stored_run:
            await self.store.offer(RUN, value)
            self._stored_run = value
        await self._store_context()
        if protos.is_final(run) and not self._listeners:
            # A known result does not complete a stream that was interrupted.
            await (
                self.store.interrupt(_UNFINISHED_STREAM)
                if self._interrupted_before
                else self.store.close()
            )

    async def store_event(self, event: Any, make_event: Callable[[], Any]) -> None:
        """Store an event; on failure the error carries what ``make_event`` returns."""
        outcome = await self.store.offer(STREAM_EVENT, protos.to_json(event), make_event)
        if outcome is not None and outcome.conflict and outcome.new:
            _log.warning(
                "event %s of run %s arrived again with different content; both are kept",
                protos.index_of(event),
                self.client.run_id,
            )

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

    async def has_changed(self, before: Any) -> bool:
        """Whether the run differs from ``before`` now; polls for a short time."""
        return await self.poll_until(lambda run: run != before)

    def close_on_exit(self, reason: str) -> None:
        """Mark the recording as interrupted, without a call to the service."""
        self.store.interrupt_now(reason)

    async def listener_failed(self, reason: str) -> None:
        """Unregister a listener that failed; the last one interrupts the recording."""
        self._listeners -= 1
        # The original error matters more than a log that cannot be opened.
        with contextlib.suppress(RunreelError):
            if not self._listeners:
                if self._interrupted_before is not None:
                    self._interrupted_before = (
                        self.store.index >= 0 and self.store.state.recording == OPEN
                    )
                await self.store.interrupt(reason)

    def listener_finished(self) -> None:
        """Unregister a listener that finished."""
        self._listeners -= 1

    async def _prepare(self) -> None:
        """Read the state of the log before this recording writes to it."""
        if self._interrupted_before is None:
            await self.store.ready()
            self._interrupted_before = self.store.state.recording == INTERRUPTED

    async def _store_context(self) -> None:
        if self._context_stored:
            return
        self._context_stored = True
        if self._context is None and self.store.state.metadata.model is None:
            assistant_id = self._assistant_id or self.run.assistant_id
            try:
                assistant = await self.client.assistant(assistant_id, self.patience.ask)
            except (grpc.RpcError, SourceError):
                # The assistant may have been deleted; it is optional.
                return
            self._context = protos.to_json(assistant)
        if self._context is not None:
            await self.store.offer(CONTEXT, self._context)
