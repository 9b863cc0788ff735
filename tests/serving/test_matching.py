"""Which recording answers a request, and what a miss says; no server, no log."""

from __future__ import annotations

import copy
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from runreel.serving.canonical import EXCEPTIONS, Canonicalizer
from runreel.serving.difference import first_difference
from runreel.serving.exchange import Exchange
from runreel.serving.matching import Matcher, Miss
from runreel.sources.requests import ANTHROPIC_MESSAGES, OPENAI_CHAT, OPENAI_RESPONSES
from tests.strategies import SOME

CHAT, RESPONSES = OPENAI_CHAT, OPENAI_RESPONSES


def exchange(run_id: str, body: Any, source: str = CHAT, **more: Any) -> Exchange:
    fields = {"seqs": (2,), "times": (0,), "streamed": (body or {}).get("stream") is True}
    return Exchange(run_id, 1, source, body, **{**fields, **more})


def chat(*texts: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text} for text in texts]
    return {"model": "m", "messages": messages, **more}


def found(matcher: Matcher, body: Any, source: str = CHAT) -> str:
    one = matcher.find(source, body)
    return one.reason if isinstance(one, Miss) else one.run_id


def miss(matcher: Matcher, body: Any, source: str = CHAT) -> Miss:
    one = matcher.find(source, body)
    assert isinstance(one, Miss)
    return one


def test_equal_requests_get_equal_recordings_in_order_then_the_last_again():
    matcher = Matcher(
        [exchange("a", chat("x")), exchange("b", chat("y")), exchange("c", chat("x"))]
    )
    assert [one.run_id for one in matcher.unused()] == ["a", "b", "c"]
    assert [found(matcher, chat("x")) for _ in range(4)] == ["a", "c", "c", "c"]
    assert [one.run_id for one in matcher.unused()] == ["b"]
    assert found(matcher, chat("y")) == "b"


def test_a_strict_matcher_gives_each_recording_once():
    matcher = Matcher([exchange("a", chat("x")), exchange("c", chat("x"))], strict=True)
    assert [found(matcher, chat("x")) for _ in range(3)] == ["a", "c", "used_up"]
    assert "call 1 of run c" in miss(matcher, chat("x")).message


def test_who_asks_does_not_count_and_what_is_asked_does():
    recorded = chat("x", temperature=1.0, seed=7)
    for name in EXCEPTIONS:
        matcher = Matcher([exchange("a", recorded)], strict=True)
        other = {"stream": False}.get(name, {"id": "other"})
        assert found(matcher, {**recorded, name: other}) == "a", name
    for name, value in (("temperature", 0.5), ("seed", None), ("model", "n"), ("tools", [])):
        matcher = Matcher([exchange("a", recorded)])
        one = miss(matcher, {**recorded, name: value})
        assert one.difference is not None
        assert (one.reason, one.difference.pointer) == ("different", f"/{name}")


def test_numbers_are_compared_as_numbers():
    matcher = Matcher([exchange("a", chat("x", temperature=1.0, top_p=1))])
    assert found(matcher, chat("x", temperature=1, top_p=1.0)) == "a"
    assert found(matcher, chat("x", temperature=True, top_p=1.0)) == "different"


def test_an_input_of_one_string_is_one_message_of_the_user():
    matcher = Matcher([exchange("a", {"model": "m", "input": "Hello?"}, RESPONSES)])
    listed = {"model": "m", "input": [{"role": "user", "content": "Hello?"}]}
    assert found(matcher, listed, RESPONSES) == "a"
    one = miss(matcher, {"model": "m", "input": "Hullo?"}, RESPONSES)
    assert one.difference == ("/input", "“Hello?”", "“Hullo?”")


def test_a_miss_names_the_closest_recording_and_the_words():
    long = " ".join(f"word{n}" for n in range(60))
    matcher = Matcher(
        [
            exchange("far", chat("a", "b", "c")),
            exchange("near", chat("Hi", f"{long} the weather in Berlin today {long}")),
            exchange("other", chat("Hi", "something else")),
        ]
    )
    one = miss(matcher, chat("Hi", f"{long} the weather in Munich today {long}"))
    assert one.closest is not None and one.closest.run_id == "near"
    assert one.difference is not None
    pointer, recorded, sent = one.difference
    assert pointer == "/messages/1/content"
    assert "Berlin" in str(recorded) and "Munich" in str(sent)
    assert len(str(recorded)) < 140
    assert str(one.difference) in one.message
    assert "call 1 of run near" in one.message


