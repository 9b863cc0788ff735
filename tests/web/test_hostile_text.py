"""Text of others is only ever text: no page has an element or an attribute more for it."""

from __future__ import annotations

import re
from contextlib import closing
from importlib import resources
from itertools import pairwise
from urllib.parse import quote, urlencode

import runreel
from runreel.codec.escaping import escape
from tests.cli import hostile
from tests.cli.test_safe import is_harmful
from tests.web.conftest import browsing
from tests.web.pages import Page

MARKUP = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    "</pre></title></textarea><h1>",
    "<!--",
    "]]>",
    "![](http://127.0.0.1:9/x) [x](javascript:alert(1))",
    "{{ 7 * 7 }}{% include 'run.html' %}",
    "&lt;b&gt;&amp;",
    "javascript:alert(1)",
    "\u202e<b>\u2066",
)
UPLOT = "uplot/uPlot.iife.min.js"
# Modules of this package, its library, and data.
OUR_SCRIPTS = {
    *(
        (("type", "module"), ("src", f"/static/{name}.js"))
        for name in ("runs", "run_live", "usage")
    ),
    (
        ("type", "text/javascript"),
        ("defer", None),
        ("src", "/static/vendor/uplot/uPlot.iife.min.js"),
    ),
    (("type", "application/json"), ("data-chart", "chart-1")),
    (("type", "module"), ("src", "/static/run_page.js")),
    (("type", "application/json"), ("id", "run-data")),
}


def _pages(file, texts):
    """Pages by their kind."""
    with closing(runreel.open(file)) as reel:
        runs = hostile.tell(reel, texts)
        with browsing(reel) as client:

            def get(path, **values):
                query = urlencode(values, errors="replace")
                answer = client.get(f"{path}?{query}" if query else path)
                text = answer.content.decode().replace(hostile.JOINED, "")
                assert [repr(char) for char in text if is_harmful(char)] == []
                return answer.status_code, Page(answer.text)

            return {
                "run": [get(f"/run/{quote(run, safe='')}") for run in runs],
                "list": [get("/"), get("/", model=texts[0], label=f"k={texts[2]}")],
                "usage": [
                    get("/usage"),
                    get("/usage", by="model"),
                    get("/usage", by="label:known"),
                ],
                "log": [get("/log")],
                "problem": [get(f"/run/{quote(texts[number], safe='')}") for number in range(4)]
                + [get("/", status=texts[1]), get("/", **{"x" + texts[3]: "1"})],
                "search": [get("/", q="<"), get("/", q=texts[1])],
                "diff": [get("/diff", a=a, b=b) for a, b in pairwise(runs)],
            }


def test_text_of_others_adds_no_element_and_hides_nothing(tmp_path):
    harm = [*MARKUP, *hostile.inputs(108, seed=7)]
    plain = _pages(tmp_path / "plain.db", [f"t{number}" for number in range(len(harm))])
    harmed = _pages(tmp_path / "harm.db", harm)
    tags = {tag for pages in plain.values() for _, page in pages for tag, _ in page.shape}
    names = {name for pages in plain.values() for _, page in pages for name in _attributes(page)}
    for kind, pages in harmed.items():
        for (expected, before), (status, after) in zip(plain[kind], pages, strict=True):
            assert status == expected
            # A search finds other places, and other words differ.
            if kind not in ("search", "diff"):
                assert before.shape == after.shape
            assert {tag for tag, _ in after.shape} <= tags
            assert _attributes(after) <= names
            for link in _links(after):
                assert link in ("data:,", "#main", "#usage") or re.match(r"/(?![/\\\\])", link)
    assert tags & {"img", "iframe", "style", "object", "base"} == set()
    scripts = [page for pages in harmed.values() for _, page in pages]
    assert {one for page in scripts for one in _scripts(page)} == OUR_SCRIPTS
    assert not any(name.startswith("on") or name == "style" for name in names)
    shown = " ".join(page.text for _, page in harmed["run"])
    assert [text for text in MARKUP if escape(text) not in shown] == []


def _scripts(page):
    return [tuple(one.attributes.items()) for one in page.elements if one.tag == "script"]


def _attributes(page):
    return {name for one in page.elements for name in one.attributes}


def _links(page):
    attributes = [pair for one in page.elements for pair in one.attributes.items()]
    return [value for name, value in attributes if name in ("href", "action", "src")]


def test_no_template_leaves_the_escaping_out():
    folder = resources.files("runreel.web").joinpath("templates")
    templates = [one for one in folder.iterdir() if one.name.endswith(".html")]
    assert len(templates) > 5
    for one in templates:
        text = one.read_text(encoding="utf-8")
        assert not re.search(
            r"\|\s*safe\b|autoescape|style=|<style|<script(?! type=)|\son\w+=", text
        ), one.name
