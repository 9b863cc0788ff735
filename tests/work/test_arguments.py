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
    from collections.abc import Callable, Iterator
    from pathlib import Path

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


@pytest.fixture
def reel_sqlite(tmp_path: Path) -> Iterator[Reel]:
    with runreel.open(tmp_path / "log.db") as reel:
        yield reel


def test_usage_takes_one_grouping_or_several(reel: Reel) -> None:
    reel.recording("run", model="m").append(EVENT)
    one = reel.usage(by="model")
    assert one == reel.usage(by=["model"]) == reel.usage(by=("model",))
    assert [item.key for item in one.items] == [("m",)]


# For each argument of the public methods, by name: values of types that it does not take.
NO_TEXT, NO_COUNT, NO_FLAG, NO_TIME = (7, b"r", ["r"]), ("1", 1.5, True), (1, "no", None), ([], {})
MISFITS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("run_id", "text", "durability", "on_error", "reason"), NO_TEXT),
    **dict.fromkeys(("assistant_id", "thread_id", "tz", "after", "actor", "kind"), NO_TEXT),
    **dict.fromkeys(("a", "b", "format", "partition", "table", "archive"), NO_TEXT),
    **dict.fromkeys(("limit", "min_tokens", "start", "stop", "jobs", "batch"), NO_COUNT),
    **dict.fromkeys(("strict", "has_error", "no_usage", "problems", "instant", "create"), NO_FLAG),
    **dict.fromkeys(("check", "dry_run", "keep_usage", "purge", "regex", "case", "force"), NO_FLAG),
    "cost": NO_FLAG,
    **dict.fromkeys(("as_of", "currency", "warn"), NO_TEXT),
    **dict.fromkeys(("amount", "tolerate"), (None, [], 1.5)),
    **dict.fromkeys(("prices", "rates"), (7, ["book.jsonl"], b"book.jsonl")),
    "fill": NO_FLAG,
    **dict.fromkeys(("since", "until", "before", "requested_at"), (*NO_TIME, True)),
    **dict.fromkeys(("at", "on", "slower_than"), ({}, object(), [[]])),
    **dict.fromkeys(
        ("source", "assistant", "thread", "model", "error_contains", "by", "in_"), (7, [7], b"r")
    ),
    **dict.fromkeys(("recording", "status", "statuses", "type"), (7, [7], b"r", {"a": "b"})),
    **dict.fromkeys(("speed", "max_gap", "patience", "idle", "timeout"), ("1", True, [])),
    **dict.fromkeys(("run_ids",), ("run", 7, [7])),
    **dict.fromkeys(("progress", "resume", "on_problem", "key"), (7, "x")),
    "labels": (["x"], "x=y", 7),
    "request": (["x"], "x"),
    "wanted": (7, ["x"]),
    "seqs": (7, "1", ["1"]),
    "mask": ("secrets", 7, [7]),
    "parts": ("text", 7, [7]),
    "path": (7, ["log.db"]),
    "url": (7, ["log.db"]),
    "requests": (1, "yes", None),
    "client": (7, "client", {}),
    "inner": (7, "transport", {}),
    "results": ("sunny", {"a": 1}),
    "event": ({}, RESULT, None),
    "result": ({}, EVENT, None),
}
TAKE_ANYTHING = {"stream", "assistant", "value"}
NEEDED = {"stream": None, "run_id": "run", "text": "run", "reason": "r", "actor": "a", "value": {}}
NEEDED |= {"amount": "1", "currency": "USD"}
NEEDED |= {"run_ids": None, "before": "7d", "kind": "run", "path": "run.csv", "a": "r", "b": "r"}


def methods(class_: type) -> dict[str, Callable[..., Any]]:
    found = inspect.getmembers(class_, inspect.isfunction)
    return {name: method for name, method in found if name[0] != "_"}


CALLS = [
    *((runreel.Reel, name) for name in methods(runreel.Reel)),
    *((runreel.Recording, name) for name in methods(runreel.Recording)),
    (runreel, "open"),
    (runreel, "watch"),
]


@pytest.mark.parametrize(("owner", "name"), CALLS, ids=lambda part: getattr(part, "__name__", part))
def test_no_argument_of_a_public_call_takes_a_wrong_type(
    owner: Any, name: str, reel_sqlite: Reel
) -> None:
    recording = reel_sqlite.recording("run")
    recording.append(EVENT)
    before = list(reel_sqlite.events("run"))
    bound = {runreel.Reel: reel_sqlite, runreel.Recording: recording}.get(owner, runreel)
    call = getattr(bound, name)
    parameters = inspect.signature(call).parameters
    needed = {key: NEEDED[key] for key in parameters if key in NEEDED}
    for key in parameters.keys() - (TAKE_ANYTHING if name in ("record", "offer") else set()):
        for value in MISFITS[key]:
            with pytest.raises(UsageError, match=r"\w+ \w+"):
                call(**{**needed, key: value})
    assert list(reel_sqlite.events("run")) == before
    assert len(reel_sqlite.runs()) == 1


CLASSES = [value for name in dir(runreel) if inspect.isclass(value := getattr(runreel, name))]


@pytest.mark.parametrize("class_", CLASSES, ids=[class_.__name__ for class_ in CLASSES])
def test_the_type_hints_of_a_public_class_can_be_resolved(class_: type) -> None:
    assert typing.get_type_hints(class_) is not None
    for _, method in inspect.getmembers(class_, inspect.isfunction):
        assert typing.get_type_hints(method) is not None
    for _, found in inspect.getmembers(class_, lambda member: isinstance(member, property)):
        assert typing.get_type_hints(found.fget)


def test_the_type_hints_of_open_can_be_resolved() -> None:
    assert typing.get_type_hints(runreel.open)["return"] is runreel.Reel


def test_results_can_be_weakly_referenced() -> None:
    for value in (EVENT, RESULT, PartialMessage(("text",)), runreel.Usage(1, 2, 3)):
        assert weakref.ref(value)() is value
