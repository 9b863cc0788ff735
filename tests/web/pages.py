"""Pages as a browser understands them."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import NamedTuple

_EMPTY = {"meta", "link", "input", "rect"}


class Element(NamedTuple):
    """A start tag."""

    tag: str
    attributes: dict[str, str | None]


class Page(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        # The contents of script elements, which a browser does not show.
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()

    @staticmethod
    def text_of(piece: str) -> str:
        """The text of a part of a page."""
        return unescape(re.sub(r"<script.*?</script>|<[^>]*>", "", piece))

    def handle_starttag(self, tag, attrs):
        self.elements.append(Element(tag, dict(attrs)))
        if tag not in _EMPTY:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append(Element(tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] == ["script"]:
            self.scripts.append(data)
            return
        self.words.append(data)
        if "td" in self._open or "th" in self._open:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return "".join(self.words)

    @property
    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        """Tags with the names of their attributes, in order."""
        return [(element.tag, tuple(element.attributes)) for element in self.elements]

    @property
    def links(self) -> list[str]:
        return [one.attributes.get("href") or "" for one in self.elements if one.tag == "a"]
