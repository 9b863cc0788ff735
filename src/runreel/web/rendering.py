"""Templates: values become HTML, and text of others only ever text."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from runreel.codec import json_objects
from runreel.codec.escaping import escape
from runreel.web import links, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# No template prints it otherwise: it is not escaped.
_FLUSH = Markup("<!--flush-->")


def render(template: str, values: Mapping[str, object]) -> str:
    """Return the HTML of a template of this package."""
    return _environment().get_template(template).render(values)


def pieces(template: str, values: Mapping[str, object]) -> Iterator[str]:
    """Yield the same in pieces, each of which ends where the template has ``flush``."""
    waiting: list[str] = []
    for text in _environment().get_template(template).generate(values):
        if text == _FLUSH:
            yield "".join(waiting)
            waiting.clear()
        else:
            waiting.append(text)
    yield "".join(waiting)


def data(value: object) -> Markup:
    """Return JSON for a script element: no character of it ends the element, or is invisible."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 - it is JSON without tags


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("runreel.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters.update(
        duration=words.duration,
        number=words.number,
        time=words.time,
        clip=words.clip,
        known=words.known,
        json=_json,
    )
    environment.globals.update(links=links, flush=_FLUSH, data=data)
    return environment


def _visible(value: object) -> object:
    """Make controls and invisible characters of every printed value visible.

    Jinja calls it for each value before it escapes the characters of HTML.
    """
    if isinstance(value, Markup):
        return value
    return escape(value) if isinstance(value, str) else escape(str(value))


def _json(value: object) -> str:
    """Return a text as it is, and any other value as JSON."""
    return value if isinstance(value, str) else json_objects.text(value, indent=2)