def test_a_missing_and_a_further_message_are_named():
    matcher = Matcher([exchange("a", chat("x", "y"))])
    assert miss(matcher, chat("x")).difference == (
        "/messages/1",
        '{"role":"user","content":"y"}',
        None,
    )
    one = miss(matcher, chat("x", "y", "z")).difference
    assert one == ("/messages/2", None, '{"role":"user","content":"z"}')


def test_a_miss_without_recordings_of_this_api_says_so():
    assert miss(Matcher([]), chat("x")).reason == "nothing"
    one = miss(Matcher([exchange("a", chat("x"))]), {"input": "x"}, RESPONSES)
    assert (one.reason, "the recordings are of openai-chat" in one.message) == (
        "other_source",
        True,
    )


def test_a_stream_answers_who_wants_it_whole_but_not_the_other_way():
    matcher = Matcher([exchange("a", chat("x", stream=True))])
    assert found(matcher, chat("x")) == "a"
    matcher = Matcher([exchange("a", chat("x"))])
    one = miss(matcher, chat("x", stream=True))
    assert one.message.endswith("its answer is not a stream, and this request asks for one")


def test_both_forms_of_an_answer_go_to_those_who_ask_for_them():
    matcher = Matcher([exchange("s", chat("x", stream=True)), exchange("w", chat("x"))])
    assert found(matcher, chat("x")) == "w"
    assert found(matcher, chat("x", stream=True)) == "s"


def turn(call: str, result: str = "sun", previous: str | None = None) -> dict[str, Any]:
    output = {"type": "function_call_output", "call_id": call, "output": result}
    asked = [] if previous else [{"type": "function_call", "call_id": call, "name": "f"}]
    more = {"previous_response_id": previous} if previous else {}
    return {"model": "m", "input": [*asked, output], **more}


def test_ids_that_a_program_makes_are_matched_by_their_order():
    matcher = Matcher([exchange("a", turn("call_1"), RESPONSES)], strict=True)
    assert found(matcher, turn("call_of_another_day"), RESPONSES) == "a"


def test_ids_of_other_recordings_are_not_taken_for_those_of_this_one():
    first = exchange("a", turn("c1", previous="r1"), RESPONSES, response_id="r9")
    matcher = Matcher([first, exchange("b", turn("c2", previous="r2"), RESPONSES)])
    assert found(matcher, turn("c2", previous="r2"), RESPONSES) == "b"
    assert found(matcher, turn("c1", previous="r1"), RESPONSES) == "a"
    assert found(matcher, turn("new", previous="newer"), RESPONSES) in ("a", "b")
    one = miss(matcher, turn("c1", previous="r9"), RESPONSES)
    assert "it goes on from r1, and this request from r9" in one.message


def test_an_id_in_two_places_is_one_id():
    body = turn("call_1")
    matcher = Matcher([exchange("a", body, RESPONSES)])
    broken = copy.deepcopy(body)
    broken["input"][1]["call_id"] = "another"
    assert found(matcher, broken, RESPONSES) == "different"


def test_an_id_of_a_tool_or_prompt_counts():
    body = {"model": "m", "prompt": {"id": "p1"}, "input": "x"}
    matcher = Matcher([exchange("a", body, RESPONSES)])
    assert found(matcher, {**body, "prompt": {"id": "p2"}}, RESPONSES) == "different"


def test_secrets_and_binary_data_are_compared_as_they_are_stored():
    image = "data:image/png;base64," + "QUJD" * 400
    key = "sk-" + "a1" * 20
    body = chat(f"my key is {key}", image)
    matcher = Matcher([exchange("a", body)], strict=True)
    assert found(matcher, body) == "a"
    # Stored with the mask "secrets", and with a digest of the image.
    stored = chat(f"my key is {'█' * len(key)}", image)
    matcher = Matcher([exchange("a", stored)], strict=True)
    assert found(matcher, body) == "a"
    assert found(matcher, chat(f"my key is {key}", image.replace("QUJD", "QUJE"))) == "different"


