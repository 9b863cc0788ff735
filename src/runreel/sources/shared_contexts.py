"""Context lines of a file and the runs that they apply to."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from runreel.model.events import RUN

if TYPE_CHECKING:
    from runreel.sources.line_parser import Line


class Contexts:
    """Links the context lines read so far (assistants, messages) with the runs read so far.

    A context is kept as its position in the file, because all of them may not fit into memory.
    """

    def __init__(self) -> None:
        self._positions_by_assistant: defaultdict[str, list[int]] = defaultdict(list)
        self._positions_by_thread: defaultdict[str, list[int]] = defaultdict(list)
        self._runs: set[str] = set()
        self._runs_by_assistant: defaultdict[str, list[str]] = defaultdict(list)
        self._runs_by_thread: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, line: Line, position: int) -> None:
        """Register the position of a context for later runs."""
        if line.assistant is not None:
            self._positions_by_assistant[line.assistant].append(position)
        if line.thread is not None:
            self._positions_by_thread[line.thread].append(position)

    def runs_of(self, line: Line) -> list[str]:
        """The runs read so far that a context applies to."""
        if line.assistant is not None:
            return self._runs_by_assistant.get(line.assistant, [])
        return [] if line.thread is None else self._runs_by_thread.get(line.thread, [])

    def positions_for(self, run_id: str, line: Line) -> list[int]:
        """Positions of the earlier contexts of a run, in order; empty after its first run line."""
        if line.kind != RUN or run_id in self._runs:
            return []
        self._runs.add(run_id)
        found: list[int] = []
        if line.assistant is not None:
            self._runs_by_assistant[line.assistant].append(run_id)
            found += self._positions_by_assistant.get(line.assistant, [])
        if line.thread is not None:
            self._runs_by_thread[line.thread].append(run_id)
            found += self._positions_by_thread.get(line.thread, [])
        return sorted(found)
