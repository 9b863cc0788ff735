"""What hypothesis draws from: JSON values, texts as answers grow, and sizes of examples."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

# A test's own time says nothing on a machine that is shared.
_ANYWHERE: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
MANY = settings(max_examples=250, **_ANYWHERE)
SOME = settings(max_examples=80, **_ANYWHERE)

INT64 = st.integers(-(2**63), 2**63 - 1)


def exact(value: Any) -> str:
    """A spelling that tells 1 from 1.0 from True and 0.0 from -0.0, whatever the order of keys."""
    return json.dumps(value, sort_keys=True)


def as_json(value: Any) -> Any:
    """The value as JSON reads it back: two surrogates that make a pair are one character."""
    return json.loads(json.dumps(value))


# Short texts of what breaks codecs: NUL, surrogates alone and in pairs, characters of every width.
_ODD = st.text(st.sampled_from('a"\\/\n\0\x1f\x7f\x85é\u2028\ufeff\uffffя\ud83d\ude00\ud800\udfff😀'))
texts = st.one_of(
    st.text(max_size=20),
    _ODD,
    st.text(st.characters(exclude_categories=()), max_size=20),
).map(as_json)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(10**60), 10**60),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, 0.0, -0.0, 1, 1.0, 2**53 + 1, 2**63, -(2**63) - 1, 2**64, 1e16, 5e-324]),
    texts,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(texts, values, max_size=4)


def _changed(parts: list[str]) -> st.SearchStrategy[list[str]]:
    """What a message may be after it was ``parts``: mostly longer, sometimes anything."""
    grown = texts.map(lambda more: [*parts[:-1], as_json((parts or [""])[-1] + more)])
    another = texts.map(lambda more: [*parts, more])
    cut = st.integers(0, 30).map(lambda n: [*parts[:-1], as_json((parts or [""])[-1][:n])])
    fewer = st.integers(0, 3).map(lambda n: parts[:n])
    rewritten = st.lists(texts, max_size=4)
    return st.one_of(grown, grown, another, cut, fewer, rewritten)


@st.composite
def tellings(draw: Callable[..., Any], max_size: int = 8) -> list[list[str]]:
    """The parts of a run's message, event by event: growing, shrinking, rewritten."""
    told: list[list[str]] = [draw(st.lists(texts, max_size=3))]
    for _ in range(draw(st.integers(0, max_size - 1))):
        told.append(draw(_changed(told[-1])))
    return told


def nested(depth: int) -> Any:
    """A value of that many arrays, one in the other."""
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


