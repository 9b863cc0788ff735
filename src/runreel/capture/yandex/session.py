"""What is kept of one run while this process looks at it: its events, its states, its model."""

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

_HALFWAY = "the stream was not heard to its end"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long we go on, in seconds, before the service's trouble becomes the program's.

    ``outage``: without any sign of life; ``unreachable``: the same where there never was one;
    ``silence``: without an event, though the service lives; ``lag``: until Get knows what the
    stream has told; ``ask``: for one Get.
    """

    outage: float = 90.0
    unreachable: float = 20.0
    silence: float = 300.0
    lag: float = 3.0
    ask: float = 10.0
    pause: float = 0.25
    longest_pause: float = 10.0


class Backoff:
    """One wait for the next event: when to try again, when to give up."""

    def __init__(self, patience: RetryPolicy) -> None:
        self._patience = patience
        self.renew()
        self._met = False

    def renew(self) -> None:
        """An event has come."""
        self._began = self._alive = time.monotonic()
        self._pause = self._patience.pause
        self._met = True

    def alive(self) -> None:
        """The service has answered, if with nothing new."""
        self._alive = time.monotonic()
        self._met = True

    @property
    def over(self) -> bool:
        """Whether to give up."""
        now, patience = time.monotonic(), self._patience
        outage = patience.outage if self._met else patience.unreachable
        return now - self._alive > outage or now - self._began > patience.silence

    def pause(self) -> float:
        """How long to wait before trying again."""
        pause, self._pause = self._pause, min(self._pause * 2, self._patience.longest_pause)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads those who try again


class Session:
    """One run: what the service says of it is stored, each telling once.

    ``halfway`` is whether an earlier recording of its stream was cut short; None asks the log when
    the run is first listened to or looked at.
    """

    def __init__(  # noqa: PLR0913 - what is known of it beforehand
        self,
        wire: RunService,
        store: RecordingAdapter,
        *,
        assistant_id: str | None = None,
        context: dict[str, Any] | None = None,
        halfway: bool | None = False,
        patience: RetryPolicy = RetryPolicy(),
    ) -> None:
        self.wire = wire
        self.store = store
        self.patience = patience
        self.run: Any = None
        self.answered = False
        self._assistant_id = assistant_id
        self._context = context
        self._context_kept = False
        self._kept_run: dict[str, Any] | None = None
        self._halfway = halfway
        self._listeners = 0

    async def on_start(self) -> None:
        """Store what the run is and what it is about, if it is not over and known already.

        Raises:
            grpc.RpcError: if the service refuses; that it cannot be reached is found out later.
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
        """Somebody begins to listen."""
        self._listeners += 1

    async def fetch_run(self) -> Any:
        """The run as the service has it now, stored."""
        run = await self.wire.get(self.patience.ask)
        await self.store_run(run)
        return run

    async def try_fetch_run(self) -> Any:
        """The same, None where the service cannot be asked."""
        try:
            return await self.fetch_run()
        except (grpc.RpcError, SourceError):
            return None

    async def poll_until(self, told: Callable[[Any], bool]) -> bool:
        """Ask until ``told`` holds of the run, a little while; whether it did."""
        waiting = Backoff(
            RetryPolicy(outage=self.patience.lag, silence=self.patience.lag, pause=0.05)
        )
        waiting.alive()
        while True:
            try:
                if told(await self.fetch_run()):
                    return True
            except SourceError:
                return False
            except grpc.RpcError as error:
                if not is_transient(error):
                    return False
            if waiting.over:
                return False
            await self.wire.sleep(waiting.pause())

    async def store_run(self, run: Any) -> None:
        """Store a telling of the run, unless it is the one before."""
        await self._prepare()
        self.run = run
        value = protos.to_json(run)
        if value != self._kept_run:
            await self.store.offer(RUN, value)
            self._kept_run = value
        await self._store_context()
        if protos.final(run) and not self._listeners:
            # That the result is known does not make a stream whole that was left in the middle.
            await (self.store.interrupt(_HALFWAY) if self._halfway else self.store.close())

    async def store_event(self, event: Any, shown: Callable[[], Any]) -> None:
        """Store an event; ``shown`` makes what the program would have seen, should that fail."""
        offer = await self.store.offer(STREAM_EVENT, protos.to_json(event), shown)
        if offer is not None and offer.conflict and offer.new:
            _log.warning(
                "event %s of run %s was told again with other content; the log keeps both",
                protos.index_of(event),
                self.wire.run_id,
            )

    async def on_tool_calls(self) -> None:
        """The stream has told of tool calls: store the state that goes with them."""
        self.answered = False
        await self.poll_until(lambda run: not protos.going_on(run))

    async def on_end(self) -> None:
        """The stream has told its last event: store the final state, and that this is all."""
        if not self.store.state.is_final_by_get:
            await self.poll_until(protos.final)
        await self.store.close()
        self._halfway = False

    async def on_refused(self) -> None:
        """The service has not taken tool results: a run that is over has nothing more to come."""
        if self.run is not None and protos.final(self.run) and not self._listeners:
            await self.store.close()

    async def has_changed(self, before: Any) -> bool:
        """Whether the service no longer tells of the run what it told ``before``."""
        return await self.poll_until(lambda run: run != before)

    def close_on_exit(self, reason: str) -> None:
        """Say that the recording ends here, without a word to the service."""
        self.store.interrupt_now(reason)

    async def listener_failed(self, reason: str) -> None:
        """One who listened was cut short."""
        self._listeners -= 1
        # The one who was cut short hears of that, not of a log that cannot even be opened.
        with contextlib.suppress(RunreelError):
            if not self._listeners:
                if self._halfway is not None:
                    self._halfway = self.store.index >= 0 and self.store.state.recording == OPEN
                await self.store.interrupt(reason)

    def listener_finished(self) -> None:
        """One who listened has heard all."""
        self._listeners -= 1

    async def _prepare(self) -> None:
        """Ask the log what it has of the run, before anything of this recording is in it."""
        if self._halfway is None:
            await self.store.ready()
            self._halfway = self.store.state.recording == INTERRUPTED

    async def _store_context(self) -> None:
        if self._context_kept:
            return
        self._context_kept = True
        if self._context is None and self.store.state.model is None:
            assistant_id = self._assistant_id or self.run.assistant_id
            try:
                assistant = await self.wire.assistant(assistant_id, self.patience.ask)
            except (grpc.RpcError, SourceError):
                # It may be gone by now; the run can do without.
                return
            self._context = protos.to_json(assistant)
        if self._context is not None:
            await self.store.offer(CONTEXT, self._context)
