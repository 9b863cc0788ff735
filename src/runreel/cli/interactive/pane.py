"""A part of the screen whose lines are drawn when they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.content import Content
from textual.widget import Widget

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runreel.cli.interactive.drawing import Line


class Pane(Widget):
    """Shows what ``draw`` returns for a width and a height."""

    can_focus = False

    def __init__(self, draw: Callable[[int, int], list[Line]], name: str) -> None:
        super().__init__(id=name)
        self._draw = draw

    def render(self) -> Content:
        """Return the lines; no text is read as markup."""
        return content(self._draw(self.size.width, self.size.height))


def content(lines: Sequence[Line]) -> Content:
    """Return lines as Textual shows them."""
    return Content("\n").join(
        Content.assemble(*(Content.styled(text, style) for text, style in line)) for line in lines
    )