def test_erased_parts_are_equal_to_anything_as_long():
    matcher = Matcher([exchange("a", chat("I am ███ from Berlin"))])
    assert found(matcher, chat("I am Bob from Berlin")) == "a"
    assert found(matcher, chat("I am Anna from Berlin")) == "different"
    gap = {"type": "runreel.redacted", "run_id": "r", "seq": 1, "items": 2}
    recorded = {"model": "m", "messages": [gap, {"role": "user", "content": "go on"}]}
    matcher = Matcher([exchange("a", recorded)])
    assert found(matcher, chat("what", "ever", "go on")) == "a"
    assert found(matcher, chat("what", "go on")) == "different"
    assert found(matcher, chat("what", "ever", "stop")) == "different"


def test_an_unknown_request_answers_what_nothing_else_does():
    unknown = [exchange("u1", None), exchange("u2", None), exchange("w", None, RESPONSES)]
    matcher = Matcher([*unknown, exchange("a", chat("x"))])
    assert [found(matcher, chat(text)) for text in "xyzz"] == ["a", "u1", "u2", "u2"]
    assert found(Matcher([exchange("u", None)], strict=True), chat("x")) == "different"


def test_the_content_blocks_of_another_vendor_are_compared_too():
    block = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sun"}
    used = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
    body = {
        "model": "claude",
        "system": "s",
        "messages": [
            {"role": "assistant", "content": [used]},
            {"role": "user", "content": [block]},
        ],
    }
    matcher = Matcher([exchange("a", body, ANTHROPIC_MESSAGES)], strict=True)
    other = copy.deepcopy(body)
    other["messages"][0]["content"][0]["id"] = other["messages"][1]["content"][0]["tool_use_id"] = (
        "t"
    )
    assert found(matcher, other, ANTHROPIC_MESSAGES) == "a"


words = st.sampled_from(["red", "green", "ünïcode", "中文", "a b", "", "\x00", "😀", "/~"])
leaves = st.one_of(words, st.integers(-5, 5), st.booleans(), st.none(), st.floats(-2, 2))
contents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
bodies = st.fixed_dictionaries(
    {
        "model": words,
        "messages": st.lists(
            st.fixed_dictionaries({"role": words, "content": contents}), max_size=4
        ),
    },
    optional={"tools": contents, "temperature": leaves},
)


def at(value: Any, pointer: str) -> Any:
    for name in pointer.split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


@SOME
@given(bodies, bodies)
def test_requests_are_equal_or_their_first_difference_is_a_place_where_they_differ(a, b):
    form = Canonicalizer().canonical
    one, two = form(CHAT, a), form(CHAT, b)
    difference = first_difference(one, two, b)
    assert (one.exact == two.exact) == (difference is None)
    again = dict(reversed(copy.deepcopy(a).items()))
    assert form(CHAT, again).exact == one.exact
    if difference is not None:
        missing = object()
        values = []
        for body, shown in ((one.body, difference.recorded), (two.body, difference.sent)):
            try:
                values.append(at(body, difference.pointer))
            except (KeyError, IndexError):
                values.append(missing)
            assert (values[-1] is missing) == (shown is None)
        assert str(values[0]) != str(values[1])


@SOME
@given(st.lists(bodies, min_size=1, max_size=6), st.data())
def test_what_was_recorded_is_found_by_the_request_that_it_answered(recorded, data):
    form = Canonicalizer().canonical
    exchanges = [exchange(str(n), body) for n, body in enumerate(recorded)]
    matcher = Matcher(exchanges, strict=True)
    for number in data.draw(st.permutations(range(len(recorded)))):
        one = matcher.find(CHAT, copy.deepcopy(recorded[number]))
        assert isinstance(one, Exchange)
        assert one.request is not None
        assert form(CHAT, one.request).exact == form(CHAT, recorded[number]).exact
    assert matcher.unused() == []
    assert all(miss(matcher, body).reason == "used_up" for body in recorded)


@pytest.mark.parametrize("size", [400])
def test_a_miss_among_many_long_conversations_compares_few_of_them(size, monkeypatch):
    compared = []
    from runreel.serving import matching

    monkeypatch.setattr(
        matching, "number_of_differences", lambda *one: compared.append(one) or len(compared)
    )
    texts = [f"text {n}" for n in range(30)]
    matcher = Matcher([exchange(str(n), chat(*texts, f"end {n}")) for n in range(size)])
    assert miss(matcher, chat(*texts, "end none")).closest is not None
    assert len(compared) <= 8
