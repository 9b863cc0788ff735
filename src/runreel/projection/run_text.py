"""The texts of a run that a search reads: what was asked, answered, called, returned and failed.

The projector notes what an event says as it applies it. The notes are a chain, each with the one
before it, so that adding one costs nothing and an older chain can be taken up again.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.case_folding import fold
from runreel.codec.text_delta import common_prefix
from runreel.model.events import CONTEXT, RUN, STREAM_EVENT, TOOL_RESULTS
from runreel.model.search import ANSWER, ERROR, LONG, PARTS, REASONING, REQUEST, TOOLS
from runreel.projection.run_mapper import clean_text
from runreel.sources import searchable_text, thoughts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.codec.source_protocol import Interpretation, SourceEvent
    from runreel.model.messages import Message, PartialMessage
    from runreel.model.results import ToolCallList
    from runreel.projection.run_projection import Texts
    from runreel.projection.run_state import RunState

    Failure = tuple[str | None, int | str | None]

# Where a text continues: an offset, and the row that added what follows.
Pieces = list[tuple[int, int]]
# Number of characters of a run's texts in the projection. Searches read longer runs in the log.
MAX_SIZE = 1_000_000
# Starts the reasoning of another answer; discards that of this one, which a result repeats.
_NEXT, _AGAIN = "next", "again"
# Between the parts of the reasoning of one answer.
_BETWEEN = "\n\n"


class Remark(NamedTuple):
    """One text of a row, or for an answer its message; a thought is of the slot of its text."""

    part: str
    seq: int
    text: str = ""
    slot: tuple[int, ...] = ()
    whole: bool = False
    message: Message | PartialMessage | None = None


class CollectedTexts(NamedTuple):
    """The texts so far: the last remark and those before it; ``size`` characters in all."""

    before: CollectedTexts | None
    remark: Remark
    size: int = 0

    def then(self, remark: Remark) -> CollectedTexts:
        """Return this with one more remark."""
        return CollectedTexts(self, remark, self.size + len(remark.text))

    @property
    def is_long(self) -> bool:
        """Whether this is more than the projection of a run holds."""
        return self.size > MAX_SIZE

    @property
    def remarks(self) -> list[Remark]:
        """All remarks in order."""
        found, collected = [], self
        while collected.before is not None:
            found.append(collected.remark)
            collected = collected.before
        return found[::-1]


_offset = itemgetter(0)
NOTHING = CollectedTexts(None, Remark("", -1))
# Stands for more than the projection of a run holds.
TOO_LONG = CollectedTexts(None, Remark(LONG, -1))


class Before(NamedTuple):
    """The state before an event."""

    message: Message | PartialMessage | None
    calls: ToolCallList | None
    failure: Failure


class PartText(NamedTuple):
    """A text of a part of a run; ``pieces`` are the offsets from which rows have added to it."""

    part: str
    text: str
    pieces: Pieces

    def row_at(self, start: int, end: int) -> int:
        """Return the row that completes a span of the text."""
        first = max(0, bisect_right(self.pieces, start, key=_offset) - 1)
        last = max(first + 1, bisect_left(self.pieces, end, key=_offset))
        return max(seq for _, seq in self.pieces[first:last])


def added(
    collected: CollectedTexts,
    state: RunState,
    event: SourceEvent,
    interpretation: Interpretation,
    before: Before,
) -> CollectedTexts:
    """Return ``collected`` with what an event says that was just applied to ``state``."""
    seq, message = state.last_seq, before.message
    asks = event.kind in (CONTEXT, TOOL_RESULTS)
    if message is not None and (asks or interpretation.starts_response):
        collected = collected.then(Remark(ANSWER, seq, message=message))
    if asks:
        collected = _with_asked(collected, state, event)
    else:
        if interpretation.starts_response:
            first = len(state.calls) == 1
            texts = searchable_text.texts_with_answer(
                state.source, event.kind, event.value, first=first
            )
            for text in texts:
                collected = collected.then(Remark(REQUEST, seq, text))
        collected = _with_thoughts(collected, state, event, interpretation)
    if state.tool_calls is not None and state.tool_calls is not before.calls:
        for call in state.tool_calls:
            arguments = searchable_text.arguments_text(call)
            if arguments is not None and call not in (before.calls or ()):
                collected = collected.then(Remark(TOOLS, seq, arguments))
    return _with_error(collected, state, before.failure)


def _with_asked(collected: CollectedTexts, state: RunState, event: SourceEvent) -> CollectedTexts:
    """Return ``collected`` with the results of tools and the request in an event."""
    seq = state.last_seq
    for text in searchable_text.result_texts(state.source, event.kind, event.value):
        collected = collected.then(Remark(TOOLS, seq, text))
    is_request = event.kind == CONTEXT
    texts = searchable_text.request_texts if is_request else searchable_text.texts_near_results
    for text in texts(state.source, event.value):
        collected = collected.then(Remark(REQUEST, seq, text))
    return collected


def _with_thoughts(
    collected: CollectedTexts, state: RunState, event: SourceEvent, interpretation: Interpretation
) -> CollectedTexts:
    """Return ``collected`` with the reasoning of an event."""
    seq = state.last_seq
    if interpretation.starts_response:
        collected = collected.then(Remark(_NEXT, seq))
    if event.text_alone or event.kind not in (RUN, STREAM_EVENT):
        return collected
    is_first = interpretation.result is not None
    for part, text, whole in thoughts(state.source, event.kind, event.value):
        if is_first:
            collected, is_first = collected.then(Remark(_AGAIN, seq)), False
        collected = collected.then(Remark(REASONING, seq, text, part, whole))
    return collected


def _with_error(collected: CollectedTexts, state: RunState, before: Failure) -> CollectedTexts:
    """Return ``collected`` with the error of the state, if it is not the one before."""
    now = (state.error, state.error_code)
    if now != before:
        for text in now:
            if isinstance(text, str) and text:
                collected = collected.then(Remark(ERROR, state.last_seq, text))
    return collected


def folded(collected: CollectedTexts, state: RunState) -> Texts:
    """Return the texts of each part as one text in which case is folded.

    If they are too long, the only part is ``LONG``.
    """
    if collected is NOTHING and state.message is None:
        return ()
    texts: defaultdict[str, dict[str, None]] = defaultdict(dict)
    remarks = collected.remarks
    for text, _ in answers(remarks, state):
        texts[ANSWER][text] = None
    for part, text in _others(remarks):
        texts[part][text] = None
    size = sum(len(text) for part in texts.values() for text in part)
    if collected is TOO_LONG or size > MAX_SIZE:
        return ((LONG, ""),)
    return tuple(
        (part, folded_text("\n".join(texts[part]))) for part in sorted(PARTS) if texts[part]
    )


def folded_text(text: str) -> str:
    """Fold the case of a text, and replace the characters that databases reject."""
    return clean_text(fold(text)) or ""


def answers(remarks: list[Remark], state: RunState) -> list[tuple[str, int]]:
    """Return the texts of all answers in order, and the place of each among the answers ended.

    An answer that the next one repeats and goes on is a part of it. The current answer has the
    place after the last one.
    """
    ended = [remark.message for remark in remarks if remark.part == ANSWER]
    found: list[tuple[str, int]] = []
    last: Message | PartialMessage | None = None
    for place, message in enumerate((*ended, state.message)):
        if message is None or message is last:
            continue
        last, text = message, message.text
        if found and text.startswith(found[-1][0]):
            found.pop()
        if text:
            found.append((text, place))
    return found


def _others(remarks: list[Remark]) -> Iterator[tuple[str, str]]:
    for remark in remarks:
        if remark.part in (TOOLS, ERROR, REQUEST):
            yield remark.part, remark.text
    for text in reasonings(remarks):
        yield REASONING, text.text


def reasonings(remarks: list[Remark]) -> Iterator[PartText]:
    """Yield the reasoning of each answer that has some, its parts separated by an empty line."""
    slots: dict[tuple[int, ...], _Growing] = {}
    for remark in remarks:
        if remark.part == _AGAIN:
            slots = {}
        elif remark.part == _NEXT:
            yield from _joined(slots)
            slots = {}
        elif remark.part == REASONING:
            slots.setdefault(remark.slot, _Growing()).add(remark)
    yield from _joined(slots)


def last_reasoning(remarks: list[Remark]) -> str | None:
    """Return the reasoning of the last answer; None if it has none."""
    start = max((at for at, remark in enumerate(remarks) if remark.part == _NEXT), default=0)
    return next((found.text for found in reasonings(remarks[start:])), None)


def _joined(slots: dict[tuple[int, ...], _Growing]) -> Iterator[PartText]:
    texts: list[str] = []
    pieces: Pieces = []
    start = 0
    for slot in sorted(slots):
        texts.append(slots[slot].text)
        pieces += [(start + offset, seq) for offset, seq in slots[slot].pieces]
        start += len(texts[-1]) + len(_BETWEEN)
    text = _BETWEEN.join(texts)
    if text:
        yield PartText(REASONING, text, pieces)


class _Growing:
    """A text that rows add to, or give as a whole."""

    def __init__(self) -> None:
        self.pieces: Pieces = []
        self._parts: list[str] = []
        self._length = 0

    @property
    def text(self) -> str:
        return "".join(self._parts)

    def add(self, remark: Remark) -> None:
        if remark.whole:
            self._replace(remark.text, remark.seq)
        elif remark.text:
            self.pieces.append((self._length, remark.seq))
            self._parts.append(remark.text)
            self._length += len(remark.text)

    def _replace(self, text: str, seq: int) -> None:
        before = self.text
        change(self.pieces, before, text, seq)
        self._parts, self._length = [text], len(text)


def change(pieces: Pieces, before: str, now: str, seq: int) -> None:
    """Update the pieces of a text that the row ``seq`` has changed."""
    if now == before:
        return
    kept = common_prefix(before, now)
    cut(pieces, kept)
    if kept < len(now):
        pieces.append((kept, seq))


def cut(pieces: Pieces, length: int) -> None:
    """Cut the pieces of a text to its first ``length`` characters."""
    while pieces and pieces[-1][0] >= length:
        pieces.pop()
