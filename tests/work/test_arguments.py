"""Arguments of a wrong type are refused in words; types can be inspected and weakly referenced."""

from __future__ import annotations

import inspect
import typing
import weakref
from typing import TYPE_CHECKING, Any

import pytest

import runreel
from runreel import PartialMessage, RunResult, RunStatus, RunStreamEvent, StreamEvent, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel import Recording, Reel

EVENT = RunStreamEvent(StreamEvent.DONE)
RESULT = RunResult(RunStatus.COMPLETED)
WRONG: dict[str, Callable[[Reel, Recording], Any]] = {
    "append a dict": lambda _, run: run.append({"type": "DONE"}),
    "append a result": lambda _, run: run.append(RESULT),
    "append a string": lambda _, run: run.append("text"),
    "append nothing": lambda _, run: run.append(None),
    "result of an event": lambda _, run: run.result(EVENT),
    "result of a dict": lambda _, run: run.result({}),
    "tool results of a string": lambda _, run: run.tool_results("sunny"),
    "tool results of a dict": lambda _, run: run.tool_results({"a": 1}),
    "interrupt for no reason": lambda _, run: run.interrupt(None),
    "a list of labels": lambda reel, _: reel.recording("r", labels=["x"]),
    "a label": lambda reel, _: reel.recording("r", labels="x=y"),
    "a model that is a number": lambda reel, _: reel.recording("r", model=7),
    "a thread that is a list": lambda reel, _: reel.recording("r", thread_id=["t"]),
    "no source": lambda reel, _: reel.recording("r", source=None),
    "usage by a number": lambda reel, _: reel.usage(by=7),
    "usage by numbers": lambda reel, _: reel.usage(by=[7]),
    "usage by a word": lambda reel, _: reel.usage(by="moon"),
    "a partial message of a string": lambda *_: PartialMessage("abc"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_refused_in_words_and_nothing_is_stored(name: str, reel: Reel) -> None:
    recording = reel.recording("run")
    recording.append(EVENT)
    before = list(reel.events("run"))
    with pytest.raises(UsageError) as caught:
        WRONG[name](reel, recording)
    assert " " in str(caught.value)
    assert list(reel.events("run")) == before
    assert len(reel.runs()) == 1


def test_usage_takes_one_grouping_or_several(reel: Reel) -> None:
    reel.recording("run", model="m").append(EVENT)
    one = reel.usage(by="model")
    assert one == reel.usage(by=["model"]) == reel.usage(by=("model",))
    assert [item.key for item in one.items] == [("m",)]


CLASSES = [
    value
    for name in dir(runreel)
    if inspect.isclass(value := getattr(runreel, name)) and value is not runreel.Reel
]


@pytest.mark.parametrize("class_", CLASSES, ids=[class_.__name__ for class_ in CLASSES])
def test_the_type_hints_of_a_public_class_can_be_resolved(class_: type) -> None:
    assert typing.get_type_hints(class_) is not None


def test_results_can_be_weakly_referenced() -> None:
    for value in (EVENT, RESULT, PartialMessage(("text",)), runreel.Usage(1, 2, 3)):
        assert weakref.ref(value)() is value
