"""What of a run is searched, and how bad questions are answered."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from runreel.importing.record_lines import record_lines
from runreel.model.errors import MissingExtra, PartNotSearched, RunNotFound, UsageError
from runreel.model.events import CONTEXT, STREAM_EVENT
from runreel.projection import run_text
from runreel.recording.recorder import Recorder
from runreel.sources import requests
from tests import logs
from tests.live import openai_script as script
from tests.search import oracle

if TYPE_CHECKING:
    from runreel.api.reel import Reel


def said(reel: Reel, run_id: str, *events: dict[str, Any], source: str = "plain") -> None:
    lines = [json.dumps(event, ensure_ascii=False).encode() for event in events]
    report = record_lines(reel.db, lines, run_id=run_id, source=source)
    assert report.problems == []


def partial(text: str) -> dict[str, Any]:
    return {"type": "PARTIAL_MESSAGE", "text": text}


def test_a_phrase_cut_over_three_rows_is_found_at_the_row_that_completes_it(reel: Reel) -> None:
    recorder = Recorder(reel.db, "run", source="plain", via="program")
    for text in ("A wea", "A weather re", "A weather report", "A weather report, long"):
        recorder.append(STREAM_EVENT, partial(text))
    for _ in "open", "closed":
        (match,) = reel.search("WEATHER REPORT")
        assert (match.in_, match.seq, match.start, match.end) == ("answer", 3, 2, 16)
        assert match.snippet == "A weather report, long"
        recorder.close()


def test_a_text_that_was_rewritten_is_searched_as_it_is_now(reel: Reel) -> None:
    said(reel, "run", partial("one two three"), partial("one 2"), partial("one 2 three"))
    assert list(reel.search("two")) == []
    (match,) = reel.search("2 three")
    assert match.seq == 3


@pytest.mark.parametrize(
    ("source", "context"),
    [
        ("plain", {"messages": [{"role": "user", "content": "Where is the hat?"}]}),
        ("plain", {"question": "Where is the hat?"}),
        (
            "yandex-assistants",
            {"content": {"content": [{"text": {"content": "Where is the hat?"}}]}},
        ),
    ],
    ids=["messages", "question", "assistants"],
)
def test_a_question_is_searched_in_every_source(
    reel: Reel, source: str, context: dict[str, Any]
) -> None:
    recorder = Recorder(reel.db, "run", source=source, via="program")
    recorder.append(CONTEXT, context)
    for _ in "open", "closed":
        (match,) = reel.search("the HAT", in_="request")
        assert (match.seq, match.snippet) == (1, "Where is the hat?")
        recorder.close()


def test_every_answer_of_a_chain_is_searched_and_each_once(reel: Reel) -> None:
    first = script.events([script.output_of(["Снег в Москве"])])
    second = script.events(
        [script.output_of(["Снег в Перми"])], id_="resp_2", previous_response_id="resp_1"
    )
    said(reel, "run", *first, *second, source="openai-responses")
    found = list(reel.search("снег", in_="answer"))
    assert [(match.start, match.snippet) for match in found] == [
        (0, "Снег в Москве"),
        (0, "Снег в Перми"),
    ]
    assert found[0].seq < found[1].seq
    assert [match.snippet for match in reel.search("перми")] == ["Снег в Перми"]


def test_reasoning_is_searched_where_it_is_asked_for(reel: Reel) -> None:
    deltas = [
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0}
        | {"item_id": "rs_1", "delta": delta}
        for delta in ("Надо по", "думать о пого", "де.")
    ]
    events = script.events([script.output_of(["Ясно"])])
    said(reel, "run", *events[:2], *deltas, *events[2:], source="openai-responses")
    assert list(reel.search("погод")) == []
    (match,) = reel.search("ПОГОДЕ", in_="reasoning")
    assert (reel.reasoning("run") or "")[match.start : match.end] == "погоде"
    (row,) = reel.events("run", start=match.seq, stop=match.seq + 1)
    assert row.raw["delta"] == "де."


def test_arguments_results_and_errors_are_searched(reel: Reel) -> None:
    call = {"id": "1", "name": "find", "arguments": {"город": "Пермь", "n": [1, "два"]}}
    said(
        *(reel, "run", {"type": "TOOL_CALLS", "tool_calls": [call]}),
        {"tool_results": [{"id": "1", "content": {"ответ": ["дождь"]}}]},
        {"type": "ERROR", "error": {"message": "Модель занята", "code": "overloaded"}},
    )
    for text, part, seq in (
        ('"город": "пермь"', "tools", 1),
        ("дождь", "tools", 2),
        ("ЗАНЯТА", "error", 3),
        ("overload", "error", 3),
    ):
        (match,) = reel.search(text)
        assert (match.in_, match.seq) == (part, seq), text
        assert list(reel.search(text, in_={"answer", "request", "tools", "error"} - {part})) == []


def ask(reel: Reel, run_id: str, body: dict[str, Any]) -> None:
    recorder = Recorder(reel.db, run_id, source="openai-chat", via="program")
    recorder.append(CONTEXT, body)
    recorder.close()


def repeating(reel: Reel, run_id: str, items: list[Any]) -> dict[str, Any]:
    """The stored form of a request that goes on from the one in row 1 of a run."""
    whole = requests.parse("openai-chat", {"model": "m", "messages": items})
    earlier = reel.request(run_id)
    assert whole is not None
    assert earlier is not None
    number = len(earlier["messages"])  # type: ignore[arg-type]
    row = logs.rows(reel, run_id)[1]
    reference = requests.Reference(run_id, 1, number, row.digest.hex(), 1)
    return requests.stored_form(whole, reference, [])


def test_a_request_is_searched_as_it_is_shown_also_what_it_repeats_of_another_run(
    reel: Reel,
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG9nb2Rh"}}
    first = [
        {"role": "system", "content": "Отвечай кратко"},
        {"role": "user", "content": [{"type": "text", "text": "Какая погода?"}, image]},
    ]
    ask(reel, "run-1", {"model": "m", "messages": first})
    second = [*first, {"role": "user", "content": "А завтра?"}]
    ask(reel, "run-2", repeating(reel, "run-1", second))
    third = [*second, {"role": "user", "content": "А потом?"}]
    ask(reel, "run-3", repeating(reel, "run-2", third))
    assert reel.request("run-3") == {"model": "m", "messages": third}
    for _ in range(2):
        for text, runs in (("КАКАЯ", "123"), ("завтра", "23"), ("потом?", "3"), ("cG9nb2Rh", "")):
            found = [match.run_id for match in reel.search(text, in_="request")]
            assert sorted(found) == [f"run-{number}" for number in runs], text
        assert list(reel.search("system")) == []
        if reel.db.driver.in_process:
            reel.build_search_index()
    list(reel.redact(["run-1"], "погода", reason="r", actor="a"))
    assert list(reel.search("погода")) == []
    assert len(list(reel.search("кратко"))) == 3
    assert list(reel.rebuild(check=True)) == []


def test_a_run_with_too_much_text_for_the_projection_is_read_in_the_log(
    reel: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_text, "MAX_SIZE", 1_000)
    results = [{"id": "1", "content": "слово " * 100}]
    said(reel, "long", *[{"tool_results": results}] * 4, partial("и погода"))
    said(reel, "answer", partial("облако " * 200))
    said(reel, "short", partial("погода"))
    assert {part for (part,) in logs.execute(reel, "SELECT part FROM run_text")} == {
        "long",
        "answer",
    }
    for _ in range(2):
        assert sorted(match.run_id for match in reel.search("погода")) == ["long", "short"]
        assert len(list(reel.search("слово"))) == 400
        assert len(list(reel.search("облако"))) == 200
        if reel.db.driver.in_process:
            reel.build_search_index()


def test_a_search_for_nothing_and_other_bad_questions_are_refused(reel: Reel) -> None:
    said(reel, "run", partial("a"))
    for text, options in (
        ("", {}),
        ("", {"regex": True}),
        ("(", {"regex": True}),
        ("a", {"in_": "titles"}),
        ("a", {"in_": ()}),
        ("a", {"status": "odd"}),
    ):
        with pytest.raises(UsageError):
            reel.search(text, **options)  # type: ignore[arg-type]
    with pytest.raises(RunNotFound):
        list(reel.search("a", run_ids=["run", "none"]))


def test_patterns_ignore_case_and_find_no_empty_text(reel: Reel) -> None:
    said(reel, "run", partial("Погода: 12\nпогода: 3"))
    spans = [(m.start, m.end) for m in reel.search(r"ПОГОДА: \d+|x*", regex=True)]
    assert spans == [(0, 10), (11, 20)]
    assert [m.start for m in reel.search(r"погода", regex=True, case=True)] == [11]
    assert [m.start for m in reel.search(r"(?m)^п", regex=True)] == [0, 11]


def test_a_pattern_that_explodes_is_reported_and_the_rest_searched(
    reel: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runreel.codec.wanted_text.SECONDS", 0.05)
    said(reel, "bad", partial("a" * 5_000 + "!"))
    said(reel, "good", partial("aaa"))
    pattern = r"(a|a)+$"
    found: list[Any] = []
    with pytest.raises(PartNotSearched, match="answer of run bad") as caught:
        found.extend(reel.search(pattern, regex=True))
    assert [match.run_id for match in found] == ["good"]
    assert len(caught.value.parts) == 1
    problems: list[str] = []
    list(reel.search(pattern, regex=True, on_problem=problems.append))
    assert tuple(problems) == caught.value.parts


def test_without_the_package_for_patterns_the_message_names_the_extra(
    reel: Reel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "regex", None)
    with pytest.raises(MissingExtra, match="regex"):
        reel.search("a", regex=True)
    said(reel, "run", partial("a"))
    assert list(reel.search("a"))


def test_a_pruned_run_that_is_named_is_reported(reel: Reel) -> None:
    said(reel, "old", partial("погода"))
    list(reel.prune(datetime.now(UTC), reason="law"))
    said(reel, "new", partial("погода"))
    problems: list[str] = []
    found = list(reel.search("погода", run_ids=["new", "old"], on_problem=problems.append))
    assert [match.run_id for match in found] == ["new"]
    (problem,) = problems
    assert "run old was pruned" in problem
    assert [match.run_id for match in reel.search("погода")] == ["new"]
    with pytest.raises(PartNotSearched, match="run old was pruned"):
        list(reel.search("погода", run_ids=["old"]))


def test_a_damaged_run_is_reported_and_the_others_are_searched(reel: Reel) -> None:
    said(reel, "bad", partial("погода"))
    said(reel, "good", partial("погода"))
    logs.tamper(reel, "UPDATE events SET payload = '{' WHERE run_id = 'bad' AND seq = 1")
    problems: list[str] = []
    found = list(reel.search("погода", on_problem=problems.append))
    assert [match.run_id for match in found] == ["good"]
    assert len(problems) == 1
    assert "run bad" in problems[0]


@pytest.mark.parametrize("packed", [True, False])
def test_a_broken_text_in_the_projection_is_found_by_a_check_and_rebuilt(
    reel: Reel, *, packed: bool
) -> None:
    if not packed and not reel.db.driver.in_process:
        pytest.skip("a server has no bytes there")
    said(reel, "run", partial("погода"))
    if reel.db.driver.in_process:
        reel.build_search_index()
    changed = reel.db.driver.text_search.packed("other") if packed else b"\0"
    logs.execute(reel, "UPDATE run_text SET text = ?", (changed,))
    (difference,) = reel.rebuild(check=True)
    assert (difference.run_id, difference.column) == ("run", "texts")
    assert [one.column for one in reel.rebuild()] == ["texts"]
    assert list(reel.rebuild(check=True)) == []
    assert oracle.found(reel, "погода") == [("run", "answer", 0, 6)]


def test_the_progress_ends_with_all_runs(reel: Reel) -> None:
    for number in range(3):
        said(reel, f"run-{number}", partial("погода"))
    steps: list[tuple[int, int]] = []
    list(reel.search("погода", progress=lambda *step: steps.append(step)))
    assert steps[-1] == (3, 3)
    assert steps == sorted(steps)


def test_reasoning_next_to_text_in_one_chunk_is_searched(reel: Reel) -> None:
    """Such a chunk changes the text, and more than the text: also among others of one commit."""
    chunks = [
        script.chat_chunk(
            [{"index": 0, "delta": {"content": f"word{n} ", "reasoning_content": f"idea{n} "}}]
        )
        for n in range(6)
    ]
    values = [(STREAM_EVENT, chunk) for chunk in chunks]
    for name, offer in ("one", False), ("all", True):
        recorder = Recorder(reel.db, name, source="openai-chat", via="program")
        if offer:
            recorder.offer_all(values)
        else:
            for value in values:
                recorder.offer(*value)
        recorder.close()
    found = [(match.run_id, match.seq) for match in reel.search("idea2 idea3", in_="reasoning")]
    assert sorted(found) == [("all", 4), ("one", 4)]
    assert reel.reasoning("all") == "".join(f"idea{n} " for n in range(6))
    assert reel.rebuild(check=True) == []
