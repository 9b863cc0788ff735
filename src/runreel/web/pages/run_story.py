"""As much of a story as a page has room for: its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.model.story import RequestStep

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.model.story import AskedMessage, StoryStep

_STEPS = 60
# Of all requests together.
_MESSAGES = 100


class ShownStep(NamedTuple):
    """A step; of a request the last ``messages``, without the first ``left_out``."""

    step: StoryStep
    messages: Sequence[AskedMessage]
    left_out: int


class ShownStory(NamedTuple):
    """The last steps of a story, in order; ``left_out`` steps come before them."""

    steps: Sequence[ShownStep] = ()
    left_out: int = 0


def shown(story: Sequence[StoryStep]) -> ShownStory:
    """Return what a page shows of a story."""
    room, found = _MESSAGES, []
    for step in reversed(story[-_STEPS:]):
        messages = step.messages if isinstance(step, RequestStep) else ()
        count = min(len(messages), room)
        room -= count
        found.append(ShownStep(step, messages[len(messages) - count :], len(messages) - count))
    return ShownStory(found[::-1], max(len(story) - _STEPS, 0))
