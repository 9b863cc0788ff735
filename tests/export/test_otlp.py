"""Spans of runs: accepted by the protobuf definitions, with names of the GenAI conventions."""

from __future__ import annotations

import base64
import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes

from runreel import RunResult, RunStatus, RunStreamEvent, StreamEvent, Usage
from runreel.export import otlp_spans
from runreel.model.events import NOTE, OPENED
from runreel.projection.model_calls import CallBuilder
from runreel.projection.projector import RunProjector
from runreel.projection.story import StoryBuilder
from runreel.system.sync_bridge import completed
from tests.calls.hook import CHAT, ask, chat, fail, user
from tests.cli import stories
from tests.export import runs
from tests.live import openai_script as script
from tests.look.test_steps import EVENTS, START
from tests.rules.recordings import PLAIN, write

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel

Span = Any
_NAMES = {
    value
    for name, value in vars(gen_ai_attributes).items()
    if name.startswith("GEN_AI_") and isinstance(value, str)
}
# Replaced by names of later versions.
_OLD = {
    "gen_ai.system",
    "gen_ai.prompt",
    "gen_ai.completion",
    "gen_ai.usage.prompt_tokens",
    "gen_ai.usage.completion_tokens",
}


def traces(path: Path) -> list[Span]:
    """The spans of each line, after a strict parser."""
    return [_spans(line) for line in path.read_text("utf-8").splitlines()]


def _spans(line: str) -> list[Span]:
    # OTLP writes ids in hexadecimal, where protobuf's own JSON has base64.
    def encoded(match: re.Match[str]) -> str:
        data = base64.b64encode(bytes.fromhex(match[2])).decode()
        return f'"{match[1]}":"{data}"'

    line = re.sub(r'"(traceId|spanId|parentSpanId)":"([0-9a-f]+)"', encoded, line)
    parsed = json_format.Parse(line, TracesData())
    (resource,) = parsed.resource_spans
    (scope,) = resource.scope_spans
    assert scope.scope.name == "runreel"
    return list(scope.spans)


def values(span: Span) -> dict[str, Any]:
    """The attributes of a span."""
    found = {}
    for attribute in span.attributes:
        kind = attribute.value.WhichOneof("value")
        value = getattr(attribute.value, kind)
        if kind == "array_value":
            value = [one.string_value for one in value.values]
        assert attribute.key not in found
        found[attribute.key] = value
    return found


def exported(reel: Reel, path: Path, *run_ids: str) -> list[Span]:
    reel.export(path, run_ids or None)
    return [span for spans in traces(path) for span in spans]


def test_an_agent_has_a_span_for_each_call(reel: Reel, tmp_path: Path) -> None:
    runs.tell_agent(reel)
    root, first, second, tool = exported(reel, tmp_path / "x.otlp.json", "agent")
    assert [root.name, first.name, second.name, tool.name] == [
        "invoke_agent",
        "chat m",
        "chat m",
        "execute_tool weather",
    ]
    assert {span.parent_span_id for span in (first, second, tool)} == {root.span_id}
    assert len({span.span_id for span in (root, first, second, tool)}) == 4
    of_first = values(first)
    assert of_first.pop("gen_ai.response.time_to_first_chunk") >= 0
    assert of_first == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.max_tokens": 50,
        "gen_ai.request.temperature": 1.0,
        "gen_ai.request.stream": True,
        "gen_ai.response.id": "one",
        "gen_ai.response.model": values(first)["gen_ai.response.model"],
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 3,
        "gen_ai.usage.cache_read.input_tokens": 4,
        "gen_ai.usage.reasoning.output_tokens": 1,
    }
    assert values(second)["gen_ai.usage.input_tokens"] == 20
    assert values(second)["gen_ai.response.finish_reasons"] == ["stop"]
    whole = values(root)
    assert (whole["gen_ai.usage.input_tokens"], whole["gen_ai.usage.output_tokens"]) == (30, 8)
    assert values(tool)["gen_ai.tool.call.id"] == reel.story("agent")[1].id
    starts = [span.start_time_unix_nano for span in (root, first, tool, second)]
    assert starts == sorted(starts)
    assert first.end_time_unix_nano >= tool.start_time_unix_nano
    assert root.end_time_unix_nano == second.end_time_unix_nano
    requested = reel.run("agent").requested_at
    assert requested is not None
    assert root.start_time_unix_nano == round(requested.timestamp() * 1e6) * 1_000


