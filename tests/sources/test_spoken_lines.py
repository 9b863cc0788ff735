"""Lines that tell a text once more: read for what they add, they say what they say in full."""

from __future__ import annotations

import json
from itertools import accumulate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runreel.model.events import STREAM_EVENT
from runreel.sources.cumulative_lines import CumulativeText
from runreel.sources.line_cursor import LineCursor
from runreel.sources.line_parser import parse
from runreel.sources.yandex.reader import reader
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
    cursor, growth, found = LineCursor(), CumulativeText(), 0
    current: str | None = None
    for raw in raws:
        line = cursor.cumulative(raw)
        assert cursor.run_id == current, "to read a line does not move the cursor"
        if line is None or not growth.update(line.text):
            cursor.skip(raw)
            current = cursor.run_id
            continue
        found += 1
        whole = parse(raw)
        assert whole is not None
        assert (whole.source, whole.kind, whole.run_id) == (line.source, STREAM_EVENT, line.run_id)
        assert whole.value == event(line.number, growth.text)
        current = whole.run_id or current
        assert cursor.move(line) == current
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
@example([(0, b"\n\n", 0)])
@given(st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=3), st.integers(0, 4))))
def test_a_line_that_is_damaged_is_not_taken_for_another(damage):
    run = traffic.Run()
    raws = [json.dumps(run.partial("один" + " два" * n)).encode() + b"\n" for n in range(4)]
    for place, put, line in damage:
        raw = raws[line % 4]
        raws[line % 4] = raw[:place] + put + raw[place + 1 :]
    for n in range(len(raws)):
        check(raws[n:])


@MANY
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=40))
def test_a_line_among_those_of_other_runs_keeps_its_run(order):
    """Lines of several runs in any order, each spelled in one of several ways."""
    spellings = [
        lambda line, id_: line | {"request": {"runId": id_}},
        lambda line, id_: {"request": {"runId": id_}} | line,
        lambda line, id_: line | {"run_id": id_},
        lambda line, _: line,
    ]
    texts = [""] * 4
    raws = []
    for number, (run, spelling) in enumerate(order):
        texts[run] += f"{number} "
        line = {"type": "stream_event", "data": event(number, texts[run])}
        raws.append(json.dumps(spellings[spelling](line, f"run-{run}")).encode() + b"\n")
    assert check(raws) == len(raws)


@pytest.mark.parametrize(
    ("raw", "run_id"),
    [
        (b'{"run_id": "a", "x": NaN', "a"),
        (b'{"request": {"runId" : "a b"}, "da', "a b"),
        ('{"run_id": "жук"'.encode(), "жук"),
        (json.dumps({"run_id": 'жук "1"\n'}).encode()[:-1], 'жук "1"\n'),
        (b'{"type": "run", "data": {"id": "a", "st', "a"),
        (b'{"run_id": "\xff"', "\ufffd"),
        (b'{"x": "\\"run_id\\": \\"b\\""', None),
        (b'{"run_id": "a', None),
        (b"{", None),
    ],
)
def test_an_unreadable_line_moves_to_the_run_that_it_names(raw, run_id):
    cursor = LineCursor()
    assert cursor.skip(raw) == run_id
    assert cursor.run_id == run_id


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
    growth = CumulativeText()
    assert [growth.append_from(told) for told in (b'"a"', b'"a\\n"', b'"ab"', b'"b', b"7")] == [
        *("a", "\n", None, None, None)
    ]
    assert growth.restart(b'"ab"')
    assert growth.append_from(b'"ab\xd1\x8f"') == "я"
    assert growth.append_from(b'"ab\xd1\x8f\xd1"') is None
    assert not growth.restart(b'"\xff"')
