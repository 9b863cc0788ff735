"""Lines that cannot be stored: each is named, its run is left as it was, the rest goes in."""

from __future__ import annotations

import json

import pytest

import runreel
from runreel.importing import input_files
from runreel.importing.import_files import import_files
from runreel.model.events import CONFLICT, GAP
from tests import logs, traffic

GOOD = traffic.streamed("good", thread="thread-good")
BAD = traffic.streamed("bad", thread="thread-bad")


def nested(depth: int) -> str:
    return '{"type": "run", "data": {"id": "bad", "x": ' + "[" * depth + "]" * depth + "}}"


# Each with what is said of it; {} is a line of the run called "bad".
UNREADABLE = {
    "cut short": (json.dumps(BAD[2])[:60], "not JSON"),
    "two values": ('{"type": "run"} {"type": "run"}', "not JSON"),
    "NaN": ('{"type": "run", "data": {"id": "bad", "x": NaN}}', "NaN is not JSON"),
    "Infinity": ('{"type": "run", "data": {"id": "bad", "x": -Infinity}}', "Infinity is not JSON"),
    "a number out of range": ('{"type": "run", "data": {"id": "bad", "x": 1e999}}', "range"),
    "a number of many digits": (
        '{"type": "run", "data": {"id": "bad", "x": ' + "9" * 5000 + "}}",
        "",
    ),
    "an array": ("[1]", "an event must be a JSON object"),
    "a string": ('"bad"', "an event must be a JSON object"),
    "null": ("null", "an event must be a JSON object"),
    "an unknown shape": ('{"hello": "world"}', "unrecognised event"),
    "an unknown kind": ('{"type": "rumour", "data": {"id": "bad"}}', "unrecognised event"),
    "not UTF-8": (b'{"type": "run", "data": {"id": "bad", "x": "\xff\xfe"}}', "not JSON"),
    "nested without end": ("[" * 100_000, "nested"),
    "nested deeper than is stored": (nested(200), "nested"),
}


UNNAMABLE = {
    "too long": ("x" * 201, "1 to 200 characters"),
    "empty of anything": ("\0", "control characters"),
    "with a line break": ("a\nb", "control characters"),
    "with a control character of the upper half": ("a\x9b31m", "control characters"),
    "with half a character": ("a\ud800", "lone surrogates"),
}


@pytest.fixture
def log(tmp_path):
    """A log of the embedded database: what a line means does not depend on where it would go."""
    with runreel.open(tmp_path / "log.db") as reel:
        yield reel
        logs.verify(reel)


@pytest.mark.parametrize("what", UNREADABLE)
def test_a_line_that_cannot_be_read_leaves_its_run_untouched_and_the_rest_goes_in(
    tmp_path, log, what
):
    line, reason = UNREADABLE[what]
    for at in range(1, len(BAD) + 1):
        good = traffic.streamed(f"good-{at}", thread=f"thread-{at}")
        lines = [*good, *BAD[:at], line, *BAD[at:]]
        report = import_files(log.db, [traffic.write(tmp_path / "f.jsonl", lines)])

        (problem,) = report.problems
        assert problem.file == str(tmp_path / "f.jsonl")
        assert problem.line == len(good) + at + 1
        assert reason in problem.message
        assert (report.events_new, report.runs_new) == (len(good), 1)
        assert logs.said(log, f"good-{at}") == [line["data"] for line in good]
        assert log.run(f"good-{at}").recording == "closed"
    assert "bad" not in logs.run_ids(log)
    assert log.rebuild(check=True) == []


@pytest.mark.parametrize("what", UNREADABLE)
def test_once_the_line_is_mended_its_run_goes_in_whole(reel, tmp_path, what):
    lines = [*GOOD, *BAD[:3], UNREADABLE[what][0], *BAD[3:]]
    assert import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)]).problems
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", [*GOOD, *BAD])])

    assert report.problems == []
    assert logs.said(reel, "bad") == [line["data"] for line in BAD]
    assert (report.events_new, report.events_known) == (len(BAD), len(GOOD))