def test_one_call_is_one_span(reel: Reel, tmp_path: Path) -> None:
    run = ask(reel, CHAT, chat(user("?")), script.chunks("Yes"))
    (span,) = exported(reel, tmp_path / "x.otlp.json", run)
    assert (span.name, span.parent_span_id, span.status.code) == ("chat m", b"", 0)
    assert values(span)["runreel.run_id"] == run


def test_failures_are_told(reel: Reel, tmp_path: Path) -> None:
    runs.tell_many(reel, tmp_path)
    fail(reel, CHAT, chat(user("?")), error="no route", status=503)
    told = {values(s).get("runreel.run_id"): s for s in exported(reel, tmp_path / "x.otlp.json")}
    failed = told["run-failed"]
    assert (failed.status.code, failed.status.message) == (2, "no more quota")
    assert values(failed)["error.type"] == "_OTHER"
    assert values(told["interrupted"])["error.type"] == "interrupted"
    assert "503" in {values(span).get("error.type") for span in told.values()}
    assert told["run-done"].status.code == 0


def test_every_run_is_accepted_and_says_nothing_of_its_content(reel: Reel, tmp_path: Path) -> None:
    runs.tell_many(reel, tmp_path)
    path = tmp_path / "x.otlp.json"
    report = reel.export(path)
    assert report.runs == len(reel.runs())
    assert report.notices == ("1 run was pruned, and has no spans",)
    found = traces(path)
    assert len(found) == report.runs
    for spans in found:
        assert {len(span.trace_id) for span in spans} == {16}
        assert {len(span.span_id) for span in spans} == {8}
        assert {span.trace_id for span in spans} == {spans[0].trace_id}
        assert len({span.span_id for span in spans}) == len(spans)
        for span in spans:
            assert spans[0].start_time_unix_nano <= span.start_time_unix_nano
            assert span.start_time_unix_nano <= span.end_time_unix_nano
            assert span.end_time_unix_nano <= spans[0].end_time_unix_nano
            assert {name for name in values(span) if name.startswith("gen_ai.")} <= _NAMES - _OLD
    text = path.read_text()
    for content in ("A second line", "Moon", "black", "Sunny"):
        assert content not in text
    sums = [values(spans[0]).get("gen_ai.usage.input_tokens", 0) for spans in found]
    assert sum(sums) == (reel.usage().totals.input_text_tokens or 0)
    before = path.read_bytes()
    reel.export(path, force=True)
    assert path.read_bytes() == before


def test_a_trace_of_the_program_is_kept(reel: Reel, tmp_path: Path) -> None:
    own = "4bf92f3577b34da6a3ce929d0e0e4736"
    runs.tell_agent(reel, "mine", trace_id=own)
    runs.tell_agent(reel, "theirs", trace_id=f"trace_{own}")
    runs.tell_agent(reel, "other", trace_id="0" * 32)
    found = {}
    for run_id in ("mine", "theirs", "other"):
        (root, *_) = exported(reel, tmp_path / f"{run_id}.otlp.json", run_id)
        found[run_id] = root.trace_id.hex()
    assert found["mine"] == found["theirs"] == own
    assert found["other"] not in (own, "0" * 32)


def test_harm_and_odd_numbers_are_accepted(reel: Reel, tmp_path: Path) -> None:
    runs.tell_harm(reel)
    odd = {"max_tokens": 2**70, "temperature": "hot", "seed": True, "top_p": 1, "stream": 1}
    run = ask(reel, CHAT, {**chat(user("?")), **odd}, script.chunks("Yes"))
    exported(reel, tmp_path / "x.otlp.json")
    (span,) = exported(reel, tmp_path / "one.otlp.json", run)
    asked = {name for name in values(span) if name.startswith("gen_ai.request.")}
    assert asked == {"gen_ai.request.model", "gen_ai.request.top_p"}


