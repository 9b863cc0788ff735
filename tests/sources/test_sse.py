"""The parser of server-sent events against a slow and plain model of the standard."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.sources.sse import ServerSentEvent, SSEParser, is_field
from tests.strategies import MANY

ENDS = st.sampled_from(["\n", "\r", "\r\n"])
NAMES = st.sampled_from(["data", "event", "id", "retry", "", "Data", "foo", "data ", " data"])
VALUES = st.text(
    st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=6
) | st.sampled_from(["", " ", "  x", ":", "12", "+1", "\ufeff", "a\0b", '{"a":', "\x85", "\u2028"])
FIELDS = st.builds("".join, st.tuples(NAMES, st.sampled_from(["", ":", ": ", ":  "]), VALUES))
LINES = FIELDS | st.just("") | st.just("data: x")
STREAMS = st.builds(
    lambda bom, lines, rest: (bom + "".join(map("".join, lines)) + rest).encode(),
    st.sampled_from(["", "\ufeff"]),
    st.lists(st.tuples(LINES, ENDS), max_size=25),
    LINES,
)


class Model:
    """The standard, sentence by sentence, on the whole text; the last, open event is kept."""

    def __init__(self, stream: bytes) -> None:
        self.events: list[ServerSentEvent] = []
        self.retry: int | None = None
        self.data = self.type = self.id = ""
        text = stream.decode().removeprefix("\ufeff")
        for line in [*re.split("\r\n|\r|\n", text), ""]:
            if line == "":
                self.dispatch()
            elif ":" not in line:
                self.process(line, "")
            elif not line.startswith(":"):
                field, value = line.split(":", 1)
                self.process(field, value.removeprefix(" "))

    def dispatch(self) -> None:
        if self.data != "":
            data = self.data.removesuffix("\n").encode()
            self.events.append(ServerSentEvent(self.type or "message", data, self.id))
        self.data = self.type = ""

    def process(self, field: str, value: str) -> None:
        if field == "event":
            self.type = value
        elif field == "data":
            self.data += value + "\n"
        elif field == "id" and "\0" not in value:
            self.id = value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            self.retry = int(value)


def model(stream: bytes) -> tuple[list[ServerSentEvent], int | None]:
    read = Model(stream)
    return read.events, read.retry


def parsed(pieces: list[bytes]) -> tuple[list[ServerSentEvent], int | None]:
    parser = SSEParser()
    events = [event for piece in pieces for event in parser.feed(piece)]
    return [*events, *parser.end()], parser.retry


@MANY
@given(STREAMS, st.data())
def test_any_stream_cut_anywhere_is_what_the_standard_says(stream, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [
        stream[start:stop] for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True)
    ]
    assert parsed(pieces) == model(stream)
    assert parsed([stream[n : n + 1] for n in range(len(stream))]) == model(stream)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_an_event_is_there_as_soon_as_its_empty_line_is(end):
    """Nothing waits for the byte behind a CR, which may be long in coming."""
    parser = SSEParser()
    for _ in range(3):
        assert parser.feed(b"data: x" + end) == []
        assert [event.data for event in parser.feed(end[:1])] == [b"x"]
        assert parser.feed(end[1:]) == []
    assert parser.end() == []


def test_a_long_event_in_many_chunks_takes_time_in_proportion():
    parser = SSEParser()
    for _ in range(20_000):
        assert parser.feed(b"x" * 100) == []
    assert parser.feed(b"\ndata: y\n\n") == [ServerSentEvent("message", b"y", "")]


@pytest.mark.parametrize(
    ("stream", "data"),
    [
        (b'data: {"a":\ndata:  1}\n\n', [b'{"a":\n 1}']),
        (b"\xef\xbb\xbfdata: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b": comment\nid: 7\nretry: 10\n\n", []),
        (b"data\n\ndata\ndata\n\ndata:", [b"", b"\n", b""]),
        (b"data: \xff\n\n", [b"\xff"]),
        (b"data: cut", [b"cut"]),
    ],
)
def test_examples(stream, data):
    events, _ = parsed([stream])
    assert [event.data for event in events] == data


def test_type_and_id_of_an_event():
    stream = b"event: error\nid: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\nid: x\0\ndata: d\n\n"
    events, _ = parsed([stream])
    assert [event[::2] for event in events] == [
        ("error", "7"),
        ("message", "7"),
        ("message", ""),
        ("message", ""),
    ]


@pytest.mark.parametrize(
    ("line", "known"),
    [
        (b"data: x", True),
        (b"data", True),
        (b":", True),
        (b"retry:1", True),
        (b'{"data": 1}', False),
        (b"datum: x", False),
        (b" data: x", False),
        (b"", False),
    ],
)
def test_lines_of_the_standard_are_known(line, known):
    assert is_field(line) is known
