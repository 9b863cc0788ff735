"""Lines that tell a text once more: read for what they add, they say what they say in full."""

from __future__ import annotations

import json
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.sources.lines import parse
from runreel.sources.spoken_lines import Growth, SpokenLines
from runreel.sources.yandex_assistants import reader
from runreel.words.log import STREAM_EVENT
from tests import traffic
from tests.strategies import MANY, texts

NUMBERS = st.integers(0, 12) | st.sampled_from([999, 10**17, 2**63])
# How programs write the same JSON, and what they write beside it.
SPELLINGS = st.fixed_dictionaries(
    {"ensure_ascii": st.booleans(), "separators": st.sampled_from([(",", ":"), (", ", ": ")])}
)
BESIDE = st.fixed_dictionaries(
    {},
    optional={
        "rpc": st.sampled_from(["ListenRun", "Listen\N{DIGIT ONE}я", '"currentEventIdx": "3"']),
        "idx": NUMBERS,
        "cursor": st.just({"currentEventIdx": "2"}),
        "run_id": st.sampled_from(["run-1", "run-2", "", 5]),
        "request": st.sampled_from([{}, {"runId": "run-1"}, {"runId": "run-2", "x": 1}, None, []]),
    },
)


def event(number: int, text: str) -> dict:
    return reader.envelope("PARTIAL_MESSAGE", number, text)


def check(raws: list[bytes]) -> int:
    """See that each line that is read so says what it says in full; how many there are."""
    spoken, growth, found = SpokenLines(), Growth(), 0
    for raw in raws:
        line = spoken.read(raw)
        if line is None or not growth.goes_on(line.text):
            continue
        found += 1
        whole = parse(raw)
        assert whole is not None
        assert (whole.source, whole.kind, whole.run_id) == (line.source, STREAM_EVENT, line.run_id)
        assert whole.value == event(line.number, growth.text)
    return found


@MANY
@given(st.lists(texts), st.lists(st.tuples(NUMBERS, BESIDE, SPELLINGS, st.booleans()), max_size=8))
def test_a_line_that_is_read_so_says_what_it_says_in_full(pieces, told):
    raws = []
    for text, (number, beside, spelling, before) in zip(accumulate(pieces), told, strict=False):
        line = {"type": "stream_event", "data": event(number, text)}
        line = beside | line if before else line | beside
        raws.append(json.dumps(line, **spelling).encode(errors="surrogatepass") + b"\n")
    check(raws)


@MANY
@given(st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3), st.integers(0, 4))))
def test_a_line_that_is_damaged_is_not_taken_for_another(damage):
    run = traffic.Run()
    raws = [json.dumps(run.partial("один" + " два" * n)).encode() + b"\n" for n in range(4)]
    for place, put, line in damage:
        raw = raws[line % 4]
        raws[line % 4] = raw[:place] + put + raw[place + 1 :]
    for n in range(len(raws)):
        check(raws[n:])


@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_the_lines_of_a_stream_are_read_so(ensure_ascii):
    run = traffic.Run()
    lines = [run.partial("Ответ: " + "да, " * n) for n in range(30)]
    raws = [json.dumps(line, ensure_ascii=ensure_ascii).encode() for line in lines]
    assert check(raws) == 30


@pytest.mark.parametrize(
    "change",
    [
        {"eventType": "DONE"},
        {"eventType": 1},
        {"streamCursor": {"currentEventIdx": 1}},
        {"streamCursor": {"currentEventIdx": "01"}},
        {"streamCursor": {"currentEventIdx": "0"}},
        {"streamCursor": {"currentEventIdx": ""}},
        {"streamCursor": {"currentEventIdx": None}},
        {"streamCursor": {"currentEventIdx": "\N{SUPERSCRIPT TWO}"}},
        {"streamCursor": None},
        {"partialMessage": {"content": []}},
        {"partialMessage": {"content": [{"text": {"content": "a"}}, {"text": {"content": "b"}}]}},
        {"partialMessage": {"content": [{"text": {"content": 1}}]}},
        {"partialMessage": {"content": [{"text": {"content": "\ud800"}}]}},
        {"partialMessage": {"content": [{"text": {"content": "a", "x": 1}}]}},
        {"error": None},
    ],
)
def test_a_line_that_says_anything_else_is_not(change):
    line = {"type": "stream_event", "data": event(1, "a") | change}
    assert check([json.dumps(line).encode()]) == 0


def test_a_frame_that_fits_two_places_is_not_gone_by():
    beside = {"type": "stream_event", "cursor": {"currentEventIdx": "7"}}
    lines = [beside | {"data": event(number, "a")} for number in (7, 7, 8, 9)]
    changed = [*lines, lines[-1] | {"cursor": {"currentEventIdx": "9"}}]
    assert check([json.dumps(line).encode() for line in changed]) == 5


def test_a_text_that_begins_anew_is_told_whole():
    growth = Growth()
    assert [growth.more(told) for told in (b'"a"', b'"a\\n"', b'"ab"', b'"b', b"7")] == [
        *("a", "\n", None, None, None)
    ]
    assert growth.begin(b'"ab"')
    assert growth.more(b'"ab\xd1\x8f"') == "я"
    assert growth.more(b'"ab\xd1\x8f\xd1"') is None
    assert not growth.begin(b'"\xff"')