@pytest.mark.parametrize("what", UNNAMABLE)
def test_a_run_that_cannot_be_called_so_is_named_and_every_other_goes_in(reel, tmp_path, what):
    run_id, reason = UNNAMABLE[what]
    event = {"type": "DONE", "run_id": run_id, "text": "Hi"}
    lines = [*GOOD, event, {"type": "DONE", "text": "of the same run"}, *BAD]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", map(json.dumps, lines))])

    assert report.problems[0].line == len(GOOD) + 1
    assert reason in report.problems[0].message
    assert logs.run_ids(reel) == ["bad", "good"]
    assert logs.said(reel, "good") == [line["data"] for line in GOOD]


def test_a_line_between_two_runs_that_names_none_leaves_both_untouched(reel, tmp_path):
    other = traffic.streamed("other", thread="thread-other")
    lines = [*GOOD, *BAD, "{", *other, *traffic.streamed("last")]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])

    at = len(GOOD) + len(BAD) + 1
    assert [(p.line, p.run_id) for p in report.problems] == [(at, "bad"), (at, "other")]
    assert report.problems[1].message == "run other begins after this line, which may belong to it"
    assert logs.run_ids(reel) == ["good", "last"]


def test_a_line_before_the_first_run_leaves_that_run_untouched(reel, tmp_path):
    assistant = json.dumps(traffic.assistant())[:40]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", [assistant, *BAD])])

    assert [(p.line, p.run_id) for p in report.problems] == [(1, None), (1, "bad")]
    assert logs.rows(reel) == []


def test_a_line_that_names_its_run_leaves_no_other_untouched(reel, tmp_path):
    lines = [*GOOD, '{"type": "DONE", "run_id": "bad", "x": NaN}', *traffic.streamed("last"), *BAD]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])

    assert [problem.run_id for problem in report.problems] == ["bad"]
    assert logs.run_ids(reel) == ["good", "last"]


def test_a_broken_line_of_a_run_still_tells_which(reel, tmp_path):
    broken = json.dumps(BAD[-1])[:120]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", [*GOOD, broken, *BAD])])

    assert [(p.line, p.run_id) for p in report.problems] == [(len(GOOD) + 1, "bad")]
    assert logs.run_ids(reel) == ["good"]


def test_an_event_without_a_run_is_named_and_the_runs_behind_it_go_in(reel, tmp_path):
    orphan = {key: value for key, value in BAD[1].items() if key != "request"}
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", [orphan, orphan, *GOOD])])

    assert [(problem.line, problem.run_id) for problem in report.problems] == [(1, None), (2, None)]
    assert all("no run_id" in problem.message for problem in report.problems)
    assert logs.said(reel, "good") == [line["data"] for line in GOOD]


def test_an_event_without_a_run_is_of_the_run_before_it(reel, tmp_path):
    lines = [{key: line[key] for key in ("type", "data")} for line in [*GOOD, *BAD]]
    assert import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)]).problems == []
    assert logs.said(reel, "bad") == [line["data"] for line in BAD]


def test_a_line_too_long_to_be_held_leaves_its_run_untouched(reel, tmp_path, monkeypatch):
    monkeypatch.setattr(input_files, "MAX_LINE", 2_000)
    long = traffic.streamed("bad", "x" * 3_000)  # in its second, third and fourth line
    lines = [*GOOD, *long, BAD[0], *traffic.streamed("last")]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])

    assert [problem.line for problem in report.problems] == [11, 12, 13]
    assert {problem.run_id for problem in report.problems} == {"bad"}
    assert logs.run_ids(reel) == ["good", "last"]


@pytest.mark.parametrize("first", ["yandex-assistants", "plain"])
def test_a_run_of_two_sources_is_left_untouched(reel, tmp_path, first):
    plain = [{"type": "DONE", "run_id": "bad", "text": "Hi", "source_index": n} for n in range(3)]
    mixed = [*BAD, *plain] if first == "yandex-assistants" else [*plain, *BAD]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", [*GOOD, *mixed])])

    assert {problem.run_id for problem in report.problems} == {"bad"}
    assert "run bad has events of two sources" in report.problems[0].message
    assert logs.run_ids(reel) == ["good"]


