"""Sessions of Claude Code, made after the format of its files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Line = dict[str, Any]
MODEL = "claude-opus-4-5"


def usage(given: int, made: int, *, wrote: int = 0, read: int = 0) -> Line:
    return {
        "input_tokens": given,
        "cache_creation_input_tokens": wrote,
        "cache_read_input_tokens": read,
        "output_tokens": made,
        "service_tier": "standard",
    }


def text(said: str) -> Line:
    return {"type": "text", "text": said}


def tool_use(id_: str, name: str = "Bash", **given: Any) -> Line:
    return {"type": "tool_use", "id": id_, "name": name, "input": given}


def thinking(said: str) -> Line:
    return {"type": "thinking", "thinking": said, "signature": "c2ln"}


@dataclass
class Session:
    """The lines of a session; ids and times are numbered."""

    name: str = "s1"
    agent: str | None = None
    lines: list[Line] = field(default_factory=list)

    def prompt(self, said: str, **more: Any) -> Line:
        return self._add("user", {"role": "user", "content": said}, **more)

    def result(self, call: str, content: Any, **more: Any) -> Line:
        block = {"type": "tool_result", "tool_use_id": call, "content": content}
        return self._add("user", {"role": "user", "content": [block]}, toolUseResult={}, **more)

    def answer(
        self, message: str, block: Line, counts: Line | None, reason: str | None = None, **more: Any
    ) -> Line:
        """A line with one block of a message."""
        value = {
            "id": message,
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [block],
            "stop_reason": reason,
            "stop_sequence": None,
            "usage": counts,
        }
        more = {"requestId": f"req_{message}", **more}
        return self._add("assistant", value, **more)

    def side(self, type_: str, **more: Any) -> None:
        self.lines.append({"type": type_, "sessionId": self.name, **more})

    def raw(self) -> list[bytes]:
        return [json.dumps(line).encode() + b"\n" for line in self.lines]

    def write(self, folder: Path, lines: int | None = None) -> Path:
        path = folder / f"{self.name if self.agent is None else f'agent-{self.agent}'}.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(self.raw()[:lines]))
        return path

    def fork(self, name: str, lines: int, *, renames: bool = True) -> Session:
        """Another session, whose file begins with the first lines of this one."""
        copies = [dict(line) for line in self.lines[:lines]]
        if renames:
            copies = [line | {"sessionId": name} for line in copies]
        return Session(name, None, copies)

    def _add(self, type_: str, message: Line, **more: Any) -> Line:
        number = len(self.lines)
        before = next((line for line in reversed(self.lines) if "uuid" in line), None)
        line: Line = {
            "parentUuid": None if before is None else before["uuid"],
            "isSidechain": self.agent is not None,
            "userType": "external",
            "cwd": "/home/me/project",
            "sessionId": self.name,
            "version": "2.0.61",
            "gitBranch": "main",
            "type": type_,
            "message": message,
            "uuid": f"{self.name}-{self.agent or 'main'}-{number}",
            "timestamp": f"2026-11-01T{number // 60:02}:{number % 60:02}:00.000Z",
        }
        if self.agent is not None:
            line["agentId"] = self.agent
        self.lines.append(line | {key: value for key, value in more.items() if value is not ...})
        return self.lines[-1]


def sample(name: str = "s1") -> Session:
    """Two turns: one with tools, whose messages have several lines, one that ends at once."""
    session = Session(name)
    session.side("file-history-snapshot", messageId="x", snapshot={})
    session.prompt("Count the files")
    session.answer(f"{name}-m1", thinking("I should list them"), usage(10, 1, wrote=100))
    session.answer(f"{name}-m1", text("Let me look."), usage(10, 1, wrote=100))
    session.answer(f"{name}-m1", tool_use("t1", command="ls"), usage(10, 30, wrote=100), "tool_use")
    session.result("t1", "a\nb")
    session.side("system", subtype="turn_duration", uuid=f"{name}-sys", parentUuid=None)
    session.answer(f"{name}-m2", text("Two files."), usage(5, 7, read=110), "end_turn")
    session.side("summary", summary="Files", leafUuid="x")
    session.prompt("Thanks")
    session.answer(f"{name}-m3", text("You are welcome."), usage(2, 4, read=120), "end_turn")
    return session


# What the two turns of ``sample`` used: input with cached tokens, and output.
FIRST, SECOND = (110 + 115, 37), (122, 4)
