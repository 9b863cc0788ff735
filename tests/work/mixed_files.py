"""Files in which the lines of several runs mix, and what an import has to make of them."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from tests import traffic
from tests.live import openai_script as script

if TYPE_CHECKING:
    from collections.abc import Iterator

UNREADABLE: list[str | bytes] = [
    "{",
    "nothing",
    '{"hello": "world"}',
    "[1]",
    '"text',
    '{"type": "rumour"}',
    b"\xff\xfd",
]


class FileLine(NamedTuple):
    """A line as it stands in the file.

    ``run_id`` is None where it is unreadable and names no run, ``value`` where it is unreadable.
    """

    raw: str | bytes
    run_id: str | None
    named: bool = True
    value: Any = None
    number: int | None = None


class MixedFile:
    """A random interleaving of runs of all sources, with unreadable lines in it."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - it only mixes
        self._damage = self._random.choice([0, 0, 0.02, 0.1])
        self._prefix = f"{seed}-"
        self.lines: list[FileLine] = []
        count = self._random.randint(1, 8)
        streams = {f"{self._prefix}{n}": self._stream(f"{self._prefix}{n}") for n in range(count)}
        # From one run after the other to a new run with each line.
        keeps = self._random.choice([0.0, 0.5, 0.9, 1.0])
        current = self._random.choice(list(streams))
        while streams:
            if current not in streams or self._random.random() >= keeps:
                current = self._random.choice(list(streams))
            event = next(streams[current], None)
            if event is None:
                del streams[current]
            else:
                self._write(current, event)

    def problems(self) -> list[tuple[int, str | None]]:
        """Line and run of each problem that has to be reported."""
        found = list(self._unreadable())
        bad = {run_id for _, run_id in found}
        highest: defaultdict[str | None, int] = defaultdict(lambda: -1)
        for place, line in enumerate(self.lines, 1):
            if line.number is not None and line.run_id not in bad:
                if line.number > highest[line.run_id] + 1:
                    found.append((place, line.run_id))
                highest[line.run_id] = line.number
        return sorted(found, key=str)

    def values(self) -> dict[str, list[Any]]:
        """The values of each run that has to be stored."""
        bad = {run_id for _, run_id in self._unreadable()}
        stored: dict[str, list[Any]] = {}
        for line in self.lines:
            if line.run_id is not None and line.run_id not in bad:
                stored.setdefault(line.run_id, []).append(line.value)
        return stored

    def _unreadable(self) -> set[tuple[int, str | None]]:
        found: set[tuple[int, str | None]] = set()
        for place, line in enumerate(self.lines, 1):
            if line.value is None and line.run_id is not None:
                found.add((place, line.run_id))
            elif line.value is None:
                before, owners = self._before(place - 1), self._owners(place - 1)
                found |= {(place, owner) for owner in owners or [None]}
                # The run that begins after the line is a second problem of it.
                after = self._after(place - 1)[:1]
                if owners == [line.run_id for line in after if line.run_id not in owned(before)]:
                    found.add((place, None))
        return found

    def _owners(self, place: int) -> list[str]:
        """The runs that the unreadable line at ``place`` may be of, by its rules."""
        before, after = self._before(place), self._after(place)
        runs = {line.run_id for line in before}
        skipping = [run for run in runs if run is not None and self._skips(run, place)]
        if after and not after[0].named:
            return [*{*skipping, str(before[-1].run_id)}]
        if skipping or not (before or after):
            return skipping
        neighbours = {line.run_id for line in [*before[-1:], *after[:1]]}
        return [run for run in neighbours if run is not None and self._follows_itself(run)]

    def _before(self, place: int) -> list[FileLine]:
        return [line for line in self.lines[:place] if line.run_id is not None]

    def _after(self, place: int) -> list[FileLine]:
        return [line for line in self.lines[place:] if line.run_id is not None]

    def _skips(self, run_id: str, place: int) -> bool:
        before = [line.number for line in self._before(place) if line.run_id == run_id]
        after = [line.number for line in self._after(place) if line.run_id == run_id]
        reached = [number for number in before if number is not None]
        # The first line of a run shows what its numbers begin with.
        last = max(reached, default=-1)
        upcoming = [number for number in after if number is not None]
        return bool(upcoming) and upcoming[0] > last + 1

    def _follows_itself(self, run_id: str) -> bool:
        runs = [line.run_id for line in self.lines if line.run_id is not None]
        first, count = runs.index(run_id), runs.count(run_id)
        return runs[first : first + count] == [run_id] * count

    def _write(self, run_id: str, event: tuple[dict[str, Any], int | None]) -> None:
        line, number = event
        fate = self._random.random()
        if fate < self._damage / 3:
            raw = json.dumps({"run_id": run_id} | line)
            self.lines.append(FileLine(raw[: self._random.randint(25, len(raw) - 1)], run_id))
            return
        if fate < self._damage:
            self.lines.append(FileLine(self._random.choice(UNREADABLE), None))
            if fate < self._damage / 2:
                return
        before = self._before(len(self.lines))
        named = "data" in line and line["type"] == "run"
        if not named and before and before[-1].run_id == run_id and self._random.random() < 0.3:
            line = {key: value for key, value in line.items() if key not in ("run_id", "request")}
        else:
            named = True
        value = line.get("data", line)
        self.lines.append(FileLine(self._spelled(line), run_id, named, value, number))

    def _spelled(self, line: dict[str, Any]) -> str:
        separators = self._random.choice([(",", ":"), (", ", ": ")])
        if self._random.random() < 0.1:
            line = dict(reversed(line.items()))
        return json.dumps(line, ensure_ascii=self._random.random() < 0.5, separators=separators)

    def _stream(self, run_id: str) -> Iterator[tuple[dict[str, Any], int | None]]:
        words = self._random.choices(["один", "two ", '"3"', "\\", "4" * 30, ""], k=12)
        texts = ["".join(words[: n + 1]) for n in range(self._random.randint(1, len(words)))]
        source = self._random.choice(["yandex", "yandex", "yandex", "plain", "chat", "responses"])
        if source == "yandex":
            yield from _yandex(traffic.Run(run_id, thread=f"thread of {run_id}"), texts)
        elif source == "plain":
            for number, text in enumerate(texts):
                event = {"type": "PARTIAL_MESSAGE", "text": text, "source_index": number}
                yield {**event, "run_id": run_id}, number
            yield {"type": "COMPLETED", "text": texts[-1], "run_id": run_id}, None
        elif source == "chat":
            for event in script.chunks("".join(texts), used=script.chat_usage(9, 12)):
                yield {"run_id": run_id, **event}, None
        else:
            for event in script.events([script.output_of(texts)]):
                yield {"run_id": run_id, **event}, None


def owned(lines: list[FileLine]) -> set[str | None]:
    """The runs of these lines."""
    return {line.run_id for line in lines}


def _yandex(run: traffic.Run, texts: list[str]) -> Iterator[tuple[dict[str, Any], int | None]]:
    yield run.pending(), None
    for line in [*map(run.partial, texts), run.done(texts[-1])]:
        yield line, int(line["data"]["streamCursor"].get("currentEventIdx", 0))
    yield run.completed(texts[-1]), None
