"""Where a text stands in a run: in its rows' strings, and in what pieces of several rows spell."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from runreel.codec.json_text import loads
from runreel.codec.patterns import Pattern, Spans, TooSlow
from runreel.codec.text_delta import APPENDED
from runreel.model.errors import UsageError
from runreel.model.events import MASKED, NOTE, PRUNED, REDACTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.model.events import EventRow

Path = tuple[str | int, ...]

# How far a match of a pattern may reach back into what came before.
_REACH = 1_000
# Seconds that a pattern is given for one string, or for a text that rows spell together.
SECONDS = 2.0
# Strings that sources tell piece by piece, and that a row keeps as it came.
_PIECES = frozenset(("delta", "arguments", "content", "refusal", "reasoning_content", "text"))
_ESCAPE = re.compile(r"\\u[0-9a-f]{4}")
# What tells apart several strings that are told at the same time.
_NAMES = ("type", "item_id", "id", "output_index", "content_index", "index")


class SearchPattern:
    """What is looked for: a text, in every way that JSON and URLs spell it, or a pattern.

    Raises:
        UsageError: if it is empty, or matches nothing, or is no pattern for text.
        MissingExtra: if it is a pattern and ``regex`` is not installed.
    """

    def __init__(self, wanted: str | re.Pattern[str]) -> None:
        if isinstance(wanted, str):
            self.text: str | None = wanted
            spellings = _spellings(wanted)
            self.max_reach = max(map(len, spellings), default=0)
            either = "|".join(re.escape(one) for one in spellings)
            self._pattern = Pattern(either, trusted=True)
        else:
            self.text, self.max_reach, self._pattern = None, _REACH, _limited(wanted)
        if self._pattern.spans("", SECONDS):
            raise UsageError("what is looked for must not be empty, nor match nothing")

    def spans(self, text: str, start: int = 0) -> Spans:
        """Where it is in ``text``, from ``start`` on.

        Raises:
            TooSlow: if the pattern takes longer than ``SECONDS``.
        """
        found = self._pattern.spans(text, SECONDS, start)
        return [span for span in found if span[0] < span[1]]


class Match(NamedTuple):
    """A place in a row: ``path`` to a string of its payload, which it has ``spans`` of.

    A path that ends with None leads to the name of a key.
    """

    seq: int
    path: tuple[str | int | None, ...]
    spans: frozenset[tuple[int, int]]


class StreamSearch:
    """Goes through a run's rows in order; ``hits`` afterwards are all places, row by row."""

    def __init__(self, wanted: SearchPattern) -> None:
        self._wanted = wanted
        self._text = _SearchableText(wanted)
        self._pieces: dict[tuple[Any, ...], _SearchableText] = {}
        self._found: dict[tuple[int, tuple[Any, ...]], set[tuple[int, int]]] = {}
        self._last: EventRow | None = None

    def feed(self, row: EventRow) -> None:
        """Look at the row that comes next.

        Raises:
            UsageError: if the pattern takes too long on it.
        """
        self._last = row
        try:
            self._take(row)
        except TooSlow as slow:
            raise self._gives_up(slow) from None

    def _take(self, row: EventRow) -> None:
        if row.kind == NOTE and row.type in (MASKED, REDACTED, PRUNED):
            return
        if row.payload is None:
            if row.keep is not None:
                self._text.append(row.keep, " " * (row.added or 0), row.seq, None)
            return
        value = loads(row.payload)
        if row.keep is not None:
            path: Path = () if isinstance(value, str) else (APPENDED,)
            piece = value if isinstance(value, str) else value.pop(APPENDED)
            self._keep(self._text.append(row.keep, piece, row.seq, path))
        if not (row.keep is not None and isinstance(value, str)):
            self._walk(row.seq, value, (), ())

    @property
    def matches(self) -> list[Match]:
        """Every place, in order.

        Raises:
            UsageError: if the pattern takes too long on the run's text.
        """
        try:
            self._keep(self._text.all())
        except TooSlow as slow:
            raise self._gives_up(slow) from None
        found = sorted(self._found.items(), key=lambda item: item[0][0])
        return [Match(seq, path, frozenset(spans)) for (seq, path), spans in found]

    def _gives_up(self, slow: TooSlow) -> UsageError:
        row = self._last
        place = "" if row is None else f" in row {row.seq} of run {row.run_id}, or up to there"
        return UsageError(
            f"{slow}{place}: nothing of this run was changed",
            hint="Write it without a repeat in a repeat, or erase the row with --seq.",
        )

    def _walk(self, seq: int, value: Any, path: tuple[Any, ...], names: tuple[Any, ...]) -> None:
        match value:
            case str():
                self._string(seq, value, path, names)
            case dict():
                names = (*names, *(value.get(name) for name in _NAMES if name in value))
                for key, item in value.items():
                    self._mark(seq, (*path, key, None), self._wanted.spans(key))
                    self._walk(seq, item, (*path, key), names)
            case list():
                for place, item in enumerate(value):
                    self._walk(seq, item, (*path, place), names)
            case int() | float() if type(value) is not bool and self._wanted.text is not None:
                # A pattern would find every count of tokens.
                if self._wanted.text in str(value):
                    self._mark(seq, path, [(0, len(str(value)))])

    def _string(self, seq: int, text: str, path: tuple[Any, ...], names: tuple[Any, ...]) -> None:
        self._mark(seq, path, self._wanted.spans(text))
        if path and path[-1] in _PIECES:
            stream = (tuple(key for key in path if isinstance(key, str)), repr(names))
            told = self._pieces.get(stream)
            if told is None:
                told = self._pieces[stream] = _SearchableText(self._wanted)
            told.forget()
            self._keep(told.append(len(told.text), text, seq, path))

    def _mark(self, seq: int, path: tuple[Any, ...], spans: Spans) -> None:
        if spans:
            self._found.setdefault((seq, path), set()).update(spans)

    def _keep(self, found: Iterator[tuple[int, Path, tuple[int, int]]]) -> None:
        for seq, path, span in found:
            self._found.setdefault((seq, path), set()).add(span)


