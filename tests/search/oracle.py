"""What a search has to find, worked out the slow way from what ``show --content`` shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runreel.api.reel import Reel

Found = tuple[str, str, int, int]


def occurrences(text: str, wanted: str, *, case: bool = False) -> Iterator[tuple[int, int]]:
    """Every occurrence, from the left, none within another."""
    folded, at = wanted.casefold(), 0
    while at < len(text):
        for end in range(at + 1, min(len(text), at + len(folded)) + 1):
            part = text[at:end]
            if part == wanted if case else part.casefold() == folded:
                yield at, end
                at = end
                break
        else:
            at += 1


def texts(reel: Reel, run_id: str) -> list[tuple[str, str]]:
    """The texts of a run with one answer by part.

    Calls and errors are those that it had after any of its events: it may not have them any more.
    """
    found = [("answer", reel.result(run_id).text_so_far or "")]
    error, calls = None, ()
    for event in reel.events(run_id):
        if event.kind == "tool_results" and event.raw is not None:
            found += [("tools", one["content"]) for one in event.raw["tool_results"]]
        if not (event.tool_calls or event.error or error or calls):
            continue
        then = reel.state(run_id, event.seq)[0]
        for call in then.tool_calls or ():
            if call not in calls and call.function is not None:
                found.append(("tools", json.dumps(call.function.arguments, ensure_ascii=False)))
        if then.error is not None and then.error != error and then.error.message:
            found.append(("error", then.error.message))
        error, calls = then.error, tuple(then.tool_calls or ())
    if reasoning := reel.reasoning(run_id):
        found.append(("reasoning", reasoning))
    return found


def matches(
    said: Iterable[tuple[str, list[tuple[str, str]]]], wanted: str, *, case: bool = False
) -> list[Found]:
    """What a search has to find in runs and their texts, sorted."""
    folded = wanted.casefold()
    return sorted(
        (run_id, part, start, end)
        for run_id, parts in said
        for part, text in parts
        if folded in text.casefold()
        for start, end in occurrences(text, wanted, case=case)
    )


def found(reel: Reel, wanted: str, **options: object) -> list[Found]:
    """What a search finds, sorted."""
    parts = ("answer", "tools", "error", "reasoning", "request")
    given = {"in_": parts, **options}
    return sorted(
        (one.run_id, one.in_, one.start, one.end)
        for one in reel.search(wanted, **given)  # type: ignore[arg-type]
    )
