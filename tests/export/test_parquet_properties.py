"""Parquet keeps whatever a log can hold, and other makers' readers find it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import runreel
from runreel.codec import json_objects
from runreel.export.parquet_columns import Column
from runreel.export.parquet_values import GrowingTexts, Values
from runreel.model.errors import BadInput, SourceMismatch
from tests.export.tables import JSON_TEXTS, Row, events_of, of_json, read
from tests.strategies import INT64, MANY, objects, texts, values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.api.reel import Reel

_COUNTS = st.none() | st.integers(0, 2**63 - 1) | INT64
_CALLS = st.lists(
    st.fixed_dictionaries({"id": texts, "name": texts, "arguments": objects}), max_size=2
)
_PLAIN = st.fixed_dictionaries(
    {"type": st.sampled_from(["PARTIAL_MESSAGE", "DONE", "ERROR", "TOOL_CALLS", "COMPLETED"])},
    optional={
        "text": texts,
        "error": texts | st.fixed_dictionaries({"message": texts, "code": INT64 | texts}),
        "tool_calls": _CALLS,
        "usage": st.fixed_dictionaries(
            dict.fromkeys(("input_text_tokens", "completion_tokens", "total_tokens"), _COUNTS)
        ),
        "model": texts,
        "thread_id": texts,
        "created_by": texts,
        "created_at": st.datetimes().map(lambda at: f"{at.isoformat()}Z"),
        "labels": objects,
    },
)
_ENTRIES = st.lists(
    st.tuples(st.sampled_from(["stream_event", "stream_event", "run"]), _PLAIN | objects),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def place(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Reel, Path]]:
    """A log and a folder."""
    with runreel.open(shared_url) as reel:
        yield reel, tmp_path_factory.mktemp("tables")


# Without shrinking: each example stores a run.
@settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(entries=_ENTRIES, labels=st.dictionaries(texts, values, max_size=2))
def test_what_is_recorded_is_in_the_tables(
    place: tuple[Reel, Path], entries: list[tuple[str, Any]], labels: dict[str, Any]
) -> None:
    reel, folder = place
    run_id = f"run-{len(list(reel.runs())):04} é"
    with reel.recording(run_id, labels=labels) as recording:
        for kind, value in entries:
            try:
                recording.offer(kind, value)
            except (BadInput, SourceMismatch):
                continue
    if not recording.run_id or not any(run.run_id == run_id for run in reel.runs()):
        return
    reel.export(folder / "x.parquet", [run_id], force=True)
    run = of_json(dict(json_objects.run(reel.run(run_id))))
    events = events_of(reel, run_id)
    assert read(folder / "x.parquet" / "runs.parquet") == [run]
    assert read(folder / "x.parquet" / "events.parquet") == events
    for table, wanted in (("runs", [run]), ("events", events)):
        file = folder / "x.parquet" / f"{table}.parquet"
        assert _as_polars(file) == wanted
        assert _as_duckdb(file) == [_without_times(row) for row in wanted]


def _as_polars(file: Path) -> list[Row]:
    return [_decoded(row) for row in pl.read_parquet(file).to_dicts()]


def _as_duckdb(file: Path) -> list[Row]:
    """The rows without their times, which DuckDB gives in the local zone."""
    found = duckdb.sql(f"SELECT * FROM '{file}'")
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    return [_without_times(_decoded(row)) for row in rows]


def _decoded(row: Row) -> Row:
    return {
        name: json.loads(item) if name in JSON_TEXTS and item is not None else item
        for name, item in row.items()
    }


def _without_times(row: Row) -> Row:
    return {name: item for name, item in row.items() if not name.endswith("_at")}


@MANY
@given(
    st.lists(st.tuples(st.integers(0, 12), texts | st.none()), max_size=12),
    st.integers(0, 12),
)
def test_growing_texts_are_as_any_others(steps: list[tuple[int, str | None]], cut: int) -> None:
    said: list[str | None] = []
    text = ""
    for keep, added in steps:
        text = text if added is None else text[:keep] + added
        said.append(None if added is None else text)
    growing = GrowingTexts(pa)
    plain = Values(pa, Column("text", "text", "text"), pa.string())
    for part in (said[:cut], said[cut:]):
        for one in part:
            growing.append(one)
            plain.append(one)
        found = growing.take()
        found.validate(full=True)
        assert found.equals(plain.take())
    assert growing.escaped == plain.escaped
