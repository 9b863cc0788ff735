"""The keys of the interactive replay, and what each does."""

from __future__ import annotations

from textual.binding import Binding

# The key as it is shown, the names of its keys, its action, what it does.
_KEYS = (
    ("space", "space", "play", "play, pause"),
    (". →", "full_stop,right,down", "step(1)", "one row on"),
    (", ←", "comma,left,up", "step(-1)", "one row back"),
    ("/", "slash", "ask('/')", "search a text"),
    ("n N", "n", "hit(1)", "next, previous place where it was found"),
    ("", "N", "hit(-1)", "previous place where it was found"),
    (":", "colon", "ask(':')", "go to a row (:12) or a time (:+1:30)"),
    ("[ ]", "left_square_bracket", "mark(-1)", "previous, next mark"),
    ("", "right_square_bracket", "mark(1)", "next mark"),
    ("g G", "g,home", "end(-1)", "first, last row"),
    ("", "G,end", "end(1)", "last row"),
    ("+ -", "plus,equals_sign", "speed(2)", "twice, half the speed"),
    ("", "minus", "speed(0.5)", "half the speed"),
    ("PgUp PgDn", "pageup", "scroll(1)", "scroll the text"),
    ("", "pagedown", "scroll(-1)", "scroll the text down"),
    ("Esc", "escape", "cancel", "leave a prompt"),
    ("?", "question_mark", "help", "this help"),
    ("q", "q", "quit", "quit"),
)
MARKS = "Marks: first text, tool calls, errors, longest gap"
HELP = tuple((shown, what) for shown, _, _, what in _KEYS if shown)
BINDINGS = (
    *(Binding(keys, action, what, show=False) for _, keys, action, what in _KEYS),
    Binding("ctrl+c", "interrupt", "quit", show=False, priority=True),
    Binding("ctrl+z", "suspend_process", "suspend", show=False, priority=True),
)
