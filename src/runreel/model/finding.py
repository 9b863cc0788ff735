"""What an audit of the log answers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be; ``run_id`` and ``seq`` are None where it has none.

    ``what`` is a word for programs, such as ``digest`` or ``gap``; ``detail`` a sentence for
    people.
    """

    run_id: str | None
    seq: int | None
    what: str
    detail: str
