from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.codec import json_text
from runreel.codec.source_protocol import SourceEvent
from runreel.model.errors import BadValue
from runreel.model.events import CONFLICT, CONTEXT, NOTE, RUN, STREAM_EVENT, EventRow
from runreel.recording.deduplication import (
    AppendOutcome,
    Deduplicator,
    KnownEvent,
    KnownEvents,
    fingerprint,
)
from tests.strategies import MANY, exact, values


def event(kind: str, number: int | None, value: Any) -> SourceEvent:
    return SourceEvent(kind, value, index=number)


def row(seq: int, kind: str, *, index: int | None = None, type_: str | None = None) -> EventRow:
    return EventRow(
        "run-1", seq, kind, type_, index, 0, 0, None, None, "", b"salt", None, b"digest"
    )


def seen(*rows: tuple[EventRow, Any]) -> KnownEvents:
    told = KnownEvents()
    for one, value in rows:
        told.add(one, value)
    return told


def test_a_numbered_event_is_recognised_by_its_number_and_compared_by_its_content():
    told = seen((row(4, STREAM_EVENT, index=0), {"text": "a", "n": 1}))
    assert told.rows == {0: KnownEvent(4, fingerprint(STREAM_EVENT, {"text": "a", "n": 1}))}
    assert told.equal(0, {"n": 1, "text": "a"})
    assert not told.equal(0, {"n": 1.0, "text": "a"})


def test_of_two_rows_of_one_number_the_first_counts():
    told = seen(
        (row(4, STREAM_EVENT, index=0), {"text": "a"}),
        (row(5, STREAM_EVENT, index=0), {"text": "b"}),
    )
    assert told.rows[0].seq == 4
    assert told.equal(0, {"text": "a"})


def test_an_erased_event_is_equal_to_whatever_comes_with_its_number():
    told = seen((row(4, STREAM_EVENT, index=0)._replace(redacted=b"commitment"), None))
    assert told.rows == {0: KnownEvent(4, None)}
    assert told.equal(0, {"text": "anything"})


def test_events_without_a_number_are_counted_by_content_within_their_kind():
    run = {"status": "PENDING"}
    told = seen(
        (row(1, RUN), run),
        (row(2, RUN), {"status": "DONE"}),
        (row(3, RUN), run),
        (row(4, CONTEXT), run),
    )
    assert [told.nth(fingerprint(RUN, run), n) for n in (1, 2, 3)] == [1, 3, None]
    assert told.nth(fingerprint(CONTEXT, run), 1) == 4
    assert told.nth(fingerprint(RUN, {}), 1) is None


def test_a_conflict_that_is_noted_is_known_and_notes_are_no_events():
    note = {"source_index": 3, "offered": {"text": "b"}}
    told = seen((row(6, NOTE, type_=CONFLICT), note), (row(7, NOTE, type_="closed"), {}))
    assert told.conflict_at(3, {"text": "b"})
    assert not told.conflict_at(3, {"text": "c"})
    assert not told.conflict_at(4, {"text": "b"})
    assert told.nth(fingerprint(NOTE, note), 1) is None


@MANY
@given(values, values, st.sampled_from([RUN, CONTEXT]), st.sampled_from([RUN, CONTEXT]))
def test_fingerprints_are_equal_for_equal_values_of_a_kind_alone(one, other, kind, another):
    same = kind == another and exact(one) == exact(other)
    assert (fingerprint(kind, one) == fingerprint(another, other)) == same


@pytest.mark.parametrize(
    "value",
    [
        "\ud83d\ude00",
        ["я\ud83d", "\ud83d\ude00"],
        [{1: "я", 1.5: "é", None: "\ud83d\ude00"}, {True: "я"}],
        {"b": (1, 2), "a": -0.0},
        [2**70, 1e16, 5e-324],
    ],
    ids=ascii,
)
def test_a_value_has_the_fingerprint_of_what_the_log_gives_back(value):
    stored = json_text.loads(json_text.dumps(value))
    assert fingerprint(RUN, value) == fingerprint(RUN, stored)


class Log:
    """Rows in a list, and how often they were looked at."""

    def __init__(self, *rows: tuple[EventRow, Any]) -> None:
        self.rows = list(rows)
        self.looks = 0

    def look(self) -> list[tuple[EventRow, Any]]:
        self.looks += 1
        return list(self.rows)


def test_an_event_of_a_new_number_is_new_without_a_look_at_the_log():
    log = Log()
    matcher = Deduplicator(log.look, Counter())
    for number in range(3):
        assert matcher.find(event(STREAM_EVENT, number, {"n": number})) is None
        matcher.add(row(number, STREAM_EVENT, index=number), {"n": number})
    assert (matcher.index, log.looks) == (2, 0)


