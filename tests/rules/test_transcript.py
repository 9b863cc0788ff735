from __future__ import annotations

import copy
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.codec import json_text, plain_json, text_delta
from runreel.codec.stream_codec import StreamCodec
from runreel.model.errors import BadValue
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT, TOOL_RESULTS
from tests.rules.recordings import (
    CUMULATIVE,
    PLAIN,
    READERS,
    SHAPES,
    YANDEX,
    content,
    read,
    recordings,
    write,
)
from tests.strategies import MANY, SOME, as_json, exact, lookalikes, objects, run_results, texts


@READERS
@MANY
@given(data=st.data())
def test_any_sequence_of_parts_reads_back_exactly(reader, data):
    told = data.draw(recordings(reader))
    before = copy.deepcopy(told)
    rows = write(reader, told)
    assert exact(told) == exact(before)
    assert exact(read(reader, rows)) == exact([value for _, value in told])
    for row in rows:
        assert "\0" not in row.payload
        assert row.payload.encode().decode() == row.payload


@READERS
@MANY
@given(told=st.lists(st.tuples(st.sampled_from([RUN, STREAM_EVENT]), lookalikes), max_size=5))
def test_json_that_looks_like_events_reads_back_exactly(reader, told):
    before = copy.deepcopy(told)
    rows = write(reader, told)
    assert exact(told) == exact(before)
    assert exact(read(reader, rows)) == exact([value for _, value in told])


@READERS
@pytest.mark.parametrize(
    "told",
    [
        [["a"], ["ab"], ["abc"]],
        [["abc"], ["ab"], [""], ["x"]],
        [["one", "two"], ["one", "two", "three"], ["onetwothree"], ["o", "", "n", "e"]],
        [[], [""], ["", ""], []],
        [["a\ud83d"], ["a😀"], ["a\ud83d"], ["a\ud83db"]],
        [["a\ud83d", "\ude00b"], ["a😀", "b"], ["a", "\ud83d", "\ude00"]],
        [["\0"], ["\0\0"], ["\0é\0"]],
        [["я" * 400], ["я" * 399 + "ю"], ["я" * 399]],
    ],
)
def test_these_sequences_of_parts_read_back_exactly(reader, told):
    for shape in SHAPES[reader.name]:
        events = [shape(n, parts) for n, parts in enumerate(told)]
        expected = [as_json(value) for _, value in events]
        assert exact(read(reader, write(reader, events))) == exact(expected)


def test_half_a_surrogate_pair_in_one_row_and_half_in_the_next_join():
    told = [(STREAM_EVENT, {"type": "DONE", "text": text}) for text in ("a\ud83d", "a\ud83d\ude00")]
    first, second = write(PLAIN, told)
    assert (first.keep, first.added, second.keep, second.added) == (0, 2, 1, 1)
    assert first.payload == '{"+":"a\\ud83d","type":"DONE","text":2}'
    assert second.payload == '{"+":"😀","type":"DONE","text":2}'
    assert [value["text"] for value in read(PLAIN, [first, second])] == ["a\ud83d", "a😀"]


def test_a_row_tells_how_much_of_the_text_it_keeps_and_what_it_adds():
    value = {"eventType": "DONE", "completedMessage": {"content": content(["Hello, ", "world"])}}
    encoded = text_delta.encode(YANDEX.interpret(STREAM_EVENT, value), "Hello there")
    assert encoded == text_delta.EncodedPayload(
        payload=(
            '{"+":", world","eventType":"DONE","completedMessage":'
            '{"content":{"content":[{"text":{"content":7}},{"text":{"content":5}}]}}}'
        ),
        keep=5,
        added=7,
        text="Hello, world",
    )


@CUMULATIVE
def test_an_ordinary_partial_message_is_stored_as_its_new_text_alone(reader):
    partial = SHAPES[reader.name][0]
    told = [partial(n, ["Hello, world"[: 4 * (n + 1)]]) for n in range(3)]
    rows = write(reader, told)
    assert [row.payload for row in rows] == ['"Hell"', '"o, w"', '"orld"']
    assert [(row.keep, row.added) for row in rows] == [(0, 4), (4, 4), (8, 4)]
    assert read(reader, rows) == [value for _, value in told]


@CUMULATIVE
def test_an_answer_costs_its_length_not_the_square_of_it(reader):
    answer = "слово " * 5000
    rows = write(reader, [SHAPES[reader.name][0](n, [answer[: (n + 1) * 50]]) for n in range(600)])
    assert sum(len(row.payload) for row in rows) == len(answer) + 600 * len('""')


