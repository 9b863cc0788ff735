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


def texts(reel: Reel, run_id: str, *, with_errors: bool = False) -> list[tuple[str, str]]:
    """The texts of a run with one answer by part.

    ``with_errors``: the run may have had an error that it has not any more.
    """
    summary, result = reel.state(run_id)
    found = [("answer", result.text_so_far or "")]
    for event in reel.events(run_id):
        for call in event.tool_calls or ():
            arguments = call.function and call.function.arguments
            if arguments:
                found.append(("tools", json.dumps(arguments, ensure_ascii=False)))
        if event.kind == "tool_results" and event.raw is not None:
            found += [("tools", one["content"]) for one in event.raw["tool_results"]]
    if with_errors or summary.error is not None:
        found += [("error", said) for said in errors(reel, run_id, summary.last_seq)]
    if reasoning := reel.reasoning(run_id):
        found.append(("reasoning", reasoning))
    return found


def errors(reel: Reel, run_id: str, last_seq: int) -> Iterator[str]:
    """The errors that the run has had, each once for as long as it lasted."""
    now = None
    for seq in range(last_seq + 1):
        error = reel.state(run_id, seq)[0].error
        if error is not None and error != now and error.message:
            yield error.message
        now = error


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
