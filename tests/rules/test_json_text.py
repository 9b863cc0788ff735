from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runreel.codec import json_text
from runreel.model.errors import BadValue
from tests.strategies import MANY, as_json, exact, nested, values


@MANY
@given(values)
def test_any_json_value_comes_back_exactly(value):
    assert exact(json_text.loads(json_text.dumps(value))) == exact(value)


@MANY
@given(values)
def test_a_value_is_spelled_as_the_standard_library_spells_it(value):
    spelled = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    escaped = spelled.encode("utf-8", "backslashreplace").decode()
    assert json_text.dumps(value) == escaped


@MANY
@given(values)
def test_a_payload_is_utf_8_without_nul_and_surrogates(value):
    payload = json_text.dumps(value)
    assert payload.encode().decode() == payload
    assert "\0" not in payload
    assert "\n" not in payload


@MANY
@given(st.dictionaries(st.text() | st.sampled_from(["\ud83d", "\0"]), values, max_size=5))
@example({"a": "".join(map(chr, range(0x2030))), "b": -(2**63), "c": 2**64 - 1})
@example({"a": 2**64, "b": "\ud83d\ude00"})
def test_an_object_is_spelled_alike_in_less_time(value):
    assert json_text.dumps_flat(value) == json_text.dumps(value)


@pytest.mark.parametrize(
    ("value", "payload"),
    [
        ({"b": [1, 1.0, True, None, -0.0, ""], "a": {}}, '{"b":[1,1.0,true,null,-0.0,""],"a":{}}'),
        ("привет", '"привет"'),
        ("a\0b", '"a\\u0000b"'),
        ("\ud83d", '"\\ud83d"'),
        ({"\udfff": "é"}, '{"\\udfff":"é"}'),
        ("\ud83d\ude00", '"\\ud83d\\ude00"'),
        (2**70, "1180591620717411303424"),
        (1e16, "1e+16"),
    ],
)
def test_a_payload_is_compact_json(value, payload):
    assert json_text.dumps(value) == payload
    assert exact(json_text.loads(payload)) == exact(as_json(value))


def test_a_surrogate_pair_comes_back_as_the_character_that_it_spells():
    assert json_text.loads(json_text.dumps("\ud83d\ude00")) == "😀"


JSON_TEXT = st.one_of(
    values.map(json.dumps),
    values.map(lambda value: json.dumps(value, ensure_ascii=False, indent=1)),
    st.text('[]{},:"\\ \t\n0123456789.eE+-truefalsnuNI\0\x1f\ud83dя', max_size=12),
)


@MANY
@given(
    JSON_TEXT, st.integers(0, 60), st.sampled_from(["", "0", "9", ",", '"', "\\", "}", "-", "e"])
)
@example("1" * 4300, 0, "0")
@example('"\\ud83d\\ude00"', 0, "")
def test_text_is_json_exactly_where_the_standard_library_says_so(text, place, wedge):
    text = text[:place] + wedge + text[place:]
    try:
        expected = json.loads(text)
    except ValueError:
        with pytest.raises(BadValue):
            json_text.loads(text)
        return
    if any(map(_endless, _leaves(expected))):
        with pytest.raises(BadValue):
            json_text.loads(text)
    else:
        assert exact(json_text.loads(text)) == exact(expected)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return (
        [leaf for item in value for leaf in _leaves(item)] if isinstance(value, list) else [value]
    )


def _endless(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def test_bytes_are_read_as_text_is():
    assert json_text.loads('{"a":"привет"}'.encode()) == {"a": "привет"}
    assert json_text.loads(b'"\\ud83d"') == "\ud83d"
    assert json_text.loads(b'\xef\xbb\xbf{"a":1}') == {"a": 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("NaN", "NaN is not JSON"),
        ('{"a":[-Infinity]}', "-Infinity is not JSON"),
        ("1e400", "number out of range for a float: 1e400"),
        ("[-1e999]", "number out of range for a float: -1e999"),
        ("9" * 5000, "not JSON: Exceeds the limit"),
        ("[" * 300 + "]" * 300, "nested more than 256 levels deep"),
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("[" * 100_000, "nested too deeply"),
        ("", "not JSON: Expecting value"),
        ("{", "not JSON: Expecting property name"),
        ("{'a': 1}", "not JSON: Expecting property name"),
        ("1 2", "not JSON: Extra data"),
        ('"\0"', "not JSON: Invalid control character"),
        (b'"\xff"', "not JSON: 'utf-8' codec can't decode byte 0xff"),
    ],
    ids=repr,
)
def test_text_that_is_no_json_is_refused_with_the_reason(text, reason):
    with pytest.raises(BadValue, match=reason):
        json_text.loads(text)


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "not a JSON value: Out of range float"),
        ({"a": [math.inf]}, "not a JSON value: Out of range float"),
        (int("1" * 4000) ** 2, "not a JSON value: Exceeds the limit"),
        (b"bytes", "bytes is not JSON serializable"),
        ({1, 2}, "set is not JSON serializable"),
        (Decimal(1), "Decimal is not JSON serializable"),
        (datetime(2026, 1, 1, tzinfo=UTC), "datetime is not JSON serializable"),
        ({("a", "b"): 1}, "keys must be str"),
        (CIRCLE, "not a JSON value: Circular reference"),
        (nested(129), "nested more than 128 levels deep"),
        ({"a": nested(128)}, "nested more than 128 levels deep"),
        (nested(100_000), "nested too deeply"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_is_no_json_is_refused_with_the_reason(value, reason):
    with pytest.raises(BadValue, match=reason):
        json_text.dumps(value)


def test_what_is_stored_can_be_read_even_wrapped_in_a_line_of_an_export():
    deepest = nested(128)
    assert json_text.loads(json_text.dumps(deepest)) == deepest
    line = json.dumps({"type": "run", "data": {"raw": deepest}})
    assert json_text.loads(line) == {"type": "run", "data": {"raw": deepest}}


def test_brackets_in_text_are_not_nesting():
    text = "[{" * 10_000
    assert json_text.loads(json_text.dumps([text])) == [text]


@MANY
@given(values)
def test_equal_values_have_equal_canonical_bytes_whatever_the_order_of_keys(value):
    assert json_text.canonical(_backwards(value)) == json_text.canonical(value)


def _backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _backwards(item) for key, item in reversed(value.items())}
    return [_backwards(item) for item in value] if isinstance(value, list) else value


def test_unequal_values_have_unequal_canonical_bytes():
    alike = [1, 1.0, True, "1", [1], {"1": 1}, None, "", "null", 0, -0.0, 0.0, False, [], {}]
    assert len({json_text.canonical(value) for value in alike}) == len(alike)