@pytest.mark.parametrize(
    "value",
    [
        {"type": "PARTIAL_MESSAGE", "text": "Hello", "source_index": 1.0},
        {"type": "PARTIAL_MESSAGE", "text": "Hello", "source_index": True},
        {"type": 1, "text": "Hello"},
        {"type": "PARTIAL_MESSAGE", "text": "Hello", "error": None},
        {"type": "DONE", "text": "Hello"},
    ],
)
def test_what_differs_from_an_ordinary_partial_message_is_stored_with_the_difference(value):
    (row,) = write(PLAIN, [(STREAM_EVENT, value)])
    assert row.payload == json_text.dumps({"+": "Hello", **value, "text": 5})
    assert exact(read(PLAIN, [row])) == exact([value])


@CUMULATIVE
@pytest.mark.parametrize("index", [0, 1, 7])
def test_a_value_with_the_reserved_key_of_its_own_is_stored_as_it_came(reader, index):
    for shape in SHAPES[reader.name]:
        kind, value = shape(index, ["Hello"])
        value["+"] = "mine"
        (row,) = write(reader, [(kind, value)])
        assert (row.payload, row.keep, row.added) == (json_text.dumps(value), None, None)
        assert read(reader, [row]) == [value]


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (PLAIN, {"type": "PARTIAL_MESSAGE", "text": 5}),
        (PLAIN, {"type": "PARTIAL_MESSAGE", "parts": ["a", 5]}),
        (PLAIN, {"type": "DONE", "message": {"parts": [1, 2]}}),
        (YANDEX, {"eventType": "PARTIAL_MESSAGE", "partialMessage": content([5])}),
        (YANDEX, {"eventType": "PARTIAL_MESSAGE", "partialMessage": content(["a", 5, "b"])}),
    ],
)
def test_a_number_where_text_stands_is_stored_as_it_came(reader, value):
    rows = write(reader, [SHAPES[reader.name][0](0, ["before"]), (STREAM_EVENT, value)])
    assert (rows[1].payload, rows[1].keep) == (json_text.dumps(value), None)
    assert read(reader, rows)[1] == value


@CUMULATIVE
def test_context_and_tool_results_say_nothing_of_the_runs_text(reader):
    kind, value = SHAPES[reader.name][0](0, ["Hello"])
    for other in (CONTEXT, TOOL_RESULTS):
        rows = write(
            reader, [(kind, value), (other, value), SHAPES[reader.name][0](1, ["Hello, you"])]
        )
        assert (rows[1].payload, rows[1].keep) == (json_text.dumps(value), None)
        assert rows[2].payload == '", you"'


@CUMULATIVE
def test_a_value_that_cannot_be_stored_is_left_as_it_was(reader):
    kind, value = SHAPES[reader.name][2](0, ["Hello"])
    value["number"] = math.nan
    with pytest.raises(BadValue):
        text_delta.encode(reader.interpret(kind, value), "He")
    del value["number"]
    assert (kind, value) == SHAPES[reader.name][2](0, ["Hello"])


@READERS
@MANY
@given(data=st.data())
def test_skipping_rows_leads_to_the_text_that_reading_leads_to(reader, data):
    rows = [
        row._replace(payload=None) if data.draw(st.booleans()) else row
        for row in write(reader, data.draw(recordings(reader)))
    ]
    reading, skipping = StreamCodec(reader), StreamCodec(reader)
    for row in rows:
        reading.decode(row)
        skipping.skip(row)
        assert skipping.text == reading.text


@MANY
@given(run_results, texts, st.integers(0, 9))
def test_a_result_lifted_from_a_text_reopens_with_that_text(result, text, size):
    text = (result._message.text if result._message else "")[:size] + text
    value = plain_json.result_value(result)
    payload = text_delta.encode(PLAIN.interpret(RUN, value), text).payload
    assert exact(text_delta.decode_detached(payload, PLAIN, text=text)) == exact(value)


def test_a_result_whose_text_the_log_has_stores_none_of_it():
    value = {"type": "COMPLETED", "text": "Hello, world"}
    payload = text_delta.encode(PLAIN.interpret(RUN, value), "Hello, world").payload
    assert payload == '{"+":"","type":"COMPLETED","text":12}'
    assert text_delta.decode_detached(payload, PLAIN, text="Hello, world") == value


@SOME
@given(objects, texts)
def test_a_row_without_keep_leaves_the_text_as_it_was(value, text):
    assert text_delta.decode(json_text.dumps(value), None, PLAIN, text=text) == (value, text)
