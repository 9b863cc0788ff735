"""Text that wants to command a terminal, through every command that prints."""

from __future__ import annotations

from pathlib import Path

from tests.cli.printing import print_everything

ROUNDS = {"sqlite": 5_000}


def run(url: str, rounds: int) -> dict[str, int]:
    """So many inputs; only what a terminal may see comes out."""
    seen = print_everything(Path(url).parent, rounds, seed=1)
    wrong = {what: count for what, count in seen.items() if what.startswith(("harm", "crash"))}
    assert wrong == {}, wrong
    assert seen["not printed"] == 0, seen
    return dict(seen)
