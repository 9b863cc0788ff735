"""What is a usage and what is none: whole, exact, never a zero that nobody reported."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runreel.codec import token_counts
from runreel.codec.token_counts import CHAT, NOT_UNDERSTOOD, PLAIN, RESPONSES, YANDEX, Tally, read
from runreel.model.errors import RunreelError
from runreel.model.results import Usage
from tests.strategies import MANY, lookalikes, scalars, values

LAST = 2**63 - 1
ODD = [-1, -1.0, 2**63, 10**30, 1e19, 12.5, True, False, "x", "", [], {}, [1], {"tokens": 1}]
STRINGS = ["14", "１４", "1_4", " 14", "1e3", "-1", "NaN", "0x1"]  # noqa: RUF001 - digits that int() takes
NAMES = [PLAIN, CHAT, RESPONSES, YANDEX]
EVERY = pytest.mark.parametrize("names", NAMES, ids=["plain", "chat", "responses", "yandex"])


def usage(names: token_counts.UsageKeys, *counts: object) -> dict[str, object]:
    return dict(zip((keys[0] for keys in names[:3]), counts, strict=False))


@EVERY
@pytest.mark.parametrize("odd", [*ODD, None])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_part_that_is_not_understood_makes_all_of_it_unknown(names, odd, place):
    counts: list[object] = [10, 5, 15]
    counts[place] = odd
    assert read(usage(names, *counts), names) == NOT_UNDERSTOOD


@pytest.mark.parametrize("text", STRINGS)
def test_strings_are_counts_in_proto_json_alone(text):
    for names in (PLAIN, CHAT, RESPONSES):
        assert read(usage(names, text, 5, 19), names) == NOT_UNDERSTOOD
    expected = Tally(14, 5, 19) if text == "14" else NOT_UNDERSTOOD
    assert read(usage(YANDEX, text, "5", "19"), YANDEX) == expected


@EVERY
@pytest.mark.parametrize("kind", [int, float])
def test_whole_floats_are_integers(names, kind):
    told = read(usage(names, kind(14), kind(7), kind(21)), names)
    assert told == Tally(14, 7, 21)
    assert told is not None
    assert {type(count) for count in told} == {int}


@EVERY
def test_the_largest_count_is_that_of_64_bits(names):
    assert read(usage(names, LAST, 0, LAST), names) == Tally(LAST, 0, LAST)
    assert read(usage(names, LAST + 1, 0, LAST), names) == NOT_UNDERSTOOD
    assert read(usage(PLAIN, LAST, 1), PLAIN) == NOT_UNDERSTOOD, "the sum is no count"


@EVERY
@pytest.mark.parametrize("nothing", [None, {}])
def test_where_nothing_is_reported_there_is_nothing_to_understand(names, nothing):
    zeros = Tally() if names is YANDEX and nothing == {} else None
    assert read(nothing, names) == zeros, "proto JSON leaves out zeros"
    assert read(usage(names, None, None, None), names) is None


@EVERY
@pytest.mark.parametrize("odd", [[], "12", 12, True, {"tokens": 12}, {"Total_Tokens": 1}])
def test_what_is_no_usage_object_is_not_understood(names, odd):
    assert read(odd, names) == NOT_UNDERSTOOD


@pytest.mark.parametrize(
    ("value", "counts"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 2}, (3, 2, 5)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 6}, (3, 2, 6)),
        ({"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}, (3, 2, 5)),
        ({"input_text_tokens": 3, "completion_tokens": 2}, (3, 2, 5)),
        ({"prompt_tokens": 3, "input_tokens": 3, "output_tokens": 2}, (3, 2, 5)),
        ({"prompt_tokens": 3, "input_tokens": None, "output_tokens": 2}, (3, 2, 5)),
        (
            {
                "input_tokens": 3,
                "cache_creation_input_tokens": 10,
                "cache_read_input_tokens": None,
                "output_tokens": 2,
            },
            (13, 2, 15),
        ),
        ({"input_tokens": 3, "cache_read_input_tokens": "4", "output_tokens": 2}, None),
        ({"prompt_tokens": 3, "input_tokens": 4, "output_tokens": 2}, None),
        ({"total_tokens": 9}, None),
        ({"prompt_tokens": 9}, None),
        ({"completion_tokens": 9, "total_tokens": 9}, None),
        ({"prompt_tokens": 9, "total_tokens": 9}, None),
    ],
)
def test_plain_lines_take_the_names_of_openai_and_anthropic(value, counts):
    assert read(value, PLAIN) == (NOT_UNDERSTOOD if counts is None else Tally(*counts))


def test_proto_json_leaves_out_zeros_and_has_two_names_for_a_field():
    assert read({"promptTokens": "12", "totalTokens": "12"}, YANDEX) == Tally(12, 0, 12)
    assert read({"prompt_tokens": "12", "total_tokens": 12}, YANDEX) == Tally(12, 0, 12)
    assert read({"prompt_tokens": "12", "promptTokens": "13"}, YANDEX) == NOT_UNDERSTOOD


KEYS = [
    *("input_text_tokens", "prompt_tokens", "input_tokens", "cache_read_input_tokens"),
    *("completion_tokens", "output_tokens", "total_tokens"),
    *("promptTokens", "completionTokens", "totalTokens"),
]
keys = st.sampled_from(KEYS)


@EVERY
@MANY
@given(value=st.dictionaries(keys, scalars | st.integers(-3, 9), max_size=5) | values | lookalikes)
@example(value={"total_tokens": 10**400})
@example(value={"totalTokens": 2**53 + 1})
def test_no_count_is_made_up(names, value):
    told = read(value, names)
    assert told in (None, NOT_UNDERSTOOD) or told.usage is not None
    if told is None or told.unread:
        return
    counts = (token_counts.count(part, proto=names.proto) for part in value.values())
    given_ = {count for count in counts if count is not None}
    absent = {0} if names is YANDEX else set()
    parts = (told.input_text_tokens, told.completion_tokens)
    if "cache_read_input_tokens" not in value:
        assert set(parts) <= given_ | absent
    assert told.total_tokens in given_ | absent | {sum(parts)}


@MANY
@given(st.lists(st.builds(Tally, *[st.integers(0, LAST)] * 3, st.integers(0, 1)), min_size=1))
def test_what_is_added_is_exact_and_unknown_once_a_part_of_it_is(tallies):
    total = Tally()
    for tally in tallies:
        assert total.plus(tally).minus(total) == tally
        total = total.plus(tally)
    sums = [sum(column) for column in zip(*tallies, strict=True)]
    assert total == Tally._make(sums)
    known = not sums[3] and max(sums[:3]) <= LAST
    assert total.usage == (Usage(sums[0], sums[2], sums[1]) if known else None)


@pytest.mark.parametrize("odd", [None, *ODD, *STRINGS, 1.0])
@pytest.mark.parametrize("name", ["input_text_tokens", "completion_tokens", "total_tokens"])
def test_a_program_is_refused_a_usage_that_is_none(name, odd):
    with pytest.raises(RunreelError, match=name):
        Usage(**{"input_text_tokens": 1, "completion_tokens": 1, "total_tokens": 2} | {name: odd})
    assert (
        Usage(input_text_tokens=LAST, completion_tokens=0, total_tokens=LAST).total_tokens == LAST
    )
