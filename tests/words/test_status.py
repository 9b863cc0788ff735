from __future__ import annotations

import pytest
from hypothesis import given

from runreel.model.status import MessageStatus, RunStatus, StreamEvent
from tests.strategies import SOME, values


@pytest.mark.parametrize("kind", [RunStatus, StreamEvent, MessageStatus])
def test_every_member_is_read_from_its_name_and_from_its_number(kind):
    for member in kind:
        assert kind.coerce(member.name) is member
        assert kind.coerce(int(member)) is member


@pytest.mark.parametrize("kind", [RunStatus, StreamEvent, MessageStatus])
@pytest.mark.parametrize("value", ["CANCELLED", "", "done", "1", 99, -2, 1.5, None, [], {}, 10**30])
def test_what_is_no_member_is_read_as_unknown(kind, value):
    assert kind.coerce(value) is kind.UNKNOWN


@SOME
@given(values)
def test_reading_a_status_never_raises(value):
    assert isinstance(RunStatus.coerce(value), RunStatus)
    assert isinstance(StreamEvent.coerce(value), StreamEvent)


@pytest.mark.parametrize(
    ("status", "running", "succeeded", "failed", "name"),
    [
        (RunStatus.UNKNOWN, False, False, False, "unknown"),
        (RunStatus.RUN_STATUS_UNSPECIFIED, False, False, False, "unknown"),
        (RunStatus.PENDING, True, False, False, "running"),
        (RunStatus.IN_PROGRESS, True, False, False, "running"),
        (RunStatus.FAILED, False, False, True, "failed"),
        (RunStatus.COMPLETED, False, True, False, "success"),
        (RunStatus.TOOL_CALLS, False, True, False, "success"),
        (StreamEvent.UNKNOWN, False, False, False, "unknown"),
        (StreamEvent.EVENT_TYPE_UNSPECIFIED, False, False, False, "unknown"),
        (StreamEvent.PARTIAL_MESSAGE, True, False, False, "running"),
        (StreamEvent.ERROR, False, False, True, "failed"),
        (StreamEvent.DONE, False, True, False, "success"),
        (StreamEvent.TOOL_CALLS, False, True, False, "success"),
    ],
)
def test_each_status_says_what_it_is(status, running, succeeded, failed, name):
    assert status.is_running is running
    assert status.is_succeeded is succeeded
    assert status.is_failed is failed
    assert status.is_finished is (succeeded or failed)
    assert status.status_name == name
