"""Rows that were erased on purpose, and rows that something else has damaged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.codec import text_delta
from runreel.model.errors import BadValue
from tests.rules.recordings import PLAIN, READERS, meaning, plain_partial, read, recordings, write
from tests.strategies import MANY, exact


def lengths(reader: Any, value: Any) -> list[int]:
    return [len(container[key]) for container, key in reader.slots(value)]


def joined(reader: Any, value: Any) -> str:
    return "".join(container[key] for container, key in reader.slots(value))


@READERS
@MANY
@given(data=st.data())
def test_what_is_erased_leaves_placeholders_of_its_length_in_what_follows(reader, data):
    rows = write(reader, data.draw(recordings(reader)))
    whole = read(reader, rows)
    erased = [data.draw(st.booleans()) for _ in rows]
    left = [
        row._replace(payload=None, salt=None, redacted=b"commitment") if gone else row
        for row, gone in zip(rows, erased, strict=True)
    ]
    for row, gone, before, after in zip(rows, erased, whole, read(reader, left), strict=True):
        if gone:
            assert after is None
        elif row.keep is None:
            assert exact(after) == exact(before)
        else:
            assert lengths(reader, after) == lengths(reader, before)
            pairs = zip(joined(reader, before), joined(reader, after), strict=True)
            assert all(now in (then, "█") for then, now in pairs)


def test_only_what_an_erased_row_added_is_hidden():
    texts_ = ["My PIN ", "My PIN 1234", "My PIN 1234."]
    first, second, third = write(PLAIN, [plain_partial(n, [text]) for n, text in enumerate(texts_)])
    hidden = second._replace(payload=None, salt=None, redacted=b"commitment")
    told = read(PLAIN, [first, hidden, third])
    assert [value and value["text"] for value in told] == ["My PIN ", None, "My PIN ████."]


@READERS
@MANY
@given(data=st.data())
def test_a_damaged_row_reads_as_something_or_is_refused(reader, data):
    rows = write(reader, data.draw(recordings(reader)))
    hit = data.draw(st.sampled_from(rows))
    place, cut = data.draw(st.integers(0, len(hit.payload))), data.draw(st.integers(0, 3))
    wedge = data.draw(st.text('{}[]",:+0123456789nullparts', max_size=3))
    rows[hit.seq] = hit._replace(
        payload=hit.payload[:place] + wedge + hit.payload[place + cut :],
        keep=data.draw(st.sampled_from([hit.keep, None, 0, 3, -1, 2**63])),
        type=data.draw(st.sampled_from([hit.type, None, "DONE"])),
    )
    try:
        told = read(reader, rows)
    except BadValue:
        return
    for row, value in zip(rows, told, strict=True):
        meaning(reader, row.kind, value)


@READERS
@pytest.mark.parametrize(
    "payload",
    [
        *("", "{", "[]", "[1]", "1", '"+"', "null", "{}", '{"text":3}'),
        *('{"+":1}', '{"+":null}', '{"+":["a"]}', '{"+":"a"}'),
        *('{"+":"a","text":"b"}', '{"+":1,"text":5}', '{"+":"a","text":-9}', '"a"'),
        *('{"+":"a","text":{}}', '{"+":"a","parts":["a",1]}', '{"+":"a","parts":[1,2]}'),
    ],
)
def test_a_payload_that_the_codec_never_writes_is_refused_or_read_but_never_fails(reader, payload):
    for attempt in (
        lambda: text_delta.decode(payload, 0, reader, text="text"),
        lambda: text_delta.appended(payload),
        lambda: text_delta.decode_detached(payload, reader, text="text"),
    ):
        try:
            attempt()
        except BadValue as error:
            assert str(error).startswith(("the payload is damaged", "not JSON"))
