"""The tool calls of a run, each with its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.story import ToolCallStep
from runreel.projection.story_draft import Draft

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runreel.model.results import ToolCall, ToolCallList
    from runreel.sources.conversation import ToolResult
    from runreel.sources.openai.hosted_calls import HostedCall


class Calls:
    """Collects the tool calls of a run from its rows, in order."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        # Those of the current answer: events repeat them.
        self._of_answer: list[Draft] = []

    def asked(self, seq: int, calls: ToolCallList, *, complete: bool = True) -> bool:
        """The model waits for these calls, or has begun them. True if one is new."""
        known, is_new = list(self._of_answer), False
        for call in calls:
            draft = next((one for one in known if _is_of(one, call)), None)
            if draft is not None:
                known.remove(draft)
                continue
            is_new = True
            draft = Draft(ToolCallStep, seq, _values(call, complete=complete))
            self._of_answer.append(draft)
            self.drafts.append(draft)
        return is_new

    def hosted(self, seq: int, hosted: HostedCall) -> bool:
        """The server calls a tool itself, or has done so. True if the call is new."""
        values = _values(hosted.call, complete=True)
        draft = next((one for one in self._of_answer if _is_of(one, hosted.call)), None)
        is_new = draft is None
        if draft is None:
            draft = Draft(ToolCallStep, seq, values)
            self._of_answer.append(draft)
            self.drafts.append(draft)
        if draft.values["result_seq"] is None:
            draft.values |= values
            if hosted.finished:
                draft.values |= {"result": hosted.result, "result_seq": seq}
        return is_new

    def end_answer(self) -> bool:
        """Calls that follow belong to another answer. True if this one has calls."""
        has_calls, self._of_answer = bool(self._of_answer), []
        return has_calls

    def answered(self, seq: int, results: Iterable[ToolResult], *, in_order: bool) -> None:
        """Results came; those without a known id belong to the waiting calls ``in_order``."""
        for result in results:
            draft = self._call_of(result, in_order=in_order)
            if draft is not None:
                draft.values["result"] = result.content
                draft.values["result_seq"] = seq

    def erased(self, seq: int) -> None:
        """Results came, and were erased later."""
        for draft in self._waiting():
            draft.values["result_seq"] = seq

    def _waiting(self) -> list[Draft]:
        return [one for one in self.drafts if one.values["result_seq"] is None]

    def _call_of(self, result: ToolResult, *, in_order: bool) -> Draft | None:
        if result.call_id is not None:
            of_id = [one for one in self.drafts if one.values["id"] == result.call_id]
            if of_id:
                return next((one for one in of_id if one.values["result_seq"] is None), of_id[-1])
        if not in_order:
            return None
        waiting = self._waiting()
        named = [one for one in waiting if one.values["name"] == result.name]
        return next(iter(named or waiting), None)


def _is_of(draft: Draft, call: ToolCall) -> bool:
    if call.id is not None or draft.values["id"] is not None:
        return bool(draft.values["id"] == call.id)
    function = call.function
    if function is None:
        return draft.values["name"] is None
    return (draft.values["name"], draft.values["arguments"]) == (function.name, function.arguments)


def _values(call: ToolCall, *, complete: bool) -> dict[str, object]:
    function = call.function
    return {
        "id": call.id,
        "name": None if function is None else function.name,
        "arguments": None if function is None else function.arguments,
        "result": None,
        "result_seq": None,
        "complete": complete,
    }
