"""The turns in session files (rollouts) of the Codex CLI.

A turn has an id in newer files; in others it begins with a message of the user after the model has
answered. A forked session repeats the turns of the session that it goes on from, with new times:
these are passed over, since that session has them.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from runreel.codec.json_values import object_in, text_in
from runreel.importing.archives.entries import Entry, Origin
from runreel.model.errors import BadInput
from runreel.model.timestamps import micros
from runreel.sources.archives import codex as lines
from runreel.sources.archives.codex import Role
from runreel.sources.archives.lines import CODEX

if TYPE_CHECKING:
    from collections.abc import Iterator

_BEGINNING = (Role.STARTED, Role.SETTINGS, Role.PROMPT, Role.INPUT)
_ANSWERING = (Role.ANSWER, Role.TOKENS, Role.ENDED, Role.RESULTS)
# A fork repeats the turns before it within this time, in µs, of its beginning.
_REPEATING = 1_000_000
# Shorter ids of turns are numbers of a session, not of all.
_SHORTEST_ID = 16

Numbered = tuple[int, Role, dict[str, object]]


class CodexLines:
    """Reads session files; what they have in common is not needed."""

    def begin(self, name: str) -> RolloutLines:
        """Return a reader for the next file."""
        return RolloutLines(name)


class _Turn:
    """A turn. ``lines`` are those read before the model answers, when its id is known."""

    __slots__ = ("id", "lines", "passed", "prompts", "run_id", "stored")

    def __init__(self) -> None:
        self.id: str | None = None
        self.run_id: str | None = None
        self.lines: list[Numbered] = []
        self.prompts: set[str] = set()
        self.passed = False
        self.stored = 0


class RolloutLines:
    """Reads the lines of one file."""

    def __init__(self, name: str) -> None:
        self._session = name
        self._has_meta = self._is_fork = self._has_ids = False
        self._begun: int | None = None
        self._labels: tuple[tuple[str, str], ...] = ()
        self._turn = _Turn()
        # Lines after an answer that belong to the next turn, if one begins.
        self._pending: list[Numbered] = []
        self._turns = 0
        self._total: object = None

    def read(self, number: int, value: dict[str, object]) -> Iterator[Entry]:
        """Yield the events that a line completes.

        Raises:
            BadInput: if its type is not known.
        """
        role = lines.role_of(value)
        if role is Role.UNKNOWN:
            raise BadInput(f"unknown type of line: {value.get('type')!r:.60}")
        if role is Role.META:
            self._meta(lines.payload_of(value))
        elif role in _BEGINNING:
            yield from self._before_answer((number, role, value))
        elif role in _ANSWERING and not (role is Role.TOKENS and self._is_repeated(value)):
            yield from self._answer((number, role, value))

    def _meta(self, meta: dict[str, object]) -> None:
        """Take the id of the session from its first line; a later one is of what it forks."""
        if self._has_meta:
            self._is_fork = True
            return
        self._has_meta = True
        self._session = text_in(meta, "id") or self._session
        self._is_fork = text_in(meta, "forked_from_id") is not None
        self._begun = micros(meta.get("timestamp"))
        agent = text_in(meta, "agent_nickname") or text_in(meta, "agent_role")
        if agent is None and "subagent" in object_in(meta, "source"):
            agent = "subagent"
        found = (("agent", agent), ("project", text_in(meta, "cwd")))
        self._labels = tuple((key, text) for key, text in found if text is not None)

    def _before_answer(self, line: Numbered) -> Iterator[Entry]:
        _, role, value = line
        turn_id = text_in(lines.payload_of(value), "turn_id") if role is not Role.INPUT else None
        self._has_ids |= turn_id is not None
        if self._turn.run_id is None:
            # Nothing has answered this turn yet.
            self._turn.id = turn_id or self._turn.id
            self._turn.lines.append(line)
            return
        if turn_id is not None and turn_id == self._turn.id:
            yield from self._flush()
            yield from self._entries([line])
            return
        self._pending.append(line)
        if turn_id is not None or (role is Role.PROMPT and not self._has_ids):
            self._turn, pending, self._pending = _Turn(), self._pending, []
            self._turn.id, self._turn.lines = turn_id, pending

    def _answer(self, line: Numbered) -> Iterator[Entry]:
        turn = self._turn
        if turn.run_id is None:
            if line[1] is not Role.ANSWER and not turn.lines:
                return
            self._name(turn, line)
            waiting, turn.lines = turn.lines, []
            yield from self._entries(waiting)
        yield from self._flush()
        yield from self._entries([line])

    def _name(self, turn: _Turn, line: Numbered) -> None:
        """Give a turn its run: the id is its own, or else its place in the session."""
        if self._is_fork:
            turn.passed = self._is_old(turn, line[2])
            if not turn.passed:
                turn.lines = self._own(turn)
        self._turns += not turn.passed
        if turn.id is not None and len(turn.id) >= _SHORTEST_ID:
            turn.run_id = turn.id
        else:
            turn.run_id = f"{self._session}:{self._turns}"

    def _own(self, turn: _Turn) -> list[Numbered]:
        """Return the lines of a turn after those of a turn that the fork repeats without answer."""
        for index in reversed(range(len(turn.lines))):
            value = turn.lines[index][2]
            turn_id = text_in(lines.payload_of(value), "turn_id")
            if turn_id not in (None, turn.id) or self._is_old(turn, value):
                return turn.lines[index + 1 :]
        return turn.lines

    def _is_old(self, turn: _Turn, value: dict[str, object]) -> bool:
        """Return whether a turn of a fork, or a line of it, was before the fork."""
        if self._begun is None:
            return False
        made = _time_of_id(turn.id)
        if made is not None:
            return made < self._begun // 1_000
        time = micros(value.get("timestamp"))
        return time is not None and time < self._begun + _REPEATING

    def _flush(self) -> Iterator[Entry]:
        pending, self._pending = self._pending, []
        yield from self._entries(pending)

    def _entries(self, found: list[Numbered]) -> Iterator[Entry]:
        turn = self._turn
        for number, role, value in found:
            kind = lines.KINDS.get(role)
            if role is Role.PROMPT:
                text = lines.prompt_text(value)
                # The prompt is there twice: for the model, and for display.
                if text in turn.prompts:
                    continue
                turn.prompts.add(text)
            if kind is None or turn.passed or turn.run_id is None:
                continue
            origin = Origin(CODEX, CODEX, self._session, self._labels)
            yield Entry(turn.run_id, origin, kind, value, str(turn.stored), number)
            turn.stored += 1

    def _is_repeated(self, value: dict[str, object]) -> bool:
        """Return whether a line has no new counts: those of a limit, or the same once more."""
        info = object_in(lines.payload_of(value), "info")
        total = info.get("total_token_usage")
        if not info or (total is not None and total == self._total):
            return True
        self._total = total
        return False


def _time_of_id(turn_id: str | None) -> int | None:
    """Return the time in ms at which a UUID of version 7 was made; None for other ids."""
    try:
        made = uuid.UUID(turn_id or "")
    except ValueError:
        return None
    return made.int >> 80 if made.version == 7 else None
