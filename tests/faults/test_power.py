"""The power goes at any moment: what a program was told stays, as its durability promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.power import cut_power

if TYPE_CHECKING:
    from pathlib import Path

CUTS = 40
HARM = ("lost", "cuts that damaged", "cuts that left no log")


def test_at_full_durability_a_power_cut_loses_nothing_that_was_told(tmp_path: Path) -> None:
    why: list[str] = []
    seen = cut_power(tmp_path, CUTS, on_loss=why.append)
    assert why == []
    assert [seen[harm] for harm in HARM] == [0, 0, 0]
    assert seen["cuts"] == CUTS
    assert seen["told"] > CUTS


def test_at_normal_durability_it_loses_some_and_damages_nothing(tmp_path: Path) -> None:
    seen = cut_power(tmp_path, CUTS, durability="normal")
    assert seen["lost"] > 0
    assert [seen[harm] for harm in HARM[1:]] == [0, 0]


def test_a_disk_that_lies_about_its_syncs_is_found_out(tmp_path: Path) -> None:
    seen = cut_power(tmp_path, CUTS, lies=True)
    assert seen["lost"] > 0
    assert seen["cuts that left no log"] + seen["cuts that damaged"] > 0
