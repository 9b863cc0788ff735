"""Recordings keep whatever a log can hold."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import runreel
from runreel.integrity import recording_format
from runreel.model.errors import BadInput, SourceMismatch
from runreel.model.events import KINDS, EventRow
from tests.strategies import INT64, MANY, objects, texts, values

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.api.reel import Reel

Logs = tuple["Reel", "Reel", "Reel", "Path"]

_stored_text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"))
_maybe_number = st.none() | INT64
_bytes = st.binary(max_size=40)
ROWS = st.builds(
    EventRow,
    run_id=_stored_text,
    seq=INT64,
    kind=st.sampled_from(KINDS) | _stored_text,
    type=st.none() | _stored_text,
    source_index=_maybe_number,
    at=INT64,
    elapsed=INT64,
    keep=_maybe_number,
    added=_maybe_number,
    payload=st.none() | _stored_text,
    salt=st.none() | _bytes,
    redacted=st.none() | _bytes,
    digest=_bytes,
)


@MANY
@given(ROWS)
def test_a_row_is_read_back_as_it_was(row: EventRow) -> None:
    line = recording_format.row_lines([row])
    assert line.count(b"\n") == 1
    assert recording_format.parse_row(line) == row


@MANY
@given(ROWS, st.data())
def test_a_row_has_one_line_only(row: EventRow, data: st.DataObject) -> None:
    line = recording_format.row_lines([row])
    at = data.draw(st.integers(0, len(line) - 1))
    piece = data.draw(st.binary(max_size=3))
    changed = line[:at] + piece + line[at + data.draw(st.integers(0, 3)) :]
    try:
        read = recording_format.parse_row(changed)
    except ValueError:
        return
    assert (read == row) == (changed == line)


def test_a_character_is_written_as_the_standard_library_writes_it() -> None:
    """A file has one form, also for those who read or write it with another library."""
    row = EventRow("r", 0, "run", None, None, 1, 2, None, None, None, None, None, b"")
    for first in range(0, 0x110000, 0x800):
        text = "".join(map(chr, range(first, first + 0x800)))
        if first == 0xD800:
            continue
        line = recording_format.row_lines([row._replace(payload=text)])
        assert f',"payload":{json.dumps(text, ensure_ascii=False)},'.encode() in line


_ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["stream_event", "stream_event", "run", "context", "tool_results"]),
        objects | st.fixed_dictionaries({"type": st.just("PARTIAL_MESSAGE"), "text": texts}),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def logs(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logs]:
    """A log, one to import into, one for masked copies, and a folder."""
    folder = tmp_path_factory.mktemp("files")
    with (
        runreel.open(shared_url) as reel,
        runreel.open(folder / "other.db") as other,
        runreel.open(folder / "masked.db") as masked,
    ):
        yield reel, other, masked, folder


# Without shrinking: each example stores a run.
@settings(max_examples=40, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(
    entries=_ENTRIES, labels=st.dictionaries(texts, values, max_size=2), erased=st.integers(0, 9)
)
def test_what_is_recorded_comes_back(
    logs: Logs,
    entries: list[tuple[str, Any]],
    labels: dict[str, Any],
    erased: int,
) -> None:
    reel, other, masked, folder = logs
    run_id = f"run-{len(list(reel.runs())):04} é"
    with reel.recording(run_id, labels=labels) as recording:
        for kind, value in entries:
            try:
                recording.offer(kind, value)
            except (BadInput, SourceMismatch):
                continue
    rows = rows_of(reel, run_id)
    if not rows:
        return
    if erased < len(rows) - 1:
        list(reel.redact([run_id], seqs=[erased], reason="r", actor="a"))
        rows = rows_of(reel, run_id)
    reel.export(folder / "x.reel.jsonl", [run_id], force=True)
    assert other.import_file(folder / "x.reel.jsonl").problems == []
    assert rows_of(other, run_id) == rows
    assert list(other.verify([run_id])) == []
    assert other.rebuild([run_id], check=True) == []
    assert list(other.events(run_id)) == list(reel.events(run_id))
    assert other.state(run_id) == reel.state(run_id)
    reel.export(folder / "m.reel.jsonl", [run_id], mask=["secrets", "[a-y]"], force=True)
    assert masked.import_file(folder / "m.reel.jsonl").problems == []
    assert list(masked.verify([run_id])) == []
    assert masked.rebuild([run_id], check=True) == []
    copied = list(masked.events(run_id))
    assert [event.type for event in copied] == [
        *(event.type for event in reel.events(run_id)),
        "made_from",
    ]
    assert all(not re.search("[a-y]", event.text or "") for event in copied)


def rows_of(reel: Reel, run_id: str) -> list[tuple[Any, ...]]:
    with reel.db.reading() as connection:
        found = connection.all("SELECT * FROM events WHERE run_id = ? ORDER BY seq", (run_id,))
    return [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in found]
