"""Cached, cache-write and reasoning tokens, service tier and billed model: from answers to sums."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from runreel.model.results import CallUsage, UsageDetails
from tests import logs

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from runreel.model.runs import RunSummary

USED = {
    "input_tokens": 2_006,
    "input_tokens_details": {"cached_tokens": 1_920, "cache_write_tokens": 50},
    "output_tokens": 300,
    "output_tokens_details": {"reasoning_tokens": 192},
    "total_tokens": 2_306,
}


def response(number: int, usage: Any, **more: Any) -> list[dict[str, Any]]:
    """The events of a stream of the Responses API with one answer."""
    head = {"id": f"resp-{number}", "object": "response", "output": [], "model": "gpt-5-2025-08-07"}
    created = {**head, "status": "in_progress", "service_tier": "auto"}
    done = {**head, "status": "completed", "service_tier": "flex", "usage": usage, **more}
    return [
        {"type": "response.created", "response": created},
        {"type": "response.output_text.delta", "delta": "Hi"},
        {"type": "response.completed", "response": done},
    ]


def chunks(usage: Any, **more: Any) -> list[dict[str, Any]]:
    """The chunks of a chat completion."""
    head = {"id": "chat-1", "object": "chat.completion.chunk", "model": "gpt-5-mini", **more}
    delta = {"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}
    return [
        {**head, "choices": [delta]},
        {**head, "choices": [{**delta, "delta": {}, "finish_reason": "stop"}]},
        {**head, "choices": [], "usage": usage},
    ]


def record(reel: Reel, source: str, *events: dict[str, Any], run_id: str = "run-1") -> RunSummary:
    with reel.recording(run_id, source=source) as recording:
        for event in events:
            recording.offer("stream_event", event)
    assert reel.rebuild(check=True) == []
    return reel.run(run_id)


def test_a_response_reports_details_and_the_tier_that_it_was_answered_in(reel):
    run = record(reel, "openai-responses", *response(1, USED))
    assert run.usage_details == UsageDetails(1_920, 192, 50)
    assert (run.model, run.service_tier, run.billed_model) == ("gpt-5-2025-08-07", "flex", None)
    assert (run.calls, run.call_usage) == (None, ())


def test_a_chat_completion_reports_details_and_its_tier(reel):
    used = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 30},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }
    run = record(reel, "openai-chat", *chunks(used, service_tier="priority"))
    assert run.usage_details == UsageDetails(64, 0, 30)
    assert run.service_tier == "priority"


def test_a_tier_is_known_from_the_chunk_that_names_it(reel):
    used = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    told = zip(chunks(used), ("auto", None, "default"), strict=True)
    events = [{**event, "service_tier": tier} for event, tier in told]
    assert record(reel, "openai-chat", *events).service_tier == "default"


@pytest.mark.parametrize(
    ("line", "details"),
    [
        (
            {"usage_details": {"cached_tokens": 3, "cache_write_tokens": 2}},
            UsageDetails(3, None, 2),
        ),
        ({"usage": {**USED}}, UsageDetails(1_920, 192, 50)),
        (
            {
                "usage": {
                    "input_tokens": 10,
                    "cache_creation_input_tokens": 5,
                    "cache_read_input_tokens": 7,
                    "output_tokens": 1,
                }
            },
            UsageDetails(7, None, 5),
        ),
        ({"usage": {"input_tokens": 1, "output_tokens": 1, "cached_tokens": -1}}, None),
    ],
)
def test_plain_lines_have_details_in_any_dialect(reel, line, details):
    record(reel, "plain", {"type": "PARTIAL_MESSAGE", "text": "Hi", **line})
    # The totals so far: a later one replaces an earlier one.
    run = record(reel, "plain", {"type": "DONE", "text": "Hi", **line})
    assert run.usage_details == details


def test_plain_lines_name_tier_and_billed_model(reel):
    line = {"type": "DONE", "model": "yandexgpt/latest", "billed_model": "yandexgpt-5.1"}
    run = record(reel, "plain", {**line, "service_tier": "async"})
    assert (run.model, run.billed_model, run.service_tier) == (
        "yandexgpt/latest",
        "yandexgpt-5.1",
        "async",
    )


def test_the_calls_of_a_run_are_told_apart(reel):
    run = record(
        reel,
        "openai-responses",
        *response(1, USED),
        *response(2, None, model="gpt-5-mini", service_tier=None),
        *response(3, {"input_tokens": 9, "output_tokens": 1, "total_tokens": 10}),
    )
    assert run.call_usage == (
        CallUsage("gpt-5-2025-08-07", "flex", 2_006, 300, 1_920, 50, 192),
        CallUsage("gpt-5-mini"),
        CallUsage("gpt-5-2025-08-07", "flex", 9, 1),
    )
    assert (run.calls, run.calls_with_usage) == (3, 2)
    assert run.usage.total_tokens == 2_316
    assert run.usage_details == UsageDetails(1_920, 192, 50)


def test_sums_have_details_where_runs_reported_them(reel):
    record(reel, "openai-responses", *response(1, USED), run_id="a")
    record(reel, "openai-responses", *response(2, USED), run_id="b")
    record(
        reel,
        "plain",
        {"type": "DONE", "model": "other", "usage": {"input_tokens": 1, "output_tokens": 1}},
        run_id="c",
    )
    for by in (("model",), ("model", "source")):
        known, unknown = (item.totals for item in reel.usage(by).items)
        assert (known.cached, known.cache_write, known.reasoning) == (3_840, 100, 384)
        assert (unknown.cached, unknown.cache_write, unknown.reasoning) == (None, None, None)
    totals = reel.usage(("day",)).totals
    assert (totals.runs, totals.known, totals.cached) == (3, 3, 3_840)


def test_a_rebuild_finds_them_in_the_payloads_of_earlier_runs(reel):
    before = record(reel, "openai-responses", *response(1, USED), *response(2, USED))
    sums = reel.usage(("model",))
    for change in (
        "UPDATE runs SET cache_write_tokens = NULL, call_usage = NULL, service_tier = NULL",
        *(
            f"UPDATE {table} SET {detail}_known = 0, {detail}_high = 0, {detail}_low = 0"
            for table in ("usage_by_time", "usage_by_value")
            for detail in ("cached", "cache_write", "reasoning")
        ),
        "UPDATE runreel_meta SET value = '4' WHERE key = 'projection_version'",
    ):
        logs.execute(reel, change)
    found = {difference.column for difference in reel.rebuild(check=True)}
    assert {"cache_write_tokens", "call_usage", "service_tier"} < found
    reel.rebuild()
    assert reel.run("run-1") == before
    assert reel.usage(("model",)) == sums


def test_what_is_pruned_keeps_the_details_with_its_usage(reel):
    before = record(reel, "openai-responses", *response(1, USED), *response(2, USED))
    sums = reel.usage(("model",))
    (pruned,) = reel.prune("now", keep_usage=True)
    assert pruned.action == "pruned"
    assert reel.usage(("model",)) == sums
    kept = logs.execute(reel, "SELECT service_tier, call_usage IS NOT NULL FROM runs")
    assert [(tier, bool(known)) for tier, known in kept] == [(before.service_tier, True)]
    assert reel.rebuild(check=True) == []
