"""Rows that are read many at a time, or in less time, say what they say one by one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.codec.json_text import dumps
from runreel.model.events import STREAM_EVENT
from runreel.model.status import PARTIAL, RunStatus
from runreel.projection.event_reader import next_event
from runreel.projection.key_frames import KeyFrames
from runreel.projection.projector import DamagedRow, RunProjector
from runreel.projection.stored_events import stored_event
from runreel.sources import reader_of
from tests.rules.recordings import READERS, recordings
from tests.rules.test_key_frames import known, spacing, stream
from tests.strategies import SOME, texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.model.events import EventRow, StoredEvent

PAYLOADS = st.one_of(
    texts.map(dumps),
    texts.map(json.dumps),
    # None of these is one string, though some join up to as many.
    st.sampled_from(['"a","b"', '"a"]', '"', '"a', '"a\n"', '"a" ', '"a",', '"\\ud800"']),
)


def damaged(draw: Callable[..., Any], rows: list[EventRow]) -> list[EventRow]:
    """The rows, perhaps with one that is not what a recorder writes."""
    at = draw(st.integers(1, 2 * len(rows)))
    if at < len(rows):
        changes = {
            "payload": draw(st.one_of(PAYLOADS, st.none())),
            "keep": draw(st.sampled_from([rows[at].keep, None, 0, -1, 2**62])),
            "redacted": draw(st.sampled_from([None, b"commitment"])),
        }
        rows[at] = rows[at]._replace(**changes)
    return rows


def read(rows: list[EventRow], event: Callable[[RunProjector, EventRow], Any]) -> list[Any]:
    """The events of rows up to a damaged one, what each leads to, and why none follows."""
    projector = RunProjector("run-1", frames=KeyFrames())
    found: list[Any] = []
    try:
        for row in rows:
            found += [event(projector, row), known(projector)]
    except DamagedRow as error:
        found.append((error.row, str(error)))
    return [*found, projector.drain_frames()]


def slowly(projector: RunProjector, row: EventRow) -> StoredEvent:
    projected = projector.apply(row)
    return stored_event(row, projected.value, projected.interpretation, projector.transcript.text)


def drawn(data: st.DataObject, reader: Any) -> list[EventRow]:
    """The rows of a stream, some of them damaged."""
    told = [*data.draw(recordings(reader)), *data.draw(recordings(reader))]
    return damaged(data.draw, stream(reader, told))


@READERS
def test_an_event_is_the_same_whichever_way_it_is_read(reader: Any) -> None:
    @SOME
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        rows = drawn(data, reader)
        with spacing(3):
            assert read(rows, next_event) == read(rows, slowly)

    check()


@READERS
@pytest.mark.parametrize("index", [None, 0, -1])
def test_a_text_alone_is_damage_where_its_source_has_no_such_event(reader: Any, index: Any) -> None:
    parts = [(STREAM_EVENT, {"type": PARTIAL, "text": text}) for text in ("a", "ab")]
    opened, *texts = stream(reader_of("plain"), parts)
    rows = [
        opened._replace(payload=dumps({"source": reader.name, "via": "import"})),
        *(row._replace(source_index=index) for row in texts),
    ]

    def outcome(apply: Callable[[RunProjector], Any]) -> object:
        projector = RunProjector("run-1")
        projector.apply(rows[0])
        projector.state.status = RunStatus.IN_PROGRESS
        try:
            apply(projector)
        except DamagedRow as error:
            return error.row, str(error)
        return known(projector)

    one_by_one = outcome(lambda projector: [projector.apply(row) for row in rows[1:]])
    assert outcome(lambda projector: projector.apply_rows(rows[1:])) == one_by_one


@READERS
def test_rows_lead_to_one_state_whether_applied_at_once_or_one_by_one(reader: Any) -> None:
    def at_once(rows: list[EventRow]) -> list[Any]:
        projector = RunProjector("run-1", frames=KeyFrames())
        try:
            projector.apply_rows(rows)
        except DamagedRow as error:
            return [(error.row, str(error))]
        return [known(projector), projector.drain_frames()]

    @SOME
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        rows = drawn(data, reader)
        with spacing(3):
            expected = read(rows, slowly)[-2:]
            found = at_once(rows)
        assert found == (expected if len(found) == 2 else expected[:1])

    check()
