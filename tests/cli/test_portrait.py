"""What ``runreel show`` tells people of a run's citations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.live import openai_script as script

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.calls import Caller

NOTES = [
    {"type": "url_citation", "title": "A page", "url": "https://example.org/a"},
    {"type": "file_citation", "file_id": "file_1", "filename": "a.txt", "index": 3},
    {"type": "of the future"},
    {"type": "url_citation", "title": "two\nlines\x1b[2J", "url": "https://example.org/b"},
]


@pytest.fixture
def cited(call_sqlite: Caller, tmp_path: Path) -> Caller:
    message = script.message("m", [script.text_part("See.", NOTES)])
    whole = script.response(output=[message])
    file = tmp_path / "response.json"
    file.write_text(json.dumps(whole), encoding="utf-8")
    call_sqlite.good("record", "--run", "cited", "--input", str(file))
    return call_sqlite


@pytest.mark.parametrize("more", [(), ("--content",)])
def test_a_page_is_told_by_its_title_and_address(cited: Caller, more: tuple[str, ...]) -> None:
    lines = cited.good("show", "cited", *more).out.splitlines()
    assert lines[lines.index("Citations") + 1] == "  [1] A page https://example.org/a"
    assert sum("A page" in line for line in lines) == 1
    assert "  [3] a source of an unknown type" in lines
    assert r"  [4] two\nlines\x1b[2J https://example.org/b" in lines


def streamed(call: Caller, tmp_path: Path, *values: object) -> Caller:
    """The command line on a log that has a stream of these chunks."""
    file = tmp_path / "chunks.jsonl"
    file.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    call("record", "--run", "chat", "--source", "openai-chat", "--input", str(file))
    return call


def thinking(*, reason: str) -> list[object]:
    delta = {"role": "assistant", "reasoning": "I wonder\x1b[2J."}
    return [
        script.chat_chunk([{"index": 0, "delta": delta}]),
        *script.chunks("Hello, world", reason=reason),
    ]


def below(lines: list[str], title: str) -> str:
    """The first line of a step of the story."""
    (number,) = [number for number, line in enumerate(lines) if line.startswith(f"{title}  ")]
    return lines[number + 1].removeprefix("  ")


def test_reasoning_is_shown_apart_from_the_text(call_sqlite: Caller, tmp_path: Path) -> None:
    call = streamed(call_sqlite, tmp_path, *thinking(reason="stop"))
    lines = call.good("show", "chat", "--content").out.splitlines()
    assert below(lines, "Reasoning") == r"I wonder\x1b[2J."
    assert below(lines, "Text") == "Hello, world"
    shown = call.good("show", "chat", "--content", "--json").json
    assert (shown["reasoning"], shown["text"]) == ("I wonder\x1b[2J.", "Hello, world")
    assert "Reasoning" not in call.good("show", "chat").out
    assert "reasoning" not in call.good("show", "chat", "--json").json


@pytest.mark.parametrize(("reason", "shown"), [("stop", False), ("model_length", True)])
def test_a_finish_reason_is_shown_unless_it_is_the_usual(
    call_sqlite: Caller, tmp_path: Path, *, reason: str, shown: bool
) -> None:
    call = streamed(call_sqlite, tmp_path, *thinking(reason=reason))
    assert ("Finish reason" in call.good("show", "chat").out) is shown
    message = call.good("show", "chat", "--content", "--json").json["message"]
    assert message["finish_reason"] == reason


def test_the_text_before_a_failure_is_shown(call_sqlite: Caller, tmp_path: Path) -> None:
    error = {"error": {"message": "overloaded", "code": 529}}
    call = streamed(call_sqlite, tmp_path, *thinking(reason="stop")[:3], error)
    shown = call.good("show", "chat", "--content", "--json").json
    assert (shown["status"], shown["text"], shown["parts"]) == ("FAILED", "Hell", ["Hell"])
    assert (shown["message"], shown["citations"]) == (None, None)
    lines = call.good("show", "chat", "--content").out.splitlines()
    assert below(lines, "Text") == "Hell"
    assert "overloaded (code 529)" in "".join(lines)


def test_the_first_text_is_measured_from_the_request_or_unknown(
    call: Caller, tmp_path: Path
) -> None:
    lines = [
        {"type": "PARTIAL_MESSAGE", "text": "He", "at": "2025-06-01T10:00:01.5Z"},
        {"type": "DONE", "text": "Hello", "at": "2025-06-01T10:00:04Z"},
    ]
    file = tmp_path / "lines.jsonl"
    for run_id, known in (("known", {"requested_at": "2025-06-01T10:00:00Z"}), ("unknown", {})):
        file.write_text("".join(f"{json.dumps(line | known)}\n" for line in lines), "utf-8")
        call.good("record", "--run", run_id, "--input", str(file))
    shown = call.good("show", "known", "--tz", "UTC").out
    assert "Requested   2025-06-01 10:00:00\n" in shown
    assert "First text  after 1.500s\n" in shown
    assert "Took        4.000s\n" in shown
    shown = call.good("show", "unknown").out
    assert "Requested   -\n" in shown
    assert "First text  -\n" in shown
    assert "Took        2.500s\n" in shown
    items = json.loads(call.good("runs", "-o", "json").out)["items"]
    assert {
        item["run_id"]: (item["requested_at"], item["first_text_ms"], item["duration_ms"])
        for item in items
    } == {
        "known": ("2025-06-01T10:00:00.000000Z", 1500.0, 4000.0),
        "unknown": (None, None, 2500.0),
    }
    slow = json.loads(call.good("runs", "--slower-than", "3s", "-o", "json").out)["items"]
    assert [item["run_id"] for item in slow] == ["known"]