def test_times_that_cannot_be_expressed_are_the_nearest(reel: Reel, tmp_path: Path) -> None:
    file = tmp_path / "lines.jsonl"
    lines = [
        {"run_id": "odd", "type": "PARTIAL_MESSAGE", "text": "a", "at": "1815-01-01T00:00:00Z"},
        {"run_id": "odd", "type": "DONE", "text": "ab", "at": "9815-01-01T00:00:00Z"},
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    reel.import_file(file)
    (span,) = exported(reel, tmp_path / "x.otlp.json", "odd")
    assert span.start_time_unix_nano == 0
    assert span.end_time_unix_nano == 2**64 - 1


def test_an_empty_log_has_no_lines(reel: Reel, tmp_path: Path) -> None:
    report = reel.export(tmp_path / "x.otlp.json")
    assert (report.runs, (tmp_path / "x.otlp.json").read_bytes()) == (0, b"")


def test_totals_of_a_run_are_divided_among_its_calls(reel: Reel, tmp_path: Path) -> None:
    with reel.recording("run", assistant_id="a") as recording:
        for total, tools in ((Usage(10, 13, 3), True), (Usage(30, 38, 8), False)):
            if tools:
                recording.append(RunStreamEvent(StreamEvent.TOOL_CALLS, tool_calls=stories.CALLS))
                recording.result(RunResult(RunStatus.TOOL_CALLS, usage=total))
                recording.tool_results([{"id": "call-1", "content": "black"}])
                continue
            recording.append(stories.partial("Black"))
            recording.result(RunResult(RunStatus.COMPLETED, usage=total))
    root, first, second, _ = exported(reel, tmp_path / "x.otlp.json", "run")
    used = [values(span)["gen_ai.usage.input_tokens"] for span in (root, first, second)]
    assert used == [30, 10, 20]
    assert values(second)["gen_ai.usage.output_tokens"] == 5
    assert (root.kind, values(root)["gen_ai.agent.id"]) == (3, "a")


def test_a_retry_is_part_of_its_call(reel: Reel, tmp_path: Path) -> None:
    recording = fail(reel, CHAT, chat(user("?")), error="no route", status=503)
    completed(recording.before_send())
    for chunk in script.chunks("Yes"):
        completed(recording.store_texts([json.dumps(chunk)], None))
    completed(recording.end("the stream ended"))
    (span,) = exported(reel, tmp_path / "x.otlp.json", str(recording.run_id))
    assert span.status.code == 0
    assert "error.type" not in values(span)
    assert values(span)["gen_ai.response.time_to_first_chunk"] > 0


@given(
    names=st.lists(st.sampled_from(sorted(EVENTS)), min_size=1, max_size=12),
    waits=st.lists(st.integers(0, 5_000_000), min_size=13, max_size=13),
    asked=st.none() | st.integers(0, 3_000_000),
)
def test_spans_of_any_run_lie_in_that_of_the_run(
    names: list[str], waits: list[int], asked: int | None
) -> None:
    note: dict[str, Any] = {"source": "plain", "via": "live"}
    if asked is not None:
        note["requested_at"] = START - asked / 1e6
    told = [EVENTS[name](number) for number, name in enumerate(names, 1)]
    projector = RunProjector("run-1")
    story, calls, time = StoryBuilder(projector), CallBuilder(projector), 0
    for row, wait in zip(write(PLAIN, [(NOTE, note), *told]), waits, strict=False):
        time += wait if row.seq else 0
        timed = row._replace(at=START * 1_000_000 + time, elapsed=time)
        timed = timed._replace(type=row.type or (None if row.seq else OPENED))
        projected = projector.apply(timed)
        story.add(timed, projected)
        calls.add(timed, projected)
    found = calls.calls()
    last = len(names)
    root, *others = otlp_spans.of_run(projector.projection().summary, story.story(), found, last)
    begin, end = int(str(root["startTimeUnixNano"])), int(str(root["endTimeUnixNano"]))
    assert begin == START * 10**9 - (asked or 0) * 1_000
    assert end == START * 10**9 + time * 1_000
    for span in others:
        assert span["parentSpanId"] == root["spanId"]
        assert begin <= int(str(span["startTimeUnixNano"])) <= int(str(span["endTimeUnixNano"]))
        assert int(str(span["endTimeUnixNano"])) <= end
    assert len({str(span["spanId"]) for span in (root, *others)}) == len(others) + 1
    # Calls follow each other, and only results of tools or questions begin another.
    assert all(one.last <= other.seq for one, other in pairwise(found))
    assert len(found) <= 1 + names.count("context") + names.count("results")
