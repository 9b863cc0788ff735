"""A usage report with a column for each value of a grouping."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from runreel.cli.render import shapes, tables, terminal, usage_table
from runreel.cli.render.group_columns import group_columns
from runreel.cli.render.output import ListView
from runreel.cli.render.tables import Column
from runreel.cli.render.usage_measures import Measured, amount, measured
from runreel.codec.schema_parts import TEXT
from runreel.model.errors import UsageError
from runreel.prices.pricing import decimal_text
from runreel.projection import period_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runreel.cli.render.json_views import JsonObject
    from runreel.cli.render.output import Output
    from runreel.cli.render.report_layout import ReportLayout
    from runreel.model.usage import UsageReport

    Cells = dict[str, Fraction | None]

_CURRENCY = "currency"
_COST = "cost"
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class PivotRow:
    """A row: its groups, the currency of its costs, and the value of each column.

    A value is None if it is unknown; a column without an entry has no runs in this row.
    """

    key: tuple[str | None, ...]
    currency: str | None
    cells: Cells


@dataclass(frozen=True, slots=True)
class Pivot:
    """The rows of a report by ``by``, with ``columns``, the values of ``pivot``."""

    report: UsageReport
    by: tuple[str, ...]
    pivot: str
    measure: str
    columns: tuple[str, ...]
    rows: tuple[PivotRow, ...]
    every_row: tuple[PivotRow, ...]

    @property
    def left_out(self) -> int:
        """Number of rows that are not printed."""
        return len(self.every_row) - len(self.rows)

    @property
    def with_currency(self) -> bool:
        """Whether the rows have a currency."""
        return self.measure == _COST


def pivot(report: UsageReport, layout: ReportLayout) -> Pivot:
    """Turn the last grouping of a report into columns.

    Raises:
        UsageError: if there are too many columns, or the one to sort by does not exist.
    """
    by, name, measure = report.by[:-1], report.by[-1], layout.measure or "total"
    values = sorted({item.key[-1] for item in report.items}, key=period_names.order)
    if len(values) > _MOST:
        raise UsageError(
            f"--pivot: {name} has {len(values):,} values, and a report at most {_MOST:,} columns",
            hint="Select runs, or use --by.",
        )
    columns = dict(zip(values, _names(values, (*by, _CURRENCY), name), strict=True))
    rows = _rows(report, columns, measure)
    found = Pivot(report, by, name, measure, tuple(columns.values()), tuple(rows), tuple(rows))
    if layout.sort is not None:
        rows.sort(key=_order(found, layout.sort))
    return replace(found, rows=tuple(rows[: layout.limit or None]))


def _rows(report: UsageReport, columns: dict[str | None, str], measure: str) -> list[PivotRow]:
    """Return the rows in the order of their groups; ``columns`` has the names by value."""
    rows: dict[tuple[object, ...], PivotRow] = {}
    for item in report.items:
        one = measured(item, measure)
        key = item.key[:-1]
        row = rows.setdefault((key, one.unit), PivotRow(key, one.unit, {}))
        if item.totals.runs:
            column = columns[item.key[-1]]
            row.cells[column] = _plus(row.cells.get(column), one.value)
    unpriced = {row.key: row.cells for row in rows.values() if row.currency is None}
    for row in rows.values():
        _mark_unknown(row.cells, unpriced.get(row.key, {}))
    # A period without runs has no currency; it is left out where the group has another row.
    with_runs = {row.key for row in rows.values() if row.cells}
    kept = [row for row in rows.values() if row.cells or row.key not in with_runs]
    kept.sort(key=lambda row: [*map(period_names.order, (*row.key, row.currency))])
    return kept


def _mark_unknown(cells: Cells, unpriced: Iterable[str]) -> None:
    # Runs without a known cost may have one in any currency.
    for column in unpriced if cells else ():
        cells.setdefault(column, None)


def _plus(one: Fraction | None, other: Fraction | None) -> Fraction | None:
    if one is None or other is None:
        return one if other is None else other
    return one + other


def _names(values: Sequence[str | None], taken: tuple[str, ...], pivot: str) -> list[str]:
    """Return the names of the columns, each once."""
    found: dict[str, None] = dict.fromkeys(taken)
    for value in values:
        name = tables.UNKNOWN if value is None else value
        while name in found:
            name = f"{pivot}={name}"
        found[name] = None
    return list(found)[len(taken) :]


def _order(found: Pivot, column: str) -> Callable[[PivotRow], tuple[bool, object]]:
    if column in found.by:
        index = found.by.index(column)
        return lambda row: period_names.order(row.key[index])
    if column not in found.columns:
        names = ", ".join((*found.by, *found.columns))
        raise UsageError(f"--sort: there is no column {column!r}", hint=f"Choose from {names}.")

    def order(row: PivotRow) -> tuple[bool, object]:
        value = _cell(row, column, found)
        return value is None, -(value or Fraction())

    return order


def print_pivot(found: Pivot, output: Output) -> None:
    """Print a pivot in the requested format."""
    view = _view(found)
    if output.format == "json":
        output.object(_object(found))
    elif not output.is_table:
        output.lines(view, found.rows)
    elif found.rows:
        tables.print_table(view.columns, [*found.rows, *_totals(found)])
        for line in usage_table.footer(found.report):
            terminal.write((line, "dim"))


def _cell(row: PivotRow, column: str, found: Pivot) -> Fraction | None:
    """The value of a cell; 0 where there are no runs, if the others of the row are known."""
    if found.with_currency and row.currency is None and row.cells:
        return None
    return row.cells.get(column, Fraction())


def _totals(found: Pivot) -> list[PivotRow]:
    """A row with the sums of all rows, also of those that are not printed, for each currency."""
    sums: dict[str | None, Cells] = {}
    for row in found.every_row:
        cells = sums.setdefault(row.currency, {})
        for column, cell in row.cells.items():
            cells[column] = _plus(cells.get(column), cell)
    unpriced = sums.pop(None, {}) if len(sums) > 1 else {}
    for cells in sums.values():
        _mark_unknown(cells, unpriced)
    key = ("TOTAL", *("" for _ in found.by[1:])) if found.by else ()
    return [PivotRow(key, currency, cells) for currency, cells in sums.items()]


def _view(found: Pivot) -> ListView[PivotRow]:
    columns = group_columns(found.by, PivotRow)
    if found.with_currency:
        columns.append(Column("CURRENCY", lambda row: row.currency))
    columns += [
        Column(name, _shown(name, found), right=True, drop_priority=min(index, 1))
        for index, name in enumerate(found.columns)
    ]
    currency = {_CURRENCY: TEXT} if found.with_currency else {}
    shape = dict.fromkeys(found.by, shapes.GROUP) | currency | dict.fromkeys(found.columns, TEXT)
    return ListView("runs", shape, columns, lambda row: _row_object(row, found))


def _shown(column: str, found: Pivot) -> Callable[[PivotRow], str]:
    return lambda row: amount(Measured((), _cell(row, column, found), None))


def _row_object(row: PivotRow, found: Pivot) -> JsonObject:
    value: dict[str, object] = dict(zip(found.by, row.key, strict=True))
    if found.with_currency:
        value[_CURRENCY] = row.currency
    for column in found.columns:
        cell = _cell(row, column, found)
        if cell is None:
            value[column] = None
        else:
            value[column] = decimal_text(cell) if found.with_currency else int(cell)
    return value


def _object(found: Pivot) -> JsonObject:
    totals = []
    for row in _totals(found):
        value = _row_object(row, found)
        totals.append({key: value[key] for key in value if key not in found.by})
    return {
        "items": [_row_object(row, found) for row in found.rows],
        "totals": totals,
        "pivot": found.pivot,
        "measure": found.measure,
        "columns": list(found.columns),
        "tz": found.report.tz,
    }
