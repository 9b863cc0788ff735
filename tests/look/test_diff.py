"""The differences of two runs, in every part."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel import RunNotFound, UsageError
from runreel.model.run_diff import PARTS
from runreel.model.story import ToolCallStep
from runreel.model.timestamps import from_micros
from runreel.projection import call_alignment, json_diff, word_diff
from tests.calls.hook import CHAT, ask, chat, chat_calls, said, tool, user
from tests.cli import stories
from tests.cli.shapes import validate
from tests.live import openai_script as script
from tests.look.test_steps import imported, stamp

EPOCH = from_micros(0)
PARIS, PARI = '{"city": "Paris", "days": 1}', '{"city": "Pari", "days": 1}'


def record(
    reel, run_id, *, city=PARIS, answer="It is sunny today.", result="sunny", used=10, **body
):
    call = ("call_a", "weather", city)
    options = {"scope": {"run_id": run_id}}
    ask(reel, CHAT, chat(user("Weather?"), **body), chat_calls("one", call), **options)
    second = chat(user("Weather?"), said(None, call), tool("call_a", "sunny"), **body)
    chunks = script.chunks(answer, id_="two", used=script.chat_usage(used, 5))
    ask(reel, CHAT, second, chunks, **options)
    return run_id


def apply(text, changes):
    parts, end = [], 0
    for change in changes:
        assert text[change.a[0] : change.a[1]] == change.a_text
        parts += [text[end : change.a[0]], change.b_text]
        end = change.a[1]
    return "".join(parts) + text[end:]


def test_a_run_is_the_same_as_itself(reel, call):
    record(reel, "one")
    stories.tell_all(reel)
    for run in reel.runs():
        found = reel.diff(run.run_id, run.run_id)
        assert found.same
        assert all(getattr(found, part).same for part in PARTS)
    same = call("diff", "one", "one", "--exit-code")
    assert same.code == 0
    assert "Both are the same run." in same.err
    assert "differs" not in same.out


def test_two_recordings_of_one_prompt_name_what_changed(reel, call):
    record(reel, "one", temperature=0)
    record(reel, "two", city=PARI, answer="It is rainy today.", used=12, temperature=1, top_p=1)
    found = reel.diff("one", "two")
    assert not found.same
    changed = [(one.call, one.pointer, one.change, one.a, one.b) for one in found.request.changes]
    assert changed == [(0, "/temperature", "changed", 0, 1), (0, "/top_p", "added", None, 1)]
    (weather,) = found.tools.calls
    (argument,) = weather.arguments
    assert (weather.change, weather.name, weather.result) == ("changed", "weather", ())
    assert (argument.pointer, argument.a, argument.b) == ("/city", "Paris", "Pari")
    (word,) = found.text.changes
    assert (word.a, word.b, word.a_text, word.b_text) == ((6, 11), (6, 11), "sunny", "rainy")
    assert found.usage.difference["input_text_tokens"] == 2
    shown = call("diff", "one", "two", "--json")
    validate(shown.json, "diff")
    assert (shown.code, shown.json["same"]) == (0, False)
    table = call.good("diff", "one", "two").out
    assert "~ arguments /city: [-Paris-]{+Pari+}" in table
    assert "It is [-sunny-]{+rainy+} today." in table


def test_the_exit_code_and_the_parts(reel, call):
    record(reel, "one")
    record(reel, "two", used=11)
    assert call("diff", "one", "two", "--exit-code").code == 1
    assert call("diff", "one", "two", "--exit-code", "--ignore", "usage").code == 0
    assert call("diff", "one", "two", "--exit-code", "--only", "usage").code == 1
    assert call("diff", "one", "two", "--exit-code", "--only", "text").code == 0
    # Only equal clocks would make this the same.
    assert call("diff", "one", "two", "--exit-code", "--only", "timing").code == 1
    assert call("diff", "one", "two", "--only", "text", "--ignore", "text").code == 2
    assert call("diff", "one", "none").code == 2
    parts = call.good("diff", "one", "two", "--json", "--ignore", "text", "--ignore", "tools").json
    assert [part for part in PARTS if parts[part] is None] == ["tools", "text"]
    with pytest.raises(RunNotFound):
        reel.diff("one", "none")
    with pytest.raises(UsageError):
        reel.diff("one", "two", parts=("words",))


def test_times_are_those_of_the_runs(reel, tmp_path):
    for run_id, first, last in (("a", 1.25, 3), ("b", 1.5, 3.001)):
        lines = [
            {"type": "PENDING", "at": stamp(0.5), "requested_at": stamp(0)},
            {"type": "PARTIAL_MESSAGE", "text": "He", "at": stamp(first)},
            {"type": "DONE", "text": "Hello", "at": stamp(last)},
        ]
        imported(reel, tmp_path, [{**line, "run_id": run_id} for line in lines])
    found = reel.diff("a", "b")
    assert (found.same, found.text.same, found.timing.same) == (False, True, False)
    assert found.timing.a["duration_ms"] == 3000
    assert found.timing.difference["duration_ms"] == pytest.approx(1)
    assert found.timing.difference["longest_gap_ms"] == pytest.approx(-249)
    assert reel.diff("a", "b", parts=("text", "usage")).same


def test_a_result_that_never_came_differs_from_null(reel):
    step = ToolCallStep(1, EPOCH, 0.0, "x", "f", {}, None, 2, 0.0, complete=True)
    (pair,) = call_alignment.aligned([step], [replace(step, result_seq=None)])
    assert (pair.change, pair.result[0].change) == ("changed", "removed")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([1.0, "", "a/b", "~"]),
    lambda values: (
        st.lists(values, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b/c", "~d"]), values, max_size=3)
    ),
    max_leaves=8,
)


def changed(value, changes):
    """The value with the changes applied."""
    value = json.loads(json.dumps([value]))
    removed = []
    for change in changes:
        keys = [key.replace("~1", "/").replace("~0", "~") for key in change.pointer.split("/")]
        holder, keys = value, ["0", *keys[1:]]
        for key in keys[:-1]:
            holder = holder[int(key)] if isinstance(holder, list) else holder[key]
        key = int(keys[-1]) if isinstance(holder, list) else keys[-1]
        if change.change == "removed":
            removed.append((holder, key))
        elif change.change == "added" and isinstance(holder, list):
            holder.append(change.b)
        else:
            holder[key] = change.b
    for holder, key in reversed(removed):
        del holder[key]
    return value[0]


@given(a=JSON, b=JSON)
def test_the_changes_of_a_value_make_the_other(a, b):
    changes = list(json_diff.value_changes(a, b))
    found = json.dumps(changed(a, changes), sort_keys=True)
    assert found == json.dumps(b, sort_keys=True)
    assert bool(changes) is (json.dumps(a, sort_keys=True) != json.dumps(b, sort_keys=True))


WORDS = st.lists(st.sampled_from(["a", "b", "Погода", "世界", " ", "\n", "\r\n", "é\u0301", "."]))


@given(a=WORDS.map("".join) | st.text(), b=WORDS.map("".join) | st.text(), limit=st.booleans())
def test_the_changes_of_a_text_make_the_other(a, b, limit):
    with pytest.MonkeyPatch.context() as patch:
        if limit:
            # As for long texts: parts are divided, or different as a whole.
            patch.setattr(word_diff, "_MAX_PART", 4)
            patch.setattr(word_diff, "_MAX_PAIRS", 20)
        changes = word_diff.text_changes(a, b)
    assert apply(a, changes) == b
    assert (
        apply(
            b,
            [
                replace(one, a=one.b, b=one.a, a_text=one.b_text, b_text=one.a_text)
                for one in changes
            ],
        )
        == a
    )
    assert bool(changes) is (a != b)


def calls(names):
    return [
        ToolCallStep(
            seq, from_micros(0), 0.0, None, name, {"n": n}, None, None, None, complete=True
        )
        for seq, (name, n) in enumerate(names)
    ]


CALLS = st.lists(st.tuples(st.sampled_from("fg"), st.integers(0, 2)), max_size=7)


@given(a=CALLS, b=CALLS)
def test_every_call_is_aligned_once_in_order(a, b):
    found = list(call_alignment.aligned(calls(a), calls(b)))
    assert [one.a for one in found if one.a is not None] == list(range(len(a)))
    assert [one.b for one in found if one.b is not None] == list(range(len(b)))
    for one in found:
        if one.change == "same":
            assert a[one.a] == b[one.b]
        elif one.change == "changed":
            assert a[one.a] != b[one.b]
            assert a[one.a][0] == b[one.b][0]
            assert [change.pointer for change in one.arguments] == ["/n"]
    lengths = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for x, one in enumerate(a):
        for y, other in enumerate(b):
            best = max(lengths[x][y + 1], lengths[x + 1][y])
            lengths[x + 1][y + 1] = lengths[x][y] + 1 if one == other else best
    assert sum(one.change == "same" for one in found) >= lengths[-1][-1]
    assert all(one.change == "same" for one in found) is (a == b)


def test_the_same_words_many_times_are_compared_a_bounded_number_of_times():
    """A text of three words has no word that occurs once; full comparisons stay in their limit."""
    a = " ".join("abc"[n * n % 3] for n in range(4_000))
    b = " ".join("abc"[n * n * n % 3] for n in range(4_000))
    budget = [1_000]
    blocks = list(word_diff.changed_blocks(a.split(), b.split(), budget))
    assert blocks
    assert 0 <= budget[0] <= 1_000
