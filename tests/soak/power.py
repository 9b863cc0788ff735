"""The power goes at any moment of programs that record, redact and prune."""

from __future__ import annotations

from pathlib import Path

from tests.faults.power import cut_power

ROUNDS = {"sqlite": 5_000}


def run(url: str, rounds: int) -> dict[str, int]:
    """Nothing that was told is lost at full durability; a twentieth of the cuts are at normal."""
    folder = Path(url).parent
    seen = cut_power(folder, rounds, seed=1)
    at_normal = cut_power(folder, max(300, rounds // 20), durability="normal", seed=1)
    counts = {
        "told": seen["told"],
        "lost": seen["lost"],
        "cuts that damaged": seen["cuts that damaged"] + at_normal["cuts that damaged"],
        "cuts that left no log": seen["cuts that left no log"] + at_normal["cuts that left no log"],
        "cuts at normal": at_normal["cuts"],
        "of these that lost": at_normal["cuts that lost"],
        "lost by them": at_normal["lost"],
    }
    assert not any(list(counts.values())[1:4]), counts
    assert counts["of these that lost"], counts
    return counts
