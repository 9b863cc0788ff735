"""The part of a ``Reel`` that records."""

from __future__ import annotations

# Types of signatures are imported at run time because `checked` resolves them.
# ruff: noqa: TC001
from typing import Any

import runreel
from runreel.model.arguments import checked
from runreel.model.run_filter import Time, moment
from runreel.store.database import Database
from runreel.system import wall_clock


class RecordingMixin:
    """Records streams of vendors' clients and runs of your own."""

    db: Database
    _on_error: str

    @checked
    def record(
        self,
        stream: Any,
        *,
        request: dict[str, Any] | None = None,
        assistant: Any = None,
        labels: dict[Any, Any] | None = None,
    ) -> Any:
        """Record a vendor's stream: returns a wrapper that stores each event before yielding it.

        The wrapper yields the vendor's own event objects. ``stream`` is a run of the Yandex SDK,
        or a stream or response of the openai or anthropic client, sync or async. It may be a
        function without arguments that calls one of them: the call is timed, and stored if it
        fails.
        ``request`` has the arguments of the request, to be stored with the run; ``assistant`` is
        the SDK's assistant object.

        Raises:
            UsageError: if ``stream`` is of another type.
            MissingExtra: if the installed version of the vendor's package cannot be recorded.
            SourceMismatch: if the run is in the log with another source.
        """
        from runreel.capture.dispatch import recorded
        from runreel.codec.json_values import as_labels

        return recorded(
            stream,
            self.db,
            request=request,
            assistant=assistant,
            labels=as_labels(labels),
            on_error=self._on_error,
        )

    def interceptors(self) -> list[Any]:
        """Return gRPC interceptors for ``AIStudio(interceptors=…)`` that record its calls.

        They record `sdk.models.completions` and, in versions 0.19.0 to 0.22.0, assistants.

        Raises:
            MissingExtra: if the SDK is not installed, or its version has neither.
        """
        from runreel.capture.yandex.record import interceptors

        return interceptors(self.db, self._on_error)

    @checked
    def recording(  # noqa: PLR0913 - metadata of a new run
        self,
        run_id: str,
        *,
        source: str = "plain",
        assistant_id: str | None = None,
        thread_id: str | None = None,
        model: str | None = None,
        labels: dict[Any, Any] | None = None,
        requested_at: Time | None = None,
    ) -> runreel.Recording:  # a lazy import: see runreel.__getattr__
        """Record your own run event by event; a run that is in the log already is continued.

        A label that is not a string is stored as its JSON text; labels that are None are ignored.
        ``requested_at`` is the time of the request to the model, in the formats of ``runs``: the
        time to the first text and the duration are measured from it. It is ignored if the run
        is continued.

        Raises:
            BadValue: if a label is not a JSON value.
            BadInput: if the run ID is invalid.
            SourceMismatch: if the run is in the log with another source.
            UsageError: if ``requested_at`` is not a valid time.
        """
        from runreel.codec.json_values import as_labels
        from runreel.model.timestamps import rfc3339
        from runreel.recording.recorder import Recorder
        from runreel.recording.session import Recording

        requested = None
        if requested_at is not None:
            requested = moment("recording(requested_at=…)", requested_at, now=wall_clock.now())
        metadata = {
            "assistant_id": assistant_id,
            "thread_id": thread_id,
            "model": model,
            "labels": as_labels(labels),
            "requested_at": rfc3339(requested),
        }
        recorder = Recorder(
            self.db,
            run_id,
            source=source,
            via="program",
            identity={key: value for key, value in metadata.items() if value},
            defer_open_errors=self._on_error == "warn",
        )
        return Recording(recorder, on_error=self._on_error)
