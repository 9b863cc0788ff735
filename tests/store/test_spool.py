"""What is set aside comes back as it was, in its order, however much it is."""

from __future__ import annotations

import pytest

from runreel.store import spool
from runreel.store.spool import Spool


@pytest.mark.parametrize("in_memory", [1, spool._IN_MEMORY])
@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 3_000])
def test_values_come_back_in_their_order(count: int, in_memory: int, monkeypatch) -> None:
    monkeypatch.setattr(spool, "_IN_MEMORY", in_memory)
    values = [(n, f"value {n}", None) for n in range(count)]
    with Spool[tuple[int, str, None]]() as aside:
        aside.extend(iter(values[:10]))
        aside.extend(iter(values[10:]))
        assert list(aside) == values
        assert list(aside) == values