class _SearchableText:
    """A text that rows tell piece by piece, and which row told which part of it."""

    def __init__(self, wanted: SearchPattern) -> None:
        self._wanted = wanted
        self.text = ""
        # Where each piece begins, and whose it is: row, path, place of its first character.
        self._starts: list[int] = []
        self._owners: list[tuple[int, Path | None, int]] = []

    def append(
        self, keep: int, piece: str, seq: int, path: Path | None
    ) -> Iterator[tuple[int, Path, tuple[int, int]]]:
        """Go on behind ``keep`` characters; the places where what is wanted stands now."""
        if keep < len(self.text):
            yield from self.all()
            self._cut(keep)
        self.text += piece
        self._starts.append(keep)
        self._owners.append((seq, path, keep))
        yield from self._places(max(0, keep - self._wanted.max_reach))

    def all(self) -> Iterator[tuple[int, Path, tuple[int, int]]]:
        """The places in all of the text as it is now."""
        return self._places(0)

    def forget(self) -> None:
        """Forget what no match that is still to come can reach."""
        surplus = len(self.text) - 4 * self._wanted.max_reach
        if surplus <= 4 * self._wanted.max_reach:
            return
        first = bisect_right(self._starts, surplus) - 1
        self.text = self.text[surplus:]
        self._owners = [(seq, path, at - surplus) for seq, path, at in self._owners[first:]]
        self._starts = [max(0, start - surplus) for start in self._starts[first:]]

    def _cut(self, keep: int) -> None:
        self.text = self.text[:keep]
        while self._starts and self._starts[-1] >= keep:
            self._starts.pop()
            self._owners.pop()

    def _places(self, start: int) -> Iterator[tuple[int, Path, tuple[int, int]]]:
        for begin, end in self._wanted.spans(self.text, start):
            at = max(0, bisect_right(self._starts, begin) - 1)
            while at < len(self._starts) and self._starts[at] < end:
                seq, path, first = self._owners[at]
                stop = self._starts[at + 1] if at + 1 < len(self._starts) else len(self.text)
                low, high = max(begin, self._starts[at]) - first, min(end, stop) - first
                if path is not None and low < high:
                    yield seq, path, (low, high)
                at += 1


def _limited(wanted: re.Pattern[str]) -> Pattern:
    try:
        return Pattern(wanted)
    except (re.error, TypeError) as error:
        raise UsageError(f"{wanted.pattern!r} is no pattern to look for: {error}") from None


def _spellings(text: str) -> list[str]:
    """``text`` as it stands in strings, in JSON inside of strings, and in URLs; longest first."""
    found = {text, quote(text), quote(text, safe="")}
    for ascii_only in (False, True):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        found |= {once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]}
    found |= {_ESCAPE.sub(lambda match: match[0][:2] + match[0][2:].upper(), one) for one in found}
    return sorted((one for one in found if one), key=len, reverse=True)


def path_text(match: Match) -> str:
    """A path for people: ``text`` for the run's own."""
    if match.path in ((), (APPENDED,)):
        return "text"
    told = ""
    for key in match.path:
        if key is None:
            return f"{told} (name)"
        told += f"[{key}]" if isinstance(key, int) else f".{key}"
    return told.removeprefix(".")
