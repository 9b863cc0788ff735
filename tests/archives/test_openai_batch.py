"""The answers in output files of the Batch API are runs of the interfaces that they came from."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from runreel import RunStatus
from tests.archives.contents import content, store, totals
from tests.prices.lines import data
from tests.prices.lines import line as entry

CHAT: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_730_800_000,
    "model": "gpt-5-mini",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Paris"}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27},
}
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_730_800_000,
    "status": "completed",
    "model": "gpt-5-mini",
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "Rome"}]}],
    "usage": {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
}


def line(number: int, body: Any, *, status: int = 200, error: Any = None) -> dict[str, Any]:
    response = {"status_code": status, "request_id": f"r{number}", "body": body}
    return {
        "id": f"batch_req_{number}",
        "custom_id": f"question-{number}",
        "response": None if body is None else response,
        "error": error,
    }


LINES = [
    line(1, CHAT),
    line(2, RESPONSE),
    line(3, {"error": {"message": "no such model", "code": "model_not_found"}}, status=404),
    line(4, None, error={"code": "batch_expired", "message": "too late"}),
]


def write(tmp_path, lines):
    path = tmp_path / "batch_output.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), "utf-8")
    return path


def test_the_answers_have_the_service_tier_and_the_price_of_batches(reel, tmp_path):
    own = {"id": "resp_2", "service_tier": "default"}
    store(reel, write(tmp_path, [line(1, CHAT), line(2, RESPONSE | own)]))
    assert [run.service_tier for run in reel.runs()] == ["batch", "batch"]
    book = tmp_path / "prices.jsonl"
    price = {"model": CHAT["model"], "unit": 1, "valid_from": None, "input": "2", "output": "4"}
    book.write_bytes(data(entry(**price), entry(**price | {"input": "1", "tier": "batch"})))
    costs = reel.usage((), cost=True, prices=book).costs
    assert [(cost.cost, cost.currency) for cost in costs] == [(Decimal(23 + 9 * 4), "USD")]
    assert reel.rebuild(check=True) == []


def test_each_answer_is_a_run_with_its_custom_id_as_a_label(reel, tmp_path):
    report = store(reel, write(tmp_path, LINES))
    assert (report.problems, report.notices, report.runs_new) == ([], [], 4)
    runs = {run.labels["custom_id"]: run for run in reel.runs()}
    assert {name: run.source for name, run in runs.items()} == {
        "question-1": "openai-chat",
        **dict.fromkeys(("question-2", "question-3", "question-4"), "openai-responses"),
    }
    assert reel.result("batch_req_1").text == "Paris"
    assert reel.result("batch_req_2").text == "Rome"
    assert totals(reel) == (23, 9)
    for number, message, code in (
        (3, "no such model", "model_not_found"),
        (4, "too late", "batch_expired"),
    ):
        run = runs[f"question-{number}"]
        assert (run.status, run.error.message, run.error.code) == (RunStatus.FAILED, message, code)
        assert run.usage is None
    assert all(run.recording == "closed" and run.first_text_ms is None for run in runs.values())
    assert reel.rebuild(check=True) == []


def test_parts_and_orders_of_a_file_change_nothing(reel, tmp_path):
    store(reel, write(tmp_path, LINES))
    whole = content(reel)
    for lines in (LINES[:2], LINES[::-1], LINES):
        assert store(reel, write(tmp_path, lines)).events_new == 0
    assert content(reel) == whole


def test_answers_of_no_known_model_are_named_once(reel, tmp_path):
    embedding = {"object": "list", "data": [], "usage": {"prompt_tokens": 1}}
    report = store(reel, write(tmp_path, [line(7, embedding), line(8, embedding), LINES[0]]))
    assert [problem.line for problem in report.problems] == [1]
    assert totals(reel) == (20, 7)
