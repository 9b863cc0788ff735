"""A connection that breaks right before or after a commit loses nothing and doubles nothing."""

from __future__ import annotations

from tests.faults.cut_commits import cut_commits

CUTS = 100


def test_a_connection_cut_around_commits_loses_and_doubles_nothing(empty_postgres: str) -> None:
    assert cut_commits(empty_postgres, CUTS)["events, each once"] > CUTS
