"""The turns in session files of Claude Code.

A turn begins with a prompt; its run has the id of that line, which copies of the line keep. It is
stored once the model has answered. A line belongs to the turn of the line that it answers
(``parentUuid``), else to the last turn of the file. The turns of an agent (a sidechain) are runs of
their own in the same thread. Messages that another turn has make the turn a copy of it.
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

    from runreel.importing.archives.stored_messages import StoredMessages

# Number of lines and messages, of all files, whose turn is kept to find that of what follows.
_LINES = 50_000


class _Turn:
    """A turn of the user (``agent`` is empty) or of an agent.

    ``held`` are its lines before the model answers. ``repeats``: the last message was one that
    another turn has, of which this one is a copy.
    """

    __slots__ = ("agent", "held", "is_copy", "origin", "repeats", "run_id")

    def __init__(self, run_id: str, agent: str, origin: Origin) -> None:
        self.run_id = run_id
        self.agent = agent
        self.origin = origin
        self.held: list[Entry] | None = []
        self.is_copy = self.repeats = False


class ClaudeCodeLines:
    """Reads session files, in an order in which copies follow the files that they are copies of.

    ``stored`` finds messages that the log has, if it may have some.
    """

    def __init__(self, stored: StoredMessages | None = None) -> None:
        self._stored = stored
        # By the ids of lines, and by those of messages.
        self._turns: OrderedDict[str, _Turn] = OrderedDict()
        self._messages: OrderedDict[str, _Turn] = OrderedDict()

    def begin(self, name: str) -> SessionLines:
        """Return a reader for the next file."""
        del name
        return SessionLines(self)

    def turn_of(self, line: dict[str, object], *, answers: bool = True) -> _Turn | None:
        """Return the turn of a line that was read before, or of the line that it answers."""
        if (found := self._turns.get(lines.identity(line) or "")) is not None:
            return found
        found = self._turns.get(text_in(line, "parentUuid") or "") if answers else None
        return found if found is not None and found.agent == agent_of(line) else None

    def add(self, line: dict[str, object], turn: _Turn) -> None:
        """Note the turn of a line."""
        if (identity := lines.identity(line)) is not None:
            _remember(self._turns, identity, turn)

    def answered(self, line: dict[str, object], turn: _Turn) -> None:
        """Note the turn of a message; find out whether another run has the message already."""
        key = lines.copy_key(line)
        known = self._messages.get(key or "")
        run_id = self._stored_run(line, turn) if known is None else known.run_id
        turn.repeats = run_id is not None and (turn.is_copy or run_id != turn.run_id)
        if run_id is not None and turn.repeats and turn.held is not None:
            turn.is_copy, turn.run_id = True, run_id
        elif key is not None and known is None:
            _remember(self._messages, key, turn)

    def _stored_run(self, line: dict[str, object], turn: _Turn) -> str | None:
        """Return the run in the log that has a message; only a turn that may be a copy is asked."""
        if self._stored is None or (turn.held is None and not turn.is_copy):
            return None
        return self._stored.run_of(line, turn.run_id)


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
        role, value = lines.role_of(value), lines.original(value)
        if role is Role.UNKNOWN:
            raise BadInput(f"unknown type of line: {value.get('type')!r:.60}")
        turn = self._turn(role, value)
        if turn is None:
            return
        is_known = self._known.turn_of(value, answers=False) is not None
        self._known.add(value, turn)
        if role is Role.SIDE:
            return
        if role is Role.ANSWER and not is_known:
            self._known.answered(value, turn)
        if not turn.repeats or is_known:
            yield from self._entries(number, role, value, turn)

    def _entries(
        self, number: int, role: Role, value: dict[str, object], turn: _Turn
    ) -> Iterator[Entry]:
        """Yield a line, after those of its turn that were held; or hold it too."""
        identity = lines.identity(value)
        # What began a turn is what was asked.
        begins = turn.held is not None and not turn.held and role is Role.REMARK
        kind = CONTEXT if begins else lines.KINDS[role]
        entry = Entry(turn.run_id, turn.origin, kind, value, identity, number)
        if role is Role.ANSWER and turn.held is not None:
            # Those of a copy are copies too.
            yield from () if turn.is_copy else turn.held
            turn.held = None
        if turn.held is None:
            yield entry
        else:
            turn.held.append(entry)

    def _turn(self, role: Role, value: dict[str, object]) -> _Turn | None:
        agent, is_prompt = agent_of(value), role is Role.PROMPT
        turn = self._known.turn_of(value, answers=not is_prompt)
        if turn is None and not is_prompt:
            turn = self._last.get(agent)
        if turn is None:
            if role is Role.SIDE:
                return None
            turn = _Turn(_run_id(value), agent, _origin(value, agent))
        self._last[agent] = turn
        return turn


def _remember(turns: OrderedDict[str, _Turn], key: str, turn: _Turn) -> None:
    turns[key] = turn
    if len(turns) > _LINES:
        turns.popitem(last=False)


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
