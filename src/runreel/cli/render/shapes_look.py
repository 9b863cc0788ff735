"""The JSON objects of what a run did: its story, where its time went, how it differs."""

from __future__ import annotations

from runreel.codec.schema_parts import (
    ANY,
    COUNT,
    FLAG,
    MAYBE_COUNT,
    MILLISECONDS,
    STRING,
    TEXT,
    TIME,
    Schema,
    Shape,
    array,
    closed,
    described,
    enum,
    maybe,
    ref,
)
from runreel.model.events import RECORDINGS
from runreel.model.run_diff import ADDED, CHANGED, REMOVED, SAME
from runreel.model.selection import STATES
from runreel.model.steps import STEPS

NUMBER: Schema = {"type": "number"}
_SINCE = "Since the run was asked, or began; null if its times are unknown, and for an erasure."


def _step(name: str, shape: Shape) -> Schema:
    first: Shape = {
        "step": enum(name),
        "seq": COUNT,
        "at": TIME,
        "delta_ms": described(MILLISECONDS, _SINCE),
    }
    return closed({**first, **shape})


MESSAGE: Shape = {"role": STRING, "text": STRING}
_REQUEST: Shape = {
    "items": described(
        maybe(array(ANY)), "What was new in the request; null if it was erased or not stored."
    ),
    "repeated": described(COUNT, "Number of items before those, from earlier requests."),
    "messages": described(array(closed(MESSAGE)), "Texts of the new items that ask."),
}
_STRETCH: Shape = {"text": STRING, "from_seq": COUNT, "to_seq": COUNT}
_TOOL_CALL: Shape = {
    "id": TEXT,
    "name": TEXT,
    "arguments": {"type": ["object", "null"]},
    "result": ANY,
    "result_seq": described(MAYBE_COUNT, "Row of the result; null while none came."),
    "result_delta_ms": MILLISECONDS,
    "complete": described(FLAG, "False if the model did not finish the call."),
}
_ERROR: Shape = {"message": TEXT, "code": {"type": ["string", "integer", "null"]}}
_NOTE: Shape = {"note": described(STRING, "Type of the note."), "text": STRING}
# By the name of the step.
STORY_STEPS: Shape = {
    "request_step": _step("request", _REQUEST),
    "text_step": _step(
        "text", {**_STRETCH, "answer": described(COUNT, "Number of the answer, from 0.")}
    ),
    "reasoning_step": _step("reasoning", _STRETCH),
    "tool_call_step": _step("tool_call", _TOOL_CALL),
    "error_step": _step("error", _ERROR),
    "note_step": _step("note", _NOTE),
}
STORY_STEP: Schema = {"anyOf": list(map(ref, STORY_STEPS))}
STORY: Shape = {"story": array(ref("story_step"))}
STEP: Shape = {
    "step": enum(*STEPS),
    "name": described(TEXT, "The tools, `reasoning`, or who paused: `service`, `program`."),
    "start_ms": described(NUMBER, "Since the run was asked, or began."),
    "end_ms": NUMBER,
    "from_seq": COUNT,
    "to_seq": COUNT,
}
STEP_OF_RUN: Shape = {"run_id": STRING, **STEP}
GAP: Shape = {"ms": NUMBER, "from_seq": COUNT, "to_seq": COUNT}
TIMELINE: Shape = {
    "run_id": STRING,
    "clock": described(
        enum("recorded", "source", "even"), "Origin of the times; even: no times are known."
    ),
    "steps": array(closed(STEP)),
    "shares": described(
        {"type": "object", "additionalProperties": NUMBER},
        "Parts of 1, by kind of step; empty if the run took no time.",
    ),
    "longest_gap": described(maybe(closed(GAP)), "Longest time without anything new."),
}
END: Shape = {
    "type": enum("end"),
    "run_id": described(TEXT, "Null, as the other fields, at the end of a follow of all runs."),
    "status": TEXT,
    "recording": enum(*RECORDINGS, None),
    "state": described(enum(*STATES, None), "`stale` if the process of the recording is gone."),
}
TAIL: Shape = {"items": array(ref("event")), "end": ref("end"), "as_of": TIME}
SPAN: Schema = {"type": "array", "items": COUNT, "minItems": 2, "maxItems": 2}
_VALUES: Shape = {
    "pointer": described(STRING, "JSON pointer; empty for the whole value."),
    "change": enum(CHANGED, ADDED, REMOVED),
    "a": ANY,
    "b": ANY,
}
VALUE_CHANGE: Shape = _VALUES
REQUEST_CHANGE: Shape = {
    "call": described(COUNT, "Number of the request, of those that ask something, from 0."),
    **_VALUES,
}
CALL_CHANGE: Shape = {
    "change": enum(SAME, CHANGED, ADDED, REMOVED),
    "name": TEXT,
    "a": described(MAYBE_COUNT, "Row of the call in the first run."),
    "b": described(MAYBE_COUNT, "Row of the call in the second run."),
    "arguments": array(closed(VALUE_CHANGE)),
    "result": array(closed(VALUE_CHANGE)),
}
TEXT_CHANGE: Shape = {
    "a": described(SPAN, "Start and end, in characters, in the text of the first run."),
    "b": SPAN,
    "a_text": STRING,
    "b_text": STRING,
}
_NUMBERS: Schema = {"type": "object", "additionalProperties": MILLISECONDS}
_NUMBERS_DIFF: Schema = closed({"same": FLAG, "a": _NUMBERS, "b": _NUMBERS, "difference": _NUMBERS})
DIFF: Shape = {
    "a": STRING,
    "b": STRING,
    "same": described(FLAG, "True if all compared parts are the same."),
    "request": described(
        maybe(closed({"same": FLAG, "changes": array(closed(REQUEST_CHANGE))})),
        "Null, as any part, if it was not compared.",
    ),
    "tools": maybe(closed({"same": FLAG, "calls": array(closed(CALL_CHANGE))})),
    "text": described(
        maybe(closed({"same": FLAG, "changes": array(closed(TEXT_CHANGE))})),
        "All answers of a run, separated by an empty line.",
    ),
    "usage": maybe(_NUMBERS_DIFF),
    "timing": maybe(_NUMBERS_DIFF),
}
