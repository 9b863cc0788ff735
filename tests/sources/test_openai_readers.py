"""Runs that are told in pieces: what the readers of OpenAI's interfaces make of them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.codec import json_text
from runreel.codec.plain_json import result_value
from runreel.codec.token_counts import NOT_UNDERSTOOD
from runreel.model.events import STREAM_EVENT
from runreel.model.results import Usage
from runreel.model.status import RunStatus, StreamEvent
from runreel.projection.projector import RunProjector
from runreel.sources import reader_of
from tests.live import openai_script as script
from tests.rules.recordings import meaning, read, write
from tests.strategies import MANY, SOME, exact, texts, values

RESPONSES, CHAT = reader_of("openai-responses"), reader_of("openai-chat")
ITEMS = [
    script.output_of(["Hello, ", "world"], ["Second"]),
    script.call("f", {"n": 1}),
    script.message("m2", [script.refusal_part("No, no.")]),
]
TOLD = {
    RESPONSES: [
        *script.events(ITEMS, chunk=3),
        *script.events([script.output_of(["Again"])], id_="resp_2", chunk=2),
        *script.events(ITEMS[:1], id_="resp_3", end="failed", error={"message": "x"}),
        {"error": {"message": "m", "code": 3}},
    ],
    CHAT: [
        *script.chunks("Hello, world", used=script.chat_usage(9, 12)),
        *script.chunks(calls=[("f", '{"n": 1}'), ("g", "[")]),
        {"error": {"message": "m", "code": 3}},
    ],
}
READERS = pytest.mark.parametrize("reader", [RESPONSES, CHAT], ids=lambda reader: reader.name)


def folded(reader, rows, erased=()):
    """The events that rows mean, and the state after them."""
    fold, events = RunProjector("run-1", reader.name), []
    for row in rows:
        gone = {"payload": None, "salt": None, "redacted": b"x"} if row.seq in erased else {}
        events.append(fold.apply(row._replace(**gone)).interpretation.event)
    return [event for event in events if event is not None], fold


def written(reader, told):
    return write(reader, [(STREAM_EVENT, value) for value in told])


@READERS
def test_a_stream_reads_back_exactly_and_costs_little(reader):
    rows = written(reader, TOLD[reader])
    assert exact(read(reader, rows)) == exact(TOLD[reader])


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    deeper = [
        place
        for key, item in items
        if isinstance(item, (dict, list))
        for place in places(item, (*at, key))
    ]
    return [
        *((*at, key) for key in (value if isinstance(value, dict) else range(len(value)))),
        *deeper,
    ]


@st.composite
def spoiled(draw: Any, told: list[Any]) -> list[Any]:
    """A stream with something amiss: events lost, doubled, out of order, changed, without keys."""
    told = copy.deepcopy(told)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(told) - 1))
        match draw(st.sampled_from(["lose", "double", "move", "change", "drop"])):
            case "lose" if len(told) > 1:
                told.pop(place)
            case "double":
                told.insert(place, copy.deepcopy(told[place]))
            case "move":
                told.insert(draw(st.integers(0, len(told) - 1)), told.pop(place))
            case what if isinstance(told[place], dict) and told[place]:
                *path, last = draw(st.sampled_from(places(told[place])))
                holder = told[place]
                for key in path:
                    holder = holder[key]
                if what == "drop" and isinstance(holder, dict):
                    del holder[last]
                else:
                    holder[last] = draw(values | texts)
    return told


@READERS
@MANY
@given(data=st.data())
def test_a_spoiled_stream_reads_back_exactly_and_means_something(reader, data):
    told = data.draw(spoiled(TOLD[reader]))
    rows = written(reader, told)
    assert exact(read(reader, rows)) == exact(told)
    _, fold = folded(reader, rows)
    json_text.dumps(result_value(fold.state.result))
    assert fold.state.usage is None or fold.state.usage.total_tokens < 2**62


@READERS
@SOME
@given(data=st.data())
def test_what_is_erased_leaves_placeholders_in_the_text_that_follows(reader, data):
    told = TOLD[reader][:20]
    rows = written(reader, told)
    deltas = [row.seq for row in rows if row.type == "PARTIAL_MESSAGE"]
    erased = data.draw(st.sets(st.sampled_from(deltas[:-1])))
    whole, _ = folded(reader, rows)
    left, _ = folded(reader, rows, erased)
    kept = [event for seq, event in zip(deltas, whole, strict=False) if seq not in erased]
    for before, after in zip(kept, left, strict=False):
        if before.status is not StreamEvent.PARTIAL_MESSAGE or len(before.parts) > 1:
            break
        assert len(after.text) == len(before.text)
        assert all(now in (then, "█") for then, now in zip(before.text, after.text, strict=True))


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 1), st.text("abя\ud83d\ude00", min_size=1)),
        max_size=12,
    )
)
def test_the_parts_are_what_was_told_of_each(pieces):
    told = [
        {
            "type": "response.output_text.delta",
            "output_index": output,
            "content_index": content,
            "delta": text,
        }
        for output, content, text in pieces
    ]
    events, _ = folded(RESPONSES, written(RESPONSES, told))
    expected: dict[tuple[int, int], str] = {}
    for (output, content, text), event in zip(pieces, events, strict=True):
        expected[output, content] = expected.get((output, content), "") + text
        whole = [expected[part] for part in sorted(expected)]
        assert exact(list(event.parts)) == exact([_paired(part) for part in whole])


def _paired(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def test_a_piece_is_stored_with_what_differs_from_the_usual():
    usual = RESPONSES.envelope("PARTIAL_MESSAGE", None, "Hel")
    told = [usual, {**usual, "delta": "lo", "item_id": "m", "output_index": 0.0}]
    first, second = written(RESPONSES, told)
    assert first.payload == '{"+":"Hel"}'
    assert second.payload == '{"+":"lo","output_index":0.0,"item_id":"m"}'
    assert exact(read(RESPONSES, [first, second])) == exact(told)


def test_what_repeats_the_text_stores_none_of_it():
    told = script.events([script.output_of(["Hello, ", "world"], ["Second"])])
    rows = written(RESPONSES, told)
    assert "".join(row.payload for row in rows).count("orld") == 1
    assert sum(row.added or 0 for row in rows) == len("Hello, worldSecond")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a": [1, 1.0, 9007199254740993]}', {"a": [1, 1.0, 9007199254740993]}),
        ("", {}),
        ("{", {"_unparsed": "{"}),
        ("[1]", {"_unparsed": "[1]"}),
        ('{"n": NaN}', {"_unparsed": '{"n": NaN}'}),
        ('{"a":' * 125 + "1" + "}" * 125, {"_unparsed": '{"a":' * 125 + "1" + "}" * 125}),
    ],
)
def test_arguments_are_parsed_or_kept_as_the_model_wrote_them(arguments, expected):
    item = script.call("f", arguments)
    _, fold = folded(RESPONSES, written(RESPONSES, script.events([item])))
    (called,) = fold.state.result.tool_calls
    assert exact(called.function.arguments) == exact(expected)
    json_text.dumps(result_value(fold.state.result))


def test_calls_of_custom_tools_have_their_input_for_arguments():
    item = {"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "SELECT 1"}
    whole = script.response(output=[item])
    (called,) = meaning(RESPONSES, "run", whole).result.tool_calls
    assert (called.id, called.function.name, called.function.arguments) == (
        "c",
        "sql",
        {"input": "SELECT 1"},
    )


@pytest.mark.parametrize("count", [-1, 2**63, 2**64, 1.5, True, "7", None])
def test_a_count_that_is_none_makes_the_usage_unknown_as_a_whole(count):
    usage = {"input_tokens": count, "output_tokens": 1, "output_tokens_details": None}
    reading = meaning(RESPONSES, "run", script.response(usage=usage))
    assert (reading.usage, reading.unread) == (NOT_UNDERSTOOD, ("usage",))
    chunk = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": count}}
    reading = meaning(CHAT, "stream_event", chunk)
    assert (reading.usage, reading.unread) == (NOT_UNDERSTOOD, ("usage",))


def test_usage_that_a_response_reports_again_is_counted_once_it_is_understood():
    odd, good = {"input_tokens": None, "output_tokens": 1}, {"input_tokens": 2, "output_tokens": 1}
    fold = RunProjector("run-1", "openai-responses")
    for usage, expected in (
        (odd, None),
        (odd, None),
        (good, Usage(2, 3, 1)),
        (good, Usage(2, 3, 1)),
    ):
        value = script.response(usage=usage)
        event = fold.reader.interpret("run", value)
        fold.apply_event(event, 0, event.read("", fold.state.adapter_memory))
        assert fold.state.usage == expected


def test_a_chat_stream_counts_the_usage_of_its_last_report():
    fold = RunProjector("run-1", "openai-chat")
    for made, expected in ((None, None), (5, Usage(9, 14, 5)), (4, Usage(9, 13, 4)), (-1, None)):
        value = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": made}}
        event = fold.reader.interpret("stream_event", value)
        fold.apply_event(event, 0, event.read("", fold.state.adapter_memory))
        assert fold.state.usage == expected


@READERS
def test_the_state_goes_with_the_stream(reader):
    statuses = []
    fold = RunProjector("run-1", reader.name)
    for row in written(reader, TOLD[reader]):
        fold.apply(row)
        if not statuses or statuses[-1] is not fold.state.status:
            statuses.append(fold.state.status)
    progress, calls = RunStatus.IN_PROGRESS, RunStatus.TOOL_CALLS
    done, failed = RunStatus.COMPLETED, RunStatus.FAILED
    expected = {
        RESPONSES: [progress, calls, progress, done, progress, failed],
        CHAT: [progress, done, calls, failed],
    }
    assert statuses == expected[reader]
