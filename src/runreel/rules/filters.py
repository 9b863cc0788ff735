"""Which runs a user asks for, checked."""

from __future__ import annotations

from typing import Any

from runreel.words.errors import UsageError
from runreel.words.log import RECORDINGS, RunFilter
from runreel.words.status import RunStatus


def run_filter(
    *,
    status: RunStatus | str | None,
    recording: str | None,
    labels: dict[str, str] | None,
    **others: Any,
) -> RunFilter:
    """The filter of these conditions; a status may be told by its name.

    Raises:
        UsageError: if a status or a recording state is none.
    """
    return RunFilter(
        status=None if status is None else run_status(status),
        recording=_recording(recording),
        labels=labels or {},
        **others,
    )


def run_status(status: RunStatus | str) -> RunStatus:
    """A status that may be told by its name, in letters of either case.

    Raises:
        UsageError: if it is none.
    """
    if isinstance(status, RunStatus):
        return status
    try:
        return RunStatus[status.upper()]
    except KeyError:
        raise UsageError(
            f"no status is called {status!r}", hint=f"One of {', '.join(RunStatus.__members__)}."
        ) from None


def _recording(recording: str | None) -> str | None:
    if recording is not None and recording not in RECORDINGS:
        raise UsageError(f"a recording is {', '.join(RECORDINGS)}, not {recording!r}")
    return recording