def test_a_second_source_of_a_run_in_the_log_changes_nothing(reel, tmp_path):
    plain = [{"type": "DONE", "run_id": "bad", "text": f"{n}"} for n in range(3)]
    import_files(reel.db, [traffic.write(tmp_path / "first.jsonl", BAD)])
    before = logs.rows(reel)
    report = import_files(reel.db, [traffic.write(tmp_path / "second.jsonl", [*plain, *GOOD])])

    (problem,) = report.problems
    assert problem.run_id == "bad"
    assert "recorded from yandex-assistants, not from plain" in problem.message
    assert [row for row in logs.rows(reel) if row.run_id == "bad"] == before
    assert logs.said(reel, "good") == [line["data"] for line in GOOD]


def test_an_index_that_jumps_is_stored_with_a_note_of_the_gap(reel, tmp_path):
    run = traffic.Run()
    events = [run.partial("a" * n) for n in range(1, 8)]
    lines = [run.pending(), *events[:2], *events[5:]]
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])

    (problem,) = report.problems
    assert (problem.line, problem.run_id) == (4, "run-1")
    assert "3 of the source's events are missing" in problem.message
    assert logs.said(reel, "run-1") == [line["data"] for line in lines]
    assert [value for type_, value in logs.notes(reel, "run-1") if type_ == GAP] == [
        {"expected": 2, "got": 5}
    ]
    assert [e.source_index for e in reel.events("run-1", type="PARTIAL_MESSAGE")] == [0, 1, 5, 6]
    assert import_files(reel.db, [str(tmp_path / "f.jsonl")]).problems == [], "told once"


def test_what_was_missing_is_stored_when_it_comes_after_all(reel, tmp_path):
    run = traffic.Run()
    events = [run.partial("a" * n) for n in range(1, 8)]
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", [run.pending(), *events[::3]])])
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", [run.pending(), *events])])

    assert (report.events_new, report.events_known, report.problems) == (4, 4, [])
    stored = list(reel.events("run-1", type="PARTIAL_MESSAGE"))
    assert [e.source_index for e in stored] == [0, 3, 6, 1, 2, 4, 5]
    assert {e.source_index: e.text for e in stored} == {n: "a" * (n + 1) for n in range(7)}


def test_an_index_repeated_with_other_content_is_a_conflict_note_and_the_first_stays(
    reel, tmp_path
):
    run = traffic.Run()
    lines = [run.pending(), run.partial("one"), run.partial("one two")]
    other = json.loads(json.dumps(lines[1]).replace("one", "ONE"))
    path = traffic.write(tmp_path / "f.jsonl", [*lines, other, other])
    for times in range(3):
        report = import_files(reel.db, [path])

        assert [(p.line, p.run_id) for p in report.problems] == [(4, "run-1"), (5, "run-1")]
        assert "other content in row 2" in report.problems[0].message
        assert report.events_new == (0 if times else 3)
        assert logs.said(reel, "run-1") == [line["data"] for line in lines]
        assert [value for type_, value in logs.notes(reel, "run-1") if type_ == CONFLICT] == [
            {"source_index": 0, "seq": 2, "offered": other["data"]}
        ]
    third = json.loads(json.dumps(lines[1]).replace("one", "1"))
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", [*lines, third, other])])
    assert [type_ for type_, _ in logs.notes(reel, "run-1")].count(CONFLICT) == 2
    assert reel.result("run-1").text == "one two"


def test_lines_of_numbers_and_keys_in_another_order_are_the_same_lines(reel, tmp_path):
    run = traffic.Run()
    lines = [run.pending(), run.asks([("f", {"a": 1, "b": [1.0]})])]
    turned = json.loads(json.dumps(lines, sort_keys=True))
    turned = [
        dict(reversed(line.items())) | {"data": dict(reversed(line["data"].items()))}
        for line in turned
    ]
    import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", lines)])
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", turned)])

    assert (report.events_new, report.events_known, report.problems) == (0, 2, [])


def test_notes_of_another_log_are_left_out_and_that_is_said(reel, tmp_path):
    note = {"run_id": "good", "kind": "note", "type": "closed"}
    report = import_files(reel.db, [traffic.write(tmp_path / "f.jsonl", [*GOOD, note, note])])

    assert report.notices == ["notes of another recorder were skipped"]
    assert (report.problems, report.events_new) == ([], len(GOOD))


def test_a_file_with_nothing_in_it_is_no_problem(reel, tmp_path):
    report = import_files(reel.db, [traffic.write(tmp_path / "empty.jsonl", [])])

    assert (report.lines, report.runs_new, report.problems) == (0, 0, [])
    assert logs.rows(reel) == []
