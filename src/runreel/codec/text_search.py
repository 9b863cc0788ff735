"""Search for text in a run: in strings of its rows, and in texts split over several rows."""

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

# Maximum number of characters by which a match may extend into earlier deltas.
_MAX_REACH = 1_000
# Time limit of a pattern in seconds, for one string or one text split over rows.
SECONDS = 2.0
# Keys of strings that sources send as deltas and that are stored unchanged.
_DELTA_KEYS = frozenset(("delta", "arguments", "content", "refusal", "reasoning_content", "text"))
_ESCAPE = re.compile(r"\\u[0-9a-f]{4}")
# Keys that distinguish texts streamed at the same time.
_STREAM_KEYS = ("type", "item_id", "id", "output_index", "content_index", "index")


class SearchPattern:
    """A text to search for, in all its JSON and URL encodings, or a pattern.

    Raises:
        UsageError: if it is empty, matches an empty string, or is not a valid pattern for text.
        MissingExtra: if it is a pattern and ``regex`` is not installed.
    """

    def __init__(self, wanted: str | re.Pattern[str]) -> None:
        if isinstance(wanted, str):
            self.text: str | None = wanted
            encodings = _encodings(wanted)
            self.max_reach = max(map(len, encodings), default=0)
            either = "|".join(re.escape(one) for one in encodings)
            self._pattern = Pattern(either, trusted=True)
        else:
            self.text, self.max_reach, self._pattern = None, _MAX_REACH, _user_pattern(wanted)
        if self._pattern.spans("", SECONDS):
            raise UsageError(
                "the search text must not be empty, and a pattern must not match an empty string"
            )

    def spans(self, text: str, start: int = 0) -> Spans:
        """Return the spans of all non-empty matches in ``text`` from ``start`` on.

        Raises:
            TooSlow: if the pattern takes longer than ``SECONDS``.
        """
        found = self._pattern.spans(text, SECONDS, start)
        return [span for span in found if span[0] < span[1]]


class Match(NamedTuple):
    """Matches in one string of a row: the ``path`` to it in the payload, and the ``spans`` in it.

    A path that ends with None denotes the name of a key.
    """

    seq: int
    path: tuple[str | int | None, ...]
    spans: frozenset[tuple[int, int]]


class StreamSearch:
    """Searches the rows of a run in order; ``matches`` then has all matches, row by row.

    ``hint`` says what to do if the pattern takes too long.
    """

    def __init__(
        self,
        wanted: SearchPattern,
        *,
        hint: str = "This run was not changed. Write the pattern without nested repeats, or erase"
        " the row with --seq.",
    ) -> None:
        self._wanted = wanted
        self._hint = hint
        self._text = _SearchableText(wanted)
        self._delta_texts: dict[tuple[Any, ...], _SearchableText] = {}
        self._found: dict[tuple[int, tuple[Any, ...]], set[tuple[int, int]]] = {}
        self._last: EventRow | None = None

    def feed(self, row: EventRow) -> None:
        """Search the next row.

        Raises:
            UsageError: if the pattern exceeds its time limit.
        """
        self._last = row
        try:
            self._search_row(row)
        except TooSlow as slow:
            raise self._timeout_error(slow) from None

    def _search_row(self, row: EventRow) -> None:
        if row.kind == NOTE and row.type in (MASKED, REDACTED, PRUNED):
            return
        if row.payload is None:
            if row.keep is not None:
                self._text.append(row.keep, " " * (row.added or 0), row.seq, None)
            return
        value = loads(row.payload)
        if row.keep is not None:
            path: Path = () if isinstance(value, str) else (APPENDED,)
            text_delta = value if isinstance(value, str) else value.pop(APPENDED)
            self._add_matches(self._text.append(row.keep, text_delta, row.seq, path))
        if not (row.keep is not None and isinstance(value, str)):
            self._walk(row.seq, value, (), ())

    @property
    def matches(self) -> list[Match]:
        """All matches, in order.

        Raises:
            UsageError: if the pattern exceeds its time limit on the text of the run.
        """
        try:
            self._add_matches(self._text.all())
        except TooSlow as slow:
            raise self._timeout_error(slow) from None
        found = sorted(self._found.items(), key=lambda item: item[0][0])
        return [Match(seq, path, frozenset(spans)) for (seq, path), spans in found]

    def _timeout_error(self, slow: TooSlow) -> UsageError:
        row = self._last
        place = "" if row is None else f" in row {row.seq} of run {row.run_id}, or up to there"
        return UsageError(f"{slow}{place}", hint=self._hint)

    def _walk(self, seq: int, value: Any, path: tuple[Any, ...], names: tuple[Any, ...]) -> None:
        match value:
            case str():
                self._string(seq, value, path, names)
            case dict():
                names = (*names, *(value.get(name) for name in _STREAM_KEYS if name in value))
                for key, item in value.items():
                    self._add_match(seq, (*path, key, None), self._wanted.spans(key))
                    self._walk(seq, item, (*path, key), names)
            case list():
                for place, item in enumerate(value):
                    self._walk(seq, item, (*path, place), names)
            case int() | float() if type(value) is not bool and self._wanted.text is not None:
                # Text only: a pattern could match every token count.
                if self._wanted.text in str(value):
                    self._add_match(seq, path, [(0, len(str(value)))])

    def _string(self, seq: int, text: str, path: tuple[Any, ...], names: tuple[Any, ...]) -> None:
        self._add_match(seq, path, self._wanted.spans(text))
        if path and path[-1] in _DELTA_KEYS:
            stream = (tuple(key for key in path if isinstance(key, str)), repr(names))
            searchable = self._delta_texts.get(stream)
            if searchable is None:
                searchable = self._delta_texts[stream] = _SearchableText(self._wanted)
            searchable.drop_unreachable()
            self._add_matches(searchable.append(len(searchable.text), text, seq, path))

    def _add_match(self, seq: int, path: tuple[Any, ...], spans: Spans) -> None:
        if spans:
            self._found.setdefault((seq, path), set()).update(spans)

    def _add_matches(self, found: Iterator[tuple[int, Path, tuple[int, int]]]) -> None:
        for seq, path, span in found:
            self._found.setdefault((seq, path), set()).add(span)


