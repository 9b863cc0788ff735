"""The result in a row of ``runs`` is packed once as long as it stays the same, and not longer."""

from __future__ import annotations

from typing import Any

import pytest

from runreel.model.messages import PartialMessage
from runreel.model.results import FunctionCall, RunResult, ToolCall, ToolCallList, Usage
from runreel.model.status import RunStatus
from runreel.projection import run_state
from runreel.projection.run_mapper import RunProjection, compress_result, encode_result, to_row
from runreel.projection.run_state import RunState

TEXT = "Hello, world"
TOLD = RunResult(RunStatus.COMPLETED, _message=PartialMessage((TEXT,)), usage=Usage(1, 3, 2))


def projected(result: RunResult, text: str = TEXT, *, seq: int = 0) -> RunProjection:
    return RunProjection(run_state.summary("run", RunState(last_seq=seq)), result, text)


def calls(argument: Any) -> RunResult:
    call = ToolCall(None, FunctionCall("add", {"n": argument}))
    return RunResult(RunStatus.TOOL_CALLS, tool_calls=ToolCallList((call,)))


def test_a_result_that_is_the_same_still_is_not_packed_again():
    before = compress_result(projected(TOLD))
    state = RunState(status=TOLD.status, message=TOLD.message, usage=TOLD.usage)
    now = compress_result(projected(state.result, seq=1), before)
    assert now.compressed_result is before.compressed_result
    assert now.summary.last_seq == 1
    assert to_row(now) == to_row(projected(TOLD, seq=1))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (projected(TOLD), projected(TOLD, "Hello")),
        (projected(TOLD), projected(RunResult(RunStatus.COMPLETED, _message=TOLD.message))),
        (projected(calls(1)), projected(calls(1.0))),
        (projected(calls(1)), projected(calls(True))),
    ],
    ids=["text", "usage", "float", "bool"],
)
def test_a_result_that_is_another_is_packed_anew(before, now):
    before = compress_result(before)
    assert before.compressed_result != encode_result(now)
    assert compress_result(now, before).compressed_result == encode_result(now)
