"""The turns in session files of Claude Code.

A turn begins with a prompt; its run has the id of that line, which every copy of the line keeps. A
line belongs to the turn of the line that it answers (``parentUuid``), else to the last turn of the
file. The turns of an agent (a sidechain) are runs of their own in the same thread.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from runreel.codec.json_values import text_in
from runreel.importing.archives.entries import Entry, Origin
from runreel.model.errors import BadInput
from runreel.model.events import CONTEXT
from runreel.recording.deduplication import fingerprint
from runreel.sources.archives import claude_code as lines
from runreel.sources.archives.claude_code import Role
from runreel.sources.archives.lines import CLAUDE_CODE

if TYPE_CHECKING:
    from collections.abc import Iterator

# Number of lines, of all files, whose turn is kept to find that of the lines after them.
_LINES = 50_000


class _Turn:
    """A turn of the user (``agent`` is empty) or of an agent.

    ``held`` are its lines while it is not known to have reached the model.
    """

    __slots__ = ("agent", "held", "origin", "run_id")

    def __init__(self, run_id: str, agent: str, origin: Origin, *, holds: bool) -> None:
        self.run_id = run_id
        self.agent = agent
        self.origin = origin
        self.held: list[Entry] | None = [] if holds else None


class ClaudeCodeLines:
    """Reads session files, in an order in which copies follow the files that they are copies of."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, _Turn] = OrderedDict()

    def begin(self, name: str) -> SessionLines:
        """Return a reader for the next file."""
        del name
        return SessionLines(self)

    def turn_of(self, line: dict[str, object]) -> _Turn | None:
        """Return the turn of a line that was read before, or of the line that it answers."""
        identity, parent = lines.identity(line), text_in(line, "parentUuid")
        if (found := self._turns.get(identity or "")) is not None:
            return found
        found = self._turns.get(parent or "")
        return found if found is not None and found.agent == agent_of(line) else None

    def add(self, line: dict[str, object], turn: _Turn) -> None:
        """Note the turn of a line."""
        if (identity := lines.identity(line)) is not None:
            self._turns[identity] = turn
            if len(self._turns) > _LINES:
                self._turns.popitem(last=False)


class SessionLines:
    """Reads the lines of one file."""

    def __init__(self, known: ClaudeCodeLines) -> None:
        self._known = known
        # The last turn of the user, under "", and of each agent.
        self._last: dict[str, _Turn] = {}

    def read(self, number: int, value: dict[str, object]) -> Iterator[Entry]:
        """Yield the events that a line completes.

        Raises:
            BadInput: if its type is not known.
        """
        role = lines.role_of(value)
        if role is Role.UNKNOWN:
            raise BadInput(f"unknown type of line: {value.get('type')!r:.60}")
        turn = self._turn(role, value)
        if turn is None:
            return
        self._known.add(value, turn)
        if role is Role.SIDE:
            return
        identity = lines.identity(value)
        # What began a turn is what was asked.
        kind = CONTEXT if turn.run_id == identity and role is Role.REMARK else lines.KINDS[role]
        entry = Entry(turn.run_id, turn.origin, kind, value, identity, number)
        if turn.held is None:
            yield entry
            return
        turn.held.append(entry)
        if role is Role.ANSWER:
            yield from turn.held
            turn.held = None

    def _turn(self, role: Role, value: dict[str, object]) -> _Turn | None:
        agent = agent_of(value)
        turn = self._known.turn_of(value) if role is not Role.PROMPT else self._again(value)
        if turn is None and role is not Role.PROMPT:
            turn = self._last.get(agent)
        if turn is None:
            if role is Role.SIDE:
                return None
            holds = role is Role.REMARK or (role is Role.PROMPT and lines.is_command(value))
            turn = _Turn(_run_id(value), agent, _origin(value, agent), holds=holds)
        self._last[agent] = turn
        return turn

    def _again(self, value: dict[str, object]) -> _Turn | None:
        """Return the turn of a prompt that another file has too."""
        found = self._known.turn_of({**value, "parentUuid": None})
        return found if found is not None and found.run_id == _run_id(value) else None


def agent_of(value: dict[str, object]) -> str:
    """Return the agent whose line this is, empty for none."""
    if value.get("isSidechain") is not True:
        return ""
    return text_in(value, "agentId") or "sidechain"


def _run_id(value: dict[str, object]) -> str:
    return lines.identity(value) or fingerprint(CLAUDE_CODE, value).hex()


def _origin(value: dict[str, object], agent: str) -> Origin:
    labels = []
    if agent:
        labels.append(("agent", agent))
    if (folder := text_in(value, "cwd")) is not None:
        labels.append(("project", folder))
    thread = text_in(value, "sessionId")
    return Origin(CLAUDE_CODE, CLAUDE_CODE, thread, tuple(labels))
