"""The stretches of text and of reasoning of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from runreel.model.story import ReasoningStep, TextStep
from runreel.projection.story_draft import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator

Part: TypeAlias = "tuple[int, ...]"


@dataclass(slots=True)
class _Text:
    """A stretch of the answer, which begins at ``start`` in the text of the run.

    ``text`` is None while it grows.
    """

    from_seq: int
    to_seq: int
    answer: int
    start: int = 0
    text: str | None = None


@dataclass(slots=True)
class _Thought:
    """Text of one part of the reasoning."""

    parts: list[str]

    @property
    def text(self) -> str:
        return "".join(self.parts)


@dataclass(slots=True)
class _Reasoning:
    from_seq: int
    to_seq: int
    thoughts: list[_Thought] = field(default_factory=list)


class Texts:
    """Collects texts and reasoning from the rows of a run, in order."""

    def __init__(self) -> None:
        self._stretches: list[_Text | _Reasoning] = []
        self._open: _Text | _Reasoning | None = None
        self._text = ""
        self._answer = 0
        self._is_first = True
        self._is_fresh = True
        # Where the text of the answer begins, if it repeats nothing.
        self._base = 0
        self._is_repeated = False
        self._thoughts: dict[Part, list[_Thought]] = {}

    def changed(self, seq: int, keep: int | None, text: str) -> None:
        """An event was stored, after which the run's text is ``text``, ``keep`` characters kept."""
        if self._is_unchanged(keep, text):
            return
        stretch = self._stretch_at(seq, keep or 0)
        stretch.to_seq = seq
        self._text = text

    def repeated(self, keep: int | None, text: str) -> None:
        """A row was stored that is no text of the answer, though it may repeat some."""
        if self._is_unchanged(keep, text):
            return
        self.interrupt()
        self._text, self._base, self._is_repeated = text, len(text), True

    def ended(self, seq: int, whole: str, *, apart: bool = False) -> None:
        """The answer is complete; ``whole`` is its text, or ends with it.

        ``apart``: the text is in the row alone, not in the text of the run.
        """
        self.interrupt()
        stretches = [stretch for stretch in self._stretches if self._is_of_answer(stretch)]
        streamed = _joined(stretches)
        if whole.endswith(streamed) and (streamed or not (self._is_repeated or apart)):
            return
        if not stretches:
            self._stretches.append(_Text(seq, seq, self._answer, text=whole))
            return
        # Events are missing: the last stretch has all that those before it do not have.
        before = _joined(stretches[:-1])
        if not whole.startswith(before):
            before = ""
            self._stretches = [one for one in self._stretches if one not in stretches[:-1]]
        stretches[-1].text = whole[len(before) :]

    def _is_unchanged(self, keep: int | None, text: str) -> bool:
        before = len(self._text)
        if keep is None or keep == before == len(text):
            return True
        if text:
            return False
        # Another answer begins: the text so far stays in the story.
        self.interrupt()
        self._text, self._base, self._is_first, self._is_fresh = text, 0, True, True
        return True

    def thought(self, seq: int, part: Part, text: str, *, whole: bool) -> None:
        """Reasoning came: text to add to a part of it, or the ``whole`` part."""
        known = self._thoughts.setdefault(part, [])
        if whole:
            self._whole_thought(seq, known, text)
            return
        stretch = self._reasoning(seq)
        if not known or not any(known[-1] is one for one in stretch.thoughts):
            known.append(_Thought([]))
            stretch.thoughts.append(known[-1])
        known[-1].parts.append(text)
        stretch.to_seq = seq

    def interrupt(self) -> None:
        """Something else comes between: what follows is another stretch."""
        if isinstance(self._open, _Text):
            self._open.text = self._text[self._open.start :]
        self._open = None

    def end_answer(self, *, fresh: bool, counts: bool) -> None:
        """What follows belongs to another answer; ``fresh``: it repeats nothing of this one.

        This answer is numbered if it has text or reasoning, or ``counts`` anyway.
        """
        self.interrupt()
        if counts or self._thoughts or not self._is_first:
            self._answer += 1
        self._is_first, self._is_fresh, self._base = True, fresh, 0
        self._is_repeated, self._thoughts = False, {}

    def drafts(self) -> Iterator[Draft]:
        """End the last stretch; yield all of them."""
        self.interrupt()
        for stretch in self._stretches:
            values: dict[str, object] = {"from_seq": stretch.from_seq, "to_seq": stretch.to_seq}
            if isinstance(stretch, _Text):
                if stretch.text:
                    values |= {"text": stretch.text, "answer": stretch.answer}
                    yield Draft(TextStep, stretch.from_seq, values)
            elif text := "\n\n".join(one.text for one in stretch.thoughts if one.text):
                yield Draft(ReasoningStep, stretch.from_seq, {"text": text, **values})

    def _stretch_at(self, seq: int, keep: int) -> _Text:
        """Return the stretch that a change of the text after ``keep`` characters belongs to."""
        before = len(self._text)
        if self._is_first:
            start = self._base if self._is_fresh or keep < before else before
            return self._begin(seq, start)
        is_open = isinstance(self._open, _Text) and self._open.start <= keep
        if is_open and isinstance(self._open, _Text):
            return self._open
        if keep == before:
            return self._begin(seq, keep)
        return self._go_back(seq, keep)

    def _begin(self, seq: int, start: int) -> _Text:
        self.interrupt()
        stretch = _Text(seq, seq, self._answer, start)
        self._stretches.append(stretch)
        self._open = stretch
        self._is_first = False
        return stretch

    def _go_back(self, seq: int, keep: int) -> _Text:
        """The source rewrites an earlier stretch: it grows again, and later ones are gone."""
        self.interrupt()
        found: _Text | None = None
        for stretch in list(self._stretches):
            if not self._is_of_answer(stretch):
                continue
            if stretch.start <= keep:
                found = stretch
            else:
                self._stretches.remove(stretch)
        if found is None:
            return self._begin(seq, keep)
        found.text, self._open = None, found
        return found

    def _is_of_answer(self, stretch: _Text | _Reasoning) -> TypeGuard[_Text]:
        return isinstance(stretch, _Text) and stretch.answer == self._answer

    def _reasoning(self, seq: int) -> _Reasoning:
        if isinstance(self._open, _Reasoning):
            return self._open
        self.interrupt()
        stretch = _Reasoning(seq, seq)
        self._stretches.append(stretch)
        self._open = stretch
        return stretch

    def _whole_thought(self, seq: int, known: list[_Thought], text: str) -> None:
        if known:
            before = "".join(one.text for one in known[:-1])
            if text.startswith(before):
                known[-1].parts = [text[len(before) :]]
            return
        if any(one.text == text for thoughts in self._thoughts.values() for one in thoughts):
            return
        stretch = self._reasoning(seq)
        known.append(_Thought([text]))
        stretch.thoughts.append(known[-1])
        stretch.to_seq = seq


def _joined(stretches: list[_Text]) -> str:
    return "".join(stretch.text or "" for stretch in stretches)
