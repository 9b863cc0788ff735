"""The help of the interactive replay."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from runreel.cli.interactive import drawing, keys
from runreel.cli.interactive.pane import content

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType


class HelpScreen(ModalScreen[None]):
    """Lists the keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,question_mark,q,enter,space", "dismiss", "close the help")
    ]
    CSS = "HelpScreen { background: ansi_default; }"

    def compose(self) -> ComposeResult:
        """Lay out the text, which scrolls."""
        lines = [*drawing.help_lines(keys.HELP), [], [(keys.MARKS, "")]]
        with VerticalScroll():
            yield Static(content(lines))
