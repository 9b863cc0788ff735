"""Detection of failed chat completions, in the shapes of several servers."""

from __future__ import annotations

from typing import NamedTuple

from runreel.sources.openai import values as oj

_FAILING = frozenset(("error", "insufficient_system_resource"))


class Failure(NamedTuple):
    """Message and code of an error; each is None if the server sent none."""

    message: str | None
    code: int | str | None


def failure_of(value: dict[str, object], reason: str | None) -> Failure | None:
    """The failure that a chunk or completion reports, None without one."""
    choices = value.get("choices")
    if not choices or value.get("error"):
        found = oj.body_error(value)
        if found is not None:
            return Failure(*found)
    if type(choices) is list:
        for choice in choices:
            if type(choice) is dict:
                for holder in (choice, choice.get("delta"), choice.get("message")):
                    if type(holder) is dict and (error := holder.get("error")):
                        return Failure(*oj.error(error))
    if reason in _FAILING:
        return Failure(f"the completion ended with the finish reason {reason}", reason)
    return None
