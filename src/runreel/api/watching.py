"""The part of a ``Reel`` that records the model calls of programs and of other packages."""

from __future__ import annotations

# Types of signatures are imported at run time because `checked` resolves them.
# ruff: noqa: TC001, TC003
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import runreel
from runreel.capture.http import patching
from runreel.capture.http.patching import Hook
from runreel.model.arguments import checked
from runreel.model.identifiers import check_new_id
from runreel.store.database import Database

T = TypeVar("T")


class Watch:
    """Records the model calls of this process until ``stop``, or to the end of a ``with`` block.

    ``reel`` is the log that they are recorded in.
    """

    def __init__(self, reel: runreel.Reel, hook: Hook) -> None:
        self.reel = reel
        self._hook = hook
        patching.add(hook)

    def stop(self) -> None:
        """Record no further calls; streams that have begun are recorded to their end.

        httpx and httpx2 are then as they were before. The reel stays open.
        """
        patching.remove(self._hook)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


class WatchMixin:
    """Records calls below vendors' clients, wherever in the program they are made."""

    db: Database
    _on_error: str

    @checked
    def watch(self, *, labels: dict[Any, Any] | None = None, requests: bool = True) -> Watch:
        """Record every model call of this process that goes through httpx or httpx2.

        These are streams and finished answers of the endpoints ``/responses``,
        ``/chat/completions`` and ``/messages``, of clients that exist already and of later ones.
        All other requests pass untouched and unread. Each event is stored before the program
        receives its bytes.
        ``labels`` are set on each new run. ``requests``: also store what was asked.

        A call that several ``watch``, ``attach``, ``transport`` and ``record`` of one log would
        record is recorded once.

        Raises:
            MissingExtra: if a loaded httpx or httpx2 has another structure than known versions.
            RecordingError: from each call, before it is sent, if the log cannot be written, unless
                the reel has ``on_error="warn"``.
        """
        return Watch(cast("runreel.Reel", self), self._hook(labels, requests=requests))

    def attach(self, client: T) -> T:
        """Record the calls of one client of openai or anthropic and of its copies; return it.

        It may be an ``OpenAI``, ``AsyncOpenAI``, ``AzureOpenAI``, ``AsyncAzureOpenAI``,
        ``Anthropic`` or ``AsyncAnthropic``.

        Raises:
            UsageError: if it is the client of another vendor.
            MissingExtra: if its version cannot be recorded.
        """
        from runreel.capture.http import clients

        patching.attach(clients.http_client(client), self._hook(None))
        return client

    def transport(self, inner: Any) -> Any:
        """Return a transport for a client of httpx or httpx2 that records the calls through it.

        ``inner``, the transport that sends the requests, may be synchronous or asynchronous:
        ``httpx.Client(transport=reel.transport(httpx.HTTPTransport()))``.

        Raises:
            UsageError: if ``inner`` is no transport.
        """
        from runreel.capture.http.transports import recorded_transport

        return recorded_transport(inner, self._hook(None))

    @checked
    def scope(
        self,
        run_id: str | None = None,
        thread_id: str | None = None,
        assistant_id: str | None = None,
        labels: dict[Any, Any] | None = None,
    ) -> AbstractContextManager[None]:
        """Set ids and labels of what is recorded inside of a ``with`` block.

        It applies to calls begun in the block, also in tasks and threads that inherit its context.
        Inside of another scope, both apply; what both name is taken from the inner one. With
        ``run_id`` all calls are recorded in this one run.

        Raises:
            BadInput: if ``run_id`` is not a valid id of a new run.
            BadValue: if a label is not a JSON value.
        """
        from runreel.capture import scope
        from runreel.capture.marks import log_name
        from runreel.codec.json_values import as_labels

        if run_id is not None:
            check_new_id(run_id)
        entered = scope.Scope(run_id, thread_id, assistant_id, as_labels(labels))
        return scope.entered(log_name(self.db), entered)

    def _hook(self, labels: dict[Any, Any] | None, *, requests: bool = True) -> Hook:
        from runreel.capture.http.hook import CallHook
        from runreel.codec.json_values import as_labels

        return CallHook(
            self.db, labels=as_labels(labels), requests=requests, on_error=self._on_error
        )
