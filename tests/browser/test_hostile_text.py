"""Text of others is only ever text: it makes no element, runs nothing, and asks for nothing."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from urllib.parse import quote, urlencode

import pytest

import runreel
from tests.browser.clock import ticking
from tests.browser.visits import PHONE
from tests.cli import hostile
from tests.cli.test_safe import is_harmful
from tests.web.conftest import serving
from tests.web.test_hostile_text import MARKUP

HARM = [*MARKUP, *hostile.inputs(60, seed=11)]
# Elements with the names of their attributes; texts and values as the reader of a page has them.
_LOOK = """
() => {
  const shape = [], texts = [document.title];
  for (const element of document.body.children) texts.push(element.textContent);
  for (const element of document.querySelectorAll("*")) {
    // What is shown of the page changes while it is live.
    const names = element.getAttributeNames().filter((name) => !["hidden", "rel"].includes(name));
    shape.push([element.localName, ...names.sort()].join(" "));
    for (const name of element.getAttributeNames()) texts.push(element.getAttribute(name));
    if ("value" in element) texts.push(String(element.value));
  }
  const isData = (script) => script.type === "application/json";
  const scripts = [...document.scripts].filter((one) => !isData(one)).map((one) => one.src);
  return {shape, texts, scripts};
}
"""


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """The pages of a log of plain texts, and of the same log with harm in their place."""
    folder = tmp_path_factory.mktemp("hostile")
    plain = [f"t{number}" for number in range(len(HARM))]
    with (
        closing(runreel.open(folder / "plain.db")) as one,
        closing(runreel.open(folder / "harm.db")) as other,
    ):
        told = []
        for reel, texts in ((one, plain), (other, HARM)):
            # What happens in a run's time is on its page, too.
            with ticking():
                told.append((reel, hostile.tell(reel, texts)))
        with serving(one) as first, serving(other) as second:
            yield [
                (access, list(_pages(runs, texts)))
                for access, (_, runs), texts in zip(
                    (first, second), told, (plain, HARM), strict=True
                )
            ]


def _pages(runs, texts):
    """Paths with the status, and whether texts choose what is on the page."""

    def path(page, **values):
        return f"{page}?{urlencode(values, errors='replace')}"

    yield "/", 200, False
    yield path("/", model=texts[0], label=f"k={texts[2]}"), 200, False
    yield path("/", q=texts[1]), 200, True
    for run in runs:
        yield f"/run/{quote(run, safe='')}", 200, False
        yield f"/run/{quote(run, safe='')}?seq=2", 200, False
    for a, b in pairwise(runs):
        yield path("/diff", a=a, b=b), 200, True
    yield path("/usage", by="model"), 200, False
    yield path("/usage", by="label:known"), 200, False
    yield f"/run/{quote(texts[1], safe='')}", 404, False
    yield path("/", status=texts[1]), 400, False


@pytest.mark.parametrize("size", [None, PHONE], ids=["wide", "narrow"])
def test_text_of_others_adds_no_node(visit, sites, size):
    (plain, plain_pages), (harmed, harmed_pages) = sites
    before, after = (visit(one, **({"size": size} if size else {})) for one in (plain, harmed))
    shapes, others = {"ins", "del"}, set()
    for (plain_path, status, chosen), (path, _, _) in zip(plain_pages, harmed_pages, strict=True):
        expected = before.goto(plain_path, status=status).evaluate(_LOOK)
        page = after.goto(path, status=status)
        found = page.evaluate(_LOOK)
        shapes.update(expected["shape"])
        if chosen:
            others.update(found["shape"])
        else:
            assert found["shape"] == expected["shape"], path
        assert [one for one in found["scripts"] if not one.startswith(after.origin)] == [], path
        shown = "".join(found["texts"]).replace(hostile.JOINED, "")
        assert [char for char in shown if is_harmful(char)] == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= (size or (1280,))[0], path
    assert others <= shapes
    tags = {shape.partition(" ")[0] for shape in shapes}
    assert not tags & {"img", "iframe", "object", "embed", "base", "style"}
    assert len(after.requests) > len(harmed_pages)


def test_the_markup_is_shown_as_it_was_said(visit, sites):
    _, (harmed, pages) = sites
    opened = visit(harmed)
    runs = [path for path, *_ in pages if path.startswith("/run/") and "seq" not in path]
    shown = "".join(opened.goto(path).locator("body").inner_text() for path in runs[:-1])
    assert [text for text in MARKUP[:-1] if text not in shown] == []
    assert MARKUP[-1] not in shown
    assert "\\u202e<b>\\u2066" in shown
