"""Files of runs, opened from the disk: accessible, and asking for nothing."""

from __future__ import annotations

from contextlib import closing

import pytest

import runreel
from tests.browser import axe
from tests.browser.clock import ticking
from tests.browser.test_hostile_text import HARM
from tests.browser.visits import DESKTOP, PHONE
from tests.cli import hostile, stories
from tests.cli.test_safe import is_harmful

_TEXTS = """
() => {
  const texts = [document.title];
  for (const element of document.querySelectorAll("body, body *:not(script)")) {
    for (const node of element.childNodes) if (node.nodeType === 3) texts.push(node.data);
    for (const name of element.getAttributeNames()) texts.push(element.getAttribute(name));
  }
  return texts.join("\\n");
}
"""
_TAGS = "() => [...new Set([...document.querySelectorAll('*')].map((one) => one.localName))]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a file of each run, and one of all."""
    folder = tmp_path_factory.mktemp("files")
    with ticking(), closing(runreel.open(folder / "log.db")) as reel:
        stories.tell_done(reel)
        reel.export(folder / "run-done.html", ["run-done"])
        for number, run in enumerate(hostile.tell(reel, HARM)):
            reel.export(folder / f"harm{number}.html", [run])
        reel.export(folder / "all.html")
    return folder


def opened(visit, file, **more):
    """The file in the browser."""
    one = visit("file://", **more)
    one.page.goto(file.as_uri())
    return one


@pytest.mark.parametrize(
    ("theme", "size"), [("light", PHONE), ("dark", DESKTOP)], ids=["light", "dark"]
)
def test_the_file_is_accessible(visit, folder, theme, size):
    for name in ("run-done.html", "all.html"):
        page = opened(visit, folder / name, theme=theme, size=size).page
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        page.locator(".player canvas").last.wait_for()
        found = axe.findings(page)
        # The runs of one file have parts of the same names.
        assert [one for one in found if not one.startswith("moderate landmark-unique")] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


def test_text_of_others_stays_text(visit, folder):
    files = sorted(folder.glob("harm*.html"))
    assert len(files) > 3
    plain = opened(visit, folder / "run-done.html").page
    plain.keyboard.press("?")
    tags = set(plain.evaluate(_TAGS))
    for file in files:
        one = opened(visit, file)
        one.page.locator(".slider").fill("2")
        one.page.keyboard.press("?")
        shown = one.page.evaluate(_TEXTS).replace(hostile.JOINED, "")
        assert [char for char in shown if is_harmful(char) and char != "\r"] == [], file
        assert set(one.page.evaluate(_TAGS)) <= tags | {"b", "a", "details", "summary"}
        assert one.requests == [file.as_uri()]
