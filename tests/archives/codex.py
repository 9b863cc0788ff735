"""Sessions (rollouts) of the Codex CLI, made after the format of its files."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

Line = dict[str, Any]
MODEL = "gpt-5.3-codex"


@dataclass
class Rollout:
    """The lines of a session; with ``ids`` its turns have ids."""

    name: str = "c1"
    ids: bool = True
    lines: list[Line] = field(default_factory=list)
    total: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    turns: int = 0
    at: str | None = None

    def meta(self, **more: Any) -> Rollout:
        self._add(
            "session_meta",
            {"id": self.name, "timestamp": self._time(), "cwd": "/home/me/project", **more},
        )
        return self

    def begin(self, said: str) -> None:
        """A turn as the program writes it: input for the model, and the same for display."""
        self.turns += 1
        turn = {"turn_id": turn_id(self.name, self.turns)} if self.ids else {}
        if self.ids:
            self.event("task_started", **turn)
            self._add("turn_context", {"model": MODEL, **turn})
        self.item("message", role="user", content=[input_text("<environment_context>…")])
        self.item("message", role="user", content=[input_text(said)])
        self.event("user_message", message=said)
        if not self.ids:
            self._add("turn_context", {"model": MODEL})

    def item(self, type_: str, **payload: Any) -> None:
        self._add("response_item", {"type": type_, **payload})

    def answer(self, said: str) -> None:
        self.event("agent_message", message=said)
        self.item("message", role="assistant", content=[{"type": "output_text", "text": said}])

    def call(self, id_: str, command: str, output: str) -> None:
        arguments = json.dumps({"command": command})
        self.item("function_call", name="shell", arguments=arguments, call_id=id_)
        self.tokens(10, 2, cached=4)
        self.item("function_call_output", call_id=id_, output=output)

    def tokens(self, given: int, made: int, *, cached: int = 0, reasoning: int = 0) -> None:
        counts = [given, cached, made, reasoning]
        self.total = [old + new for old, new in zip(self.total, counts, strict=True)]
        self.again(counts)

    def again(self, counts: list[int]) -> None:
        """The counts so far, perhaps once more."""
        info = {"total_token_usage": _usage(self.total), "last_token_usage": _usage(counts)}
        self.event("token_count", info=info, rate_limits={"primary": {"used_percent": 1.0}})

    def event(self, type_: str, **payload: Any) -> None:
        self._add("event_msg", {"type": type_, **payload})

    def raw(self) -> list[bytes]:
        return [json.dumps(line).encode() + b"\n" for line in self.lines]

    def write(self, folder: Path, lines: int | None = None) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"rollout-2026-11-01T00-00-00-{self.name}.jsonl"
        path.write_bytes(b"".join(self.raw()[:lines]))
        return path

    def fork(self, name: str, at: str) -> Rollout:
        """Another session, which repeats the lines of this one with the time of the fork."""
        fork = Rollout(name, self.ids, total=[*self.total], at=at)
        fork.meta(forked_from_id=self.name)
        fork.lines += [line | {"timestamp": at} for line in self.lines]
        fork.at = None
        return fork

    def _add(self, type_: str, payload: Line) -> None:
        self.lines.append({"timestamp": self._time(), "type": type_, "payload": payload})

    def _time(self) -> str:
        number = len(self.lines)
        hour = 0 if self.name == "c1" else 5
        return self.at or f"2026-11-01T{hour + number // 60:02}:{number % 60:02}:00.000Z"


def turn_id(name: str, number: int) -> str:
    """A UUID of version 7 that was made before or after 05:00 on 2026-11-01."""
    hour = 1_793_491_200_000 + (0 if name == "c1" else 6 * 3_600_000) + number
    return f"{hour >> 16:08x}-{hour & 0xFFFF:04x}-7000-8000-{number:012x}"


def input_text(said: str) -> Line:
    return {"type": "input_text", "text": said}


def _usage(counts: list[int]) -> Line:
    given, cached, made, reasoning = counts
    return {
        "input_tokens": given,
        "cached_input_tokens": cached,
        "output_tokens": made,
        "reasoning_output_tokens": reasoning,
        "total_tokens": given + made,
    }


def sample(*, ids: bool = True) -> Rollout:
    """Two turns: one with a tool, one that ends at once."""
    rollout = Rollout(ids=ids).meta()
    rollout.event("token_count", info=None, rate_limits={})
    rollout.begin("Count the files")
    rollout.item("reasoning", summary=[{"type": "summary_text", "text": "I list them"}])
    rollout.call("t1", "ls", "a b")
    rollout.again([10, 4, 2, 0])
    rollout.answer("Two files.")
    rollout.tokens(20, 5, cached=10, reasoning=3)
    rollout.event("token_count", info=None, rate_limits={})
    rollout.begin("Thanks")
    rollout.again([20, 10, 5, 3])
    rollout.answer("You are welcome.")
    rollout.tokens(30, 4)
    return rollout


# What the two turns of ``sample`` used: input with cached tokens, and output.
FIRST, SECOND = (30, 7), (30, 4)
