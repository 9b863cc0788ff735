"""The page of all that was measured: sections are replaced in their places, the first one follows.

``python -m tests.benchmarks.page_file`` makes the first section again from the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import summary

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.benchmarks.page import Section

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


def parts_of(page: str) -> dict[str, str]:
    """The texts of the sections of a page by their titles."""
    split = (part.partition("\n") for part in page.split("\n## ")[1:])
    return {title: text.strip() for title, _, text in split}


def page_of(parts: Mapping[str, str]) -> str:
    """A page of these sections; the first one is made of the others."""
    rest = {title: text for title, text in parts.items() if title != summary.TITLE}
    first = summary.summary(rest)
    every = ({summary.TITLE: first} if first else {}) | rest
    return _HEAD + "".join(f"\n## {title}\n\n{text}\n" for title, text in every.items())


def write(page: Path, sections: Iterable[Section], made: str) -> None:
    """Put sections into a page; those that were not measured now stay as they are."""
    parts = parts_of(page.read_text(encoding="utf-8")) if page.exists() else {}
    for section in sections:
        _, _, text = str(section).strip().partition("\n")
        parts[section.title] = f"{made}\n\n{text.strip()}"
    page.write_text(page_of(parts), encoding="utf-8")


_HEAD = """# Benchmarks

Each figure is the median over several rounds; in each round the compared programs ran in turn.
Compare figures only within a section, not with those of another machine or another day.

A ratio is how many times as fast (or as small) runreel is compared with the baseline, unless stated
otherwise: 1 is equal, higher is better. With `full`, committed events survive a power loss; with
`normal`, the last moments may be lost. Peers are other libraries, used in the closest way that
their API allows, as described below each table; install them with `pip install -e '.[peers]'`.

`python -m tests.benchmarks --write` measures all of it in about 20 minutes on two cores.
Sections of larger logs are made by the commands that they name.
"""

if __name__ == "__main__":
    write(PAGE, [], "")
