"""The layout of a usage report that was asked for."""

from __future__ import annotations

from dataclasses import dataclass

MEASURES = ("runs", "total", "cost")


@dataclass(frozen=True, slots=True)
class ReportLayout:
    """What to print of a report, and how.

    ``limit`` 0 is all groups, ``sort`` is a column, ``pivot`` the grouping whose values are
    columns, and ``measure`` what the cells of a pivot and the bars of a chart show.
    """

    fill: bool = False
    sort: str | None = None
    limit: int = 0
    pivot: str | None = None
    measure: str | None = None
    chart: bool = False
    bom: bool = False