class _SearchableText:
    """A text assembled from deltas of several rows, which maps spans back to the rows."""

    def __init__(self, wanted: SearchPattern) -> None:
        self._wanted = wanted
        self.text = ""
        # The start of each delta in the text, and its row, path and offset.
        self._starts: list[int] = []
        self._owners: list[tuple[int, Path | None, int]] = []

    def append(
        self, keep: int, text_delta: str, seq: int, path: Path | None
    ) -> Iterator[tuple[int, Path, tuple[int, int]]]:
        """Append a delta after ``keep`` characters; yield the matches that may be new."""
        if keep < len(self.text):
            yield from self.all()
            self._truncate(keep)
        self.text += text_delta
        self._starts.append(keep)
        self._owners.append((seq, path, keep))
        yield from self._find_from(max(0, keep - self._wanted.max_reach))

    def all(self) -> Iterator[tuple[int, Path, tuple[int, int]]]:
        """Yield the matches in the whole current text."""
        return self._find_from(0)

    def drop_unreachable(self) -> None:
        """Drop text that no later match can reach."""
        surplus = len(self.text) - 4 * self._wanted.max_reach
        if surplus <= 4 * self._wanted.max_reach:
            return
        first = bisect_right(self._starts, surplus) - 1
        self.text = self.text[surplus:]
        self._owners = [(seq, path, at - surplus) for seq, path, at in self._owners[first:]]
        self._starts = [max(0, start - surplus) for start in self._starts[first:]]

    def _truncate(self, keep: int) -> None:
        self.text = self.text[:keep]
        while self._starts and self._starts[-1] >= keep:
            self._starts.pop()
            self._owners.pop()

    def _find_from(self, start: int) -> Iterator[tuple[int, Path, tuple[int, int]]]:
        for begin, end in self._wanted.spans(self.text, start):
            at = max(0, bisect_right(self._starts, begin) - 1)
            while at < len(self._starts) and self._starts[at] < end:
                seq, path, first = self._owners[at]
                stop = self._starts[at + 1] if at + 1 < len(self._starts) else len(self.text)
                low, high = max(begin, self._starts[at]) - first, min(end, stop) - first
                if path is not None and low < high:
                    yield seq, path, (low, high)
                at += 1


def _user_pattern(wanted: re.Pattern[str]) -> Pattern:
    try:
        return Pattern(wanted)
    except (re.error, TypeError) as error:
        raise UsageError(f"invalid pattern {wanted.pattern!r}: {error}") from None


def _encodings(text: str) -> list[str]:
    """Return ``text`` as encoded in strings, in JSON within strings and in URLs; longest first."""
    found = {text, quote(text), quote(text, safe="")}
    for ascii_only in (False, True):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        found |= {once, json.dumps(once, ensure_ascii=ascii_only)[1:-1]}
    found |= {_ESCAPE.sub(lambda match: match[0][:2] + match[0][2:].upper(), one) for one in found}
    return sorted((one for one in found if one), key=len, reverse=True)


def path_text(match: Match) -> str:
    """Format the path of a match for people; ``text`` stands for the text of the run."""
    if match.path in ((), (APPENDED,)):
        return "text"
    formatted = ""
    for key in match.path:
        if key is None:
            return f"{formatted} (name)"
        formatted += f"[{key}]" if isinstance(key, int) else f".{key}"
    return formatted.removeprefix(".")
