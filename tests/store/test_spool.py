"""What is set aside comes back as it was, in its order, however much it is."""

from __future__ import annotations

import pytest

from runreel.system import disk_queue
from runreel.system.disk_queue import DiskQueue


@pytest.mark.parametrize("in_memory", [1, disk_queue._IN_MEMORY])
@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 3_000])
def test_values_come_back_in_their_order(count: int, in_memory: int, monkeypatch) -> None:
    monkeypatch.setattr(disk_queue, "_IN_MEMORY", in_memory)
    values = [(n, f"value {n}", None) for n in range(count)]
    with DiskQueue[tuple[int, str, None]]() as aside:
        aside.extend(iter(values[:10]))
        aside.extend(iter(values[10:]))
        assert list(aside) == values
        assert list(aside) == values
