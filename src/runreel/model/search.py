"""What a search finds, and the parts of a run that it searches."""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - for typing.get_type_hints
from typing import NamedTuple

ANSWER, REQUEST, TOOLS = "answer", "request", "tools"
ERROR, REASONING = "error", "reasoning"
PARTS = (ANSWER, REQUEST, TOOLS, ERROR, REASONING)
# The part of ``run_text`` for a run whose texts are too long for it.
LONG = "long"
# The parts that are searched if none are named.
SEARCHED = (ANSWER, REQUEST, TOOLS, ERROR)


class Match(NamedTuple):
    """An occurrence of a text in a run.

    ``in_`` is the part of the run, ``start`` and ``end`` count characters of the text in it.
    ``seq`` is the row that completes the occurrence, ``at`` the time of that row.
    """

    run_id: str
    in_: str
    seq: int
    start: int
    end: int
    snippet: str
    at: datetime


class IndexReport(NamedTuple):
    """The state of the search index: ``indexed`` texts of runs are in it, ``added`` of them now.

    ``kind`` is the index of the database, ``bytes`` its size.
    """

    kind: str
    indexed: int
    added: int
    bytes: int
