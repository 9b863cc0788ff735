"""Groups of work for an event loop: where each is done, of how many items, and in which order."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from runreel.system import loops
from runreel.system import turns as turns_module
from runreel.system.turns import EventLoopBatcher


class Works:
    """Work that takes ``seconds`` of its own clock; ``places`` is where each group was done."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.places: list[str] = []
        self.seconds = 0.0
        self.blocked = False
        self._now = 0.0
        patch.setattr(turns_module, "time", SimpleNamespace(perf_counter=lambda: self._now))

    def at_once(self, items: list[int]) -> list[bool] | None:
        if self.blocked:
            return None
        return self._do("loop", items)

    def wait(self, items: list[int]) -> list[bool]:
        return self._do("thread", items)

    def _do(self, place: str, items: list[int]) -> list[bool]:
        self.places.append(place)
        self._now += self.seconds
        return [True] * len(items)

    def turns(self, *, slow: bool = False) -> EventLoopBatcher[int, bool]:
        return EventLoopBatcher(self.wait, self.at_once, measured=slow, max_group=10)


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> Works:
    return Works(monkeypatch)


def do(turns: EventLoopBatcher[int, bool], count: int) -> None:
    async def main() -> None:
        for n in range(count):
            await turns.add(n, loops.running())

    asyncio.run(main())


def test_what_was_slow_in_the_loop_is_done_in_a_thread_for_a_while(works: Works) -> None:
    turns = works.turns()
    do(turns, 3)
    works.seconds = 0.04
    do(turns, 1)
    works.seconds = 0.0
    do(turns, 40)
    places = works.places
    assert places[:4] == ["loop"] * 4
    assert places[4:20] == ["thread"] * 16
    assert set(places[20:]) == {"loop"}


def test_what_stays_slow_in_the_thread_stays_there(works: Works) -> None:
    works.seconds = 0.04
    do(works.turns(slow=True), 40)
    assert works.places == ["thread"] * 40


def test_what_would_wait_goes_to_the_thread_and_comes_back(works: Works) -> None:
    turns = works.turns()
    works.blocked = True
    do(turns, 2)
    works.blocked = False
    do(turns, 2)
    assert works.places == ["thread", "thread", "loop", "loop"]


def test_what_is_put_off_in_the_loop_is_done_in_the_thread_now_and_then(works: Works) -> None:
    do(works.turns(), 2_100)
    assert works.places.count("thread") == 2


def test_groups_are_capped_and_in_order() -> None:
    done: list[list[int]] = []

    def wait(items: list[int]) -> list[bool]:
        done.append(list(items))
        return [True] * len(items)

    async def main() -> None:
        turns = EventLoopBatcher(wait, None, measured=False, max_group=10)
        await asyncio.gather(*[later(turns, n) for n in range(25)])

    async def later(turns: EventLoopBatcher[int, bool], n: int) -> None:
        await turns.add(n, loops.running())

    asyncio.run(main())
    assert [n for group in done for n in group] == list(range(25))
    assert max(map(len, done)) == 10