def test_an_event_that_comes_again_is_the_row_that_it_was():
    log = Log((row(1, STREAM_EVENT, index=0), {"n": 0}), (row(2, STREAM_EVENT, index=1), {"n": 1}))
    matcher = Deduplicator(log.look, Counter())
    matcher.index = 1
    assert matcher.find(event(STREAM_EVENT, 0, {"n": 0})) == AppendOutcome(1, new=False)
    assert matcher.find(event(STREAM_EVENT, 1, {"n": 1})) == AppendOutcome(2, new=False)
    assert log.looks == 1


def test_an_event_that_comes_again_is_found_though_it_was_appended_after_the_last_look():
    log = Log((row(1, STREAM_EVENT, index=0), {"n": 0}))
    matcher = Deduplicator(log.look, Counter())
    matcher.index = 0
    assert matcher.find(event(STREAM_EVENT, 0, {"n": 0})) == AppendOutcome(1, new=False)
    log.rows.append((row(2, STREAM_EVENT, index=1), {"n": 1}))
    matcher.add(*log.rows[-1])
    assert matcher.find(event(STREAM_EVENT, 1, {"n": 1})) == AppendOutcome(2, new=False)


def test_another_telling_of_an_event_is_a_conflict_that_is_new_until_it_is_noted():
    log = Log((row(1, STREAM_EVENT, index=0), {"n": 0}))
    matcher = Deduplicator(log.look, Counter())
    matcher.index = 0
    assert matcher.find(event(STREAM_EVENT, 0, {"n": 9})) == AppendOutcome(
        1, new=True, conflict=True
    )
    noted = {"source_index": 0, "offered": {"n": 9}}
    log.rows.append((row(2, NOTE, type_=CONFLICT), noted))
    matcher.add(*log.rows[-1])
    assert matcher.find(event(STREAM_EVENT, 0, {"n": 9})) == AppendOutcome(
        1, new=False, conflict=True
    )


@pytest.mark.parametrize("number", [None, 0])
@pytest.mark.parametrize(
    "odd", [float("nan"), b"bytes", {1, 2}], ids=lambda odd: type(odd).__name__
)
def test_what_is_no_json_value_is_found_nowhere(number, odd):
    log = Log(*((row(1, STREAM_EVENT, index=number), {"n": n}) for n in (None, "Ynl0ZXM=", [1, 2])))
    matcher = Deduplicator(log.look, Counter())
    matcher.index = 0
    with pytest.raises(BadValue, match="not a JSON value"):
        matcher.find(event(STREAM_EVENT, number, {"n": odd}))


def test_a_number_that_was_skipped_is_new_when_it_comes_late():
    log = Log((row(1, STREAM_EVENT, index=0), {"n": 0}), (row(2, STREAM_EVENT, index=2), {"n": 2}))
    matcher = Deduplicator(log.look, Counter())
    matcher.index = 2
    assert matcher.find(event(STREAM_EVENT, 1, {"n": 1})) is None


def test_the_nth_equal_offer_is_the_nth_equal_row():
    run = {"status": "PENDING"}
    content = fingerprint(RUN, run)
    log, offered = Log((row(1, RUN), run), (row(3, RUN), run)), Counter[bytes]()
    matcher = Deduplicator(log.look, offered)
    found = []
    for _ in range(3):
        found.append(matcher.find(event(RUN, None, run)))
        offered[content] += 1
    assert found == [AppendOutcome(1, new=False), AppendOutcome(3, new=False), None]


def test_in_a_run_of_ones_own_each_offer_is_new_without_a_look_at_the_log():
    log, offered = Log(), Counter[bytes]()
    matcher = Deduplicator(log.look, offered)
    matcher.assume_empty()
    for seq in (1, 2):
        assert matcher.find(event(RUN, None, {})) is None
        offered[fingerprint(RUN, {})] += 1
        matcher.add(row(seq, RUN), {})
    assert log.looks == 0


def test_a_row_that_was_appended_without_an_offer_is_the_first_offer_equal_to_it():
    log = Log()
    matcher = Deduplicator(log.look, Counter())
    matcher.assume_empty()
    matcher.assume_duplicates()
    log.rows.append((row(1, RUN), {}))
    matcher.add(*log.rows[-1])
    assert matcher.find(event(RUN, None, {})) == AppendOutcome(1, new=False)


def test_what_others_appended_is_seen_after_forgetting():
    log = Log()
    matcher = Deduplicator(log.look, Counter())
    matcher.assume_empty()
    log.rows.append((row(1, RUN), {}))
    matcher.invalidate()
    assert matcher.find(event(RUN, None, {})) == AppendOutcome(1, new=False)


def test_events_that_should_have_come_before_are_counted():
    matcher = Deduplicator(Log().look, Counter())
    matcher.index = 4
    assert [matcher.missing(number) for number in (None, 0, 4, 5, 6, 9)] == [0, 0, 0, 0, 1, 4]
