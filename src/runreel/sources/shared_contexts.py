"""Whose runs an assistant or a thread's message is about, as a file tells it line by line."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from runreel.model.events import RUN

if TYPE_CHECKING:
    from runreel.sources.line_parser import Line


class Contexts:
    """Which assistants and messages a file has told, and which runs they are about.

    A context is known by its place in the file: there may be more of them than memory holds.
    """

    def __init__(self) -> None:
        self._assistants: defaultdict[str, list[int]] = defaultdict(list)
        self._threads: defaultdict[str, list[int]] = defaultdict(list)
        self._runs: set[str] = set()
        self._of_assistant: defaultdict[str, list[str]] = defaultdict(list)
        self._of_thread: defaultdict[str, list[str]] = defaultdict(list)

    def keep(self, line: Line, place: int) -> None:
        """Remember a context for the runs to come."""
        if line.assistant is not None:
            self._assistants[line.assistant].append(place)
        if line.thread is not None:
            self._threads[line.thread].append(place)

    def runs_of(self, line: Line) -> list[str]:
        """The runs told so far that a context is about."""
        if line.assistant is not None:
            return self._of_assistant.get(line.assistant, [])
        return [] if line.thread is None else self._of_thread.get(line.thread, [])

    def new_for(self, run_id: str, line: Line) -> list[int]:
        """The contexts that a run gets when the file first tells of it, in order."""
        if line.kind != RUN or run_id in self._runs:
            return []
        self._runs.add(run_id)
        found: list[int] = []
        if line.assistant is not None:
            self._of_assistant[line.assistant].append(run_id)
            found += self._assistants.get(line.assistant, [])
        if line.thread is not None:
            self._of_thread[line.thread].append(run_id)
            found += self._threads.get(line.thread, [])
        return sorted(found)
