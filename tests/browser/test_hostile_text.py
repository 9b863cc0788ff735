"""Text of others is only ever text: it makes no element, runs nothing, and asks for nothing."""

from __future__ import annotations

from contextlib import closing
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
    yield f"/run/{quote(runs[0], safe='')}?seq=2", 200, False
    for run in runs:
        yield f"/run/{quote(run, safe='')}", 200, False
    yield path("/diff", a=runs[0], b=runs[1]), 200, True
    yield path("/usage", by="model"), 200, False
    yield path("/usage", by="label:known"), 200, False
    yield f"/run/{quote(texts[1], safe='')}", 404, False
    yield path("/", status=texts[1]), 400, False


def _walk(page):
    """Have the scripts of a run's page write texts of other rows."""
    if page.locator(".player canvas").count() == 0:
        return
    page.keyboard.press("[")
    page.locator(".slider").fill("3")
    page.get_by_role("heading", name="As of row 3").wait_for()
    with page.expect_response("**/api/run/**"):
        page.locator("details.raw summary").click()
    page.keyboard.press("?")
    page.keyboard.press("Escape")


def test_text_of_others_adds_no_node(visit, sites):
    (plain, plain_pages), (harmed, harmed_pages) = sites
    before, after = visit(plain), visit(harmed)
    shapes, others = {"ins", "del"}, set()
    for (plain_path, status, chosen), (path, _, _) in zip(plain_pages, harmed_pages, strict=True):
        pages = before.goto(plain_path, status=status), after.goto(path, status=status)
        for page in pages:
            _walk(page)
        expected, found = (page.evaluate(_LOOK) for page in pages)
        shapes.update(expected["shape"])
        if chosen:
            others.update(found["shape"])
        else:
            assert found["shape"] == expected["shape"], path
        assert [one for one in found["scripts"] if not one.startswith(after.origin)] == [], path
        shown = "".join(found["texts"]).replace(hostile.JOINED, "")
        assert [char for char in shown if is_harmful(char)] == [], path
    assert others <= shapes
    tags = {shape.partition(" ")[0] for shape in shapes}
    assert not tags & {"img", "iframe", "object", "embed", "base", "style"}
    assert len(after.requests) > len(harmed_pages)


def test_no_text_is_wider_than_a_phone(visit, sites):
    _, (harmed, pages) = sites
    opened = visit(harmed, size=PHONE)
    for path, status, _ in pages:
        page = opened.goto(path, status=status)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], path


def test_the_markup_is_shown_as_it_was_said(visit, sites):
    _, (harmed, pages) = sites
    opened = visit(harmed)
    runs = [path for path, *_ in pages if path.startswith("/run/") and "seq" not in path]
    shown = "".join(opened.goto(path).locator("body").inner_text() for path in runs[:-1])
    assert [text for text in MARKUP[:-1] if text not in shown] == []
    assert MARKUP[-1] not in shown
    assert "\\u202e<b>\\u2066" in shown


@pytest.mark.parametrize("backend", ["sqlite"])
def test_a_run_that_appears_adds_no_node(visit, reel):
    with serving(reel) as access:
        opened = visit(access)
        page = opened.goto("/")
        page.locator("#live", has_text="live").wait_for(state="attached")
        hostile.tell(reel, HARM[:20])
        page.locator("#runs tr").first.wait_for()
        found = page.evaluate(_LOOK)
        shown = "".join(found["texts"]).replace(hostile.JOINED, "")
        assert [char for char in shown if is_harmful(char)] == []
        rows = [shape for shape in found["shape"] if shape.split()[0] in ("img", "svg", "script")]
        assert rows == ["script src type"]
        assert MARKUP[0] in page.locator("#runs").inner_text()
        opened.forgive("ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_REFUSED")
