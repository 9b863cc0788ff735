"""Pivots of any report, against the items of the report one by one."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from runreel.cli.render.report_layout import ReportLayout
from runreel.cli.render.usage_pivot import pivot
from runreel.model.usage import UsageItem, UsageReport, UsageTotals

names = st.none() | st.sampled_from(["day", "a", "b", "-", "model=a", "=1", "ü", "currency"])
totals = st.builds(
    lambda runs, known, tokens: UsageTotals(
        runs, min(known, runs), total_tokens=tokens if min(known, runs) else None
    ),
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(0, 10**20),
)
reports = st.dictionaries(st.tuples(names, names), totals, max_size=12).map(
    lambda found: UsageReport(
        ("day", "model"),
        tuple(UsageItem(key, one) for key, one in found.items()),
        UsageTotals(),
        "UTC",
    )
)


@given(reports, st.sampled_from(["runs", "total"]))
def test_each_cell_is_the_value_of_its_item(report, measure):
    found = pivot(report, ReportLayout(pivot="model", measure=measure))
    models = {item.key[1] for item in report.items}
    assert len(set(found.columns)) == len(found.columns) == len(models)
    assert not {"day", "currency"} & set(found.columns)
    assert sorted(row.key for row in found.rows if row.key[0]) == sorted(
        {(item.key[0],) for item in report.items if item.key[0]}
    )
    cells = [cell for row in found.rows for cell in row.cells.values()]
    with_runs = [item.totals for item in report.items if item.totals.runs]
    values = [one.runs if measure == "runs" else one.total_tokens for one in with_runs]
    assert sorted(map(str, cells)) == sorted(map(str, values))
    known = sum((cell for cell in cells if cell is not None), Fraction())
    assert known == sum(value for value in values if value is not None)


@given(reports, st.integers(0, 4))
def test_rows_are_sorted_by_a_column_and_cut(report, limit):
    whole = pivot(report, ReportLayout(pivot="model"))
    for column in (*whole.columns, "day"):
        layout = ReportLayout(pivot="model", sort=column, limit=limit)
        found = pivot(report, layout)
        assert len(found.rows) == min(limit or len(whole.rows), len(whole.rows))
        assert found.left_out == len(whole.rows) - len(found.rows)
        if column != "day":
            cells = [row.cells.get(column, Fraction()) for row in found.rows]
            known = [cell for cell in cells if cell is not None]
            assert known == sorted(known, reverse=True)
            assert cells == [*known, *(cell for cell in cells if cell is None)]
