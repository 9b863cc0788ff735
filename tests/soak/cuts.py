"""Connections break right before and right after commits."""

from __future__ import annotations

from tests.faults.cut_commits import cut_commits

ROUNDS = {"postgresql": 1_000}


def run(url: str, rounds: int) -> dict[str, int]:
    """So many of each; nothing is lost, and nothing stored twice."""
    return cut_commits(url, rounds)
