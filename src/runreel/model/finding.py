"""Findings of an audit of the log."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem; ``run_id`` and ``seq`` are None if it concerns no single run or row.

    ``what`` is a code for programs, such as ``digest`` or ``gap``; ``detail`` is a sentence for
    people.
    """

    run_id: str | None
    seq: int | None
    what: str
    detail: str
