"""Erasing a text from runs of every source: nothing of it stays, the rest does, it stays erased."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runreel
from runreel.audit import verify as audit
from runreel.codec.stream_codec import PLACEHOLDER
from runreel.importing.import_files import import_files
from runreel.importing.record_lines import record_lines
from runreel.model.errors import RunNotFound, UsageError
from runreel.model.events import STREAM_EVENT
from runreel.model.messages import PartialMessage
from runreel.model.results import RunResult, RunStreamEvent, Usage
from runreel.model.status import RunStatus, StreamEvent
from runreel.recording.recorder import Recorder
from tests import logs, traffic
from tests.live import openai_script as script

SECRET = "+7 (999) 123-45-67, Иван"  # noqa: S105 - the thing to be erased
BLOCKS = PLACEHOLDER * len(SECRET)
ANSWER = f"Сейчас позвоню: {SECRET}. Ждите!"


def plain_events():
    told = [{"type": "PARTIAL_MESSAGE", "text": ANSWER[:n]} for n in range(0, len(ANSWER), 4)]
    calls = [{"id": "1", "name": "call", "arguments": {"to": SECRET, "deep": [{SECRET: 1}]}}]
    told.append({"type": "TOOL_CALLS", "text": ANSWER, "tool_calls": calls})
    return [*told, {"type": "DONE", "text": ANSWER}]


def responses():
    arguments = json.dumps({"to": SECRET})
    calling = [script.call("dial", {"to": SECRET})]
    said = script.events([script.output_of([ANSWER])], id_="resp_2", previous_response_id="resp_1")
    assert arguments
    return [*script.events(calling), *said]


def chat():
    return script.chunks(ANSWER, used=script.chat_usage(9, 12))


def streamed_lines():
    return traffic.streamed("run-1", ANSWER)


def import_lines(reel, lines, tmp_path):
    return import_files(reel.db, [traffic.write(tmp_path / "lines.jsonl", lines)])


def offer(reel, source, events):
    return record_lines(
        reel.db, [json.dumps(event).encode() for event in events], run_id="run-1", source=source
    )


STORIES = {"plain": plain_events, "openai-responses": responses, "openai-chat": chat}


@pytest.fixture(params=[*STORIES, "yandex-assistants"])
def told(request, reel, tmp_path):
    """A run with the secret in it, and how to tell it once more."""
    source = request.param

    def tell():
        if source == "yandex-assistants":
            return import_lines(reel, streamed_lines(), tmp_path)
        return offer(reel, source, STORIES[source]())

    assert tell().problems == []
    return tell


def redact(reel, text=SECRET, run_ids=("run-1",), **options):
    said = {"reason": "asked for", "actor": "tester"} | options
    return list(reel.redact(run_ids, text, **said))


def findings(reel):
    with reel.db.reading() as connection:
        return list(audit.verify(connection))


def everything(reel):
    """All that the database tells of, decoded."""
    stored = [json.loads(row.payload) for row in logs.rows(reel) if row.payload is not None]
    rows = [reel.run("run-1"), reel.result("run-1"), *reel.events("run-1")]
    columns = logs.execute(reel, "SELECT * FROM run_labels")
    return repr(stored) + repr(rows) + repr(columns)


def test_a_text_goes_everywhere_and_the_rest_stays(reel, told):
    before, result = list(reel.events("run-1")), reel.result("run-1")
    usage = reel.run("run-1").usage
    places = redact(reel)
    assert places
    assert SECRET not in everything(reel)
    assert SECRET[-4:] not in everything(reel)
    now = list(reel.events("run-1"))
    for old, new in zip(before, now, strict=False):
        assert (old.seq, old.kind, old.type, old.at) == (new.seq, new.kind, new.type, new.at)
        assert (old.text is None) == (new.text is None)
        if old.text is not None:
            assert len(old.text) == len(new.text)
    assert reel.result("run-1").text == result.text.replace(SECRET, BLOCKS)
    assert reel.run("run-1").usage == usage
    assert reel.rebuild(check=True) == []
    assert findings(reel) == []


def test_the_digests_stay_and_a_note_says_why(reel, told):
    before = [row.digest for row in logs.rows(reel)]
    places = redact(reel, reason="by request", actor="auditor")
    rows = logs.rows(reel)
    assert [row.digest for row in rows[: len(before)]] == before
    note = json.loads(rows[-1].payload)
    erased = [row.seq for row in rows if row.payload is None]
    assert note == {"seqs": erased, "reason": "by request", "actor": "auditor"}
    assert {place.seq for place in places} == set(erased)
    assert all(row.salt is None and len(row.redacted) == 32 for row in rows if not row.payload)


def test_a_dry_run_finds_the_same_and_changes_nothing(reel, told):
    before = logs.rows(reel)
    places = redact(reel, dry_run=True)
    assert logs.rows(reel) == before
    assert redact(reel) == places
    assert redact(reel) == redact(reel, dry_run=True) == []


def test_telling_it_once_more_brings_nothing_back(reel, told):
    redact(reel)
    count = len(logs.rows(reel))
    report = told()
    assert (report.problems, report.events_new) == ([], 0)
    assert len(logs.rows(reel)) == count
    assert SECRET not in everything(reel)


def test_a_second_erasure_reaches_what_the_first_left(reel, told):
    redact(reel, SECRET[:8])
    redact(reel)
    redact(reel, SECRET[8:])
    redact(reel, "позвоню")
    kept = everything(reel)
    assert not any(piece in kept for piece in (SECRET[:8], SECRET[8:], "позвоню"))
    assert "Ждите!" in kept
    assert "Сейчас" in reel.result("run-1").text
    assert told().events_new == 0
    assert reel.rebuild(check=True) == []
    assert findings(reel) == []


def test_a_recorder_that_is_at_it_does_not_bring_it_back(reel):
    recorder = Recorder(reel.db, "run-1", source="plain", via="program")
    events = plain_events()
    for event in events[:-2]:
        recorder.offer(STREAM_EVENT, event)
    redact(reel)
    recorder.offer(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": ANSWER + " Вот."})
    recorder.append(STREAM_EVENT, {"type": "DONE", "text": ANSWER + " Вот."})
    recorder.close()
    kept = everything(reel)
    assert SECRET not in kept
    assert reel.result("run-1").text == ANSWER.replace(SECRET, BLOCKS) + " Вот."
    assert findings(reel) == []


def test_a_run_that_goes_on_elsewhere_does_not_bring_it_back(reel):
    """The text so far is told whole by each event: one that is new repeats what is erased."""
    events = plain_events()
    offer(reel, "plain", events[:-3])
    redact(reel, SECRET[:12])
    assert offer(reel, "plain", events).events_new == 3
    text = reel.result("run-1").text
    assert SECRET[:12] not in text
    assert len(text) == len(ANSWER)


def test_bytes_leave_the_file_in_every_spelling(db_url, backend, tmp_path):
    if backend == "postgresql":
        # What a server's files hold is not ours to read: its rows are.
        with runreel.open(db_url) as reel:
            offer(reel, "plain", plain_events())
            redact(reel)
            assert reel.release(purge=True).left
            assert SECRET not in everything(reel)
        return
    with runreel.open(db_url) as reel:
        for source, events in STORIES.items():
            lines = [json.dumps(event).encode() for event in events()]
            record_lines(reel.db, lines, run_id=source, source=source)
        with reel.recording("labelled", labels={"phone": SECRET}) as recording:
            message = PartialMessage((ANSWER,))
            recording.append(RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=message))
            recording.result(RunResult(RunStatus.FAILED, error=f"no such number: {SECRET}"))
        import_lines(reel, streamed_lines(), tmp_path)
        assert any(needle in _files(db_url) for needle in _needles())
        assert redact(reel, run_ids=None)
        reel.release(purge=True)
    assert [needle for needle in _needles() if needle in _files(db_url)] == []
    with runreel.open(db_url) as reel:
        assert findings(reel) == []


def _files(path):
    return b"".join(file.read_bytes() for file in Path(path).parent.glob(Path(path).name + "*"))


def _needles():
    """The secret, and the half of it that most would look for, in the ways bytes spell it."""
    for text in (SECRET, SECRET[4:18]):
        data = text.encode()
        yield from (data, text.encode("utf-16-le"), text.encode("utf-16-be"))
        yield from (data.hex().encode(), base64.b64encode(data).rstrip(b"=")[:-1])
        yield from (json.dumps(text)[1:-1].encode(), urllib.parse.quote(text).encode())


def test_a_whole_row_goes_and_the_text_keeps_its_length(reel):
    offer(reel, "plain", plain_events())
    length = len(reel.result("run-1").text)
    redact_rows = list(reel.redact(["run-1"], seqs=[0, 3], reason="r", actor="a"))
    assert [place.seq for place in redact_rows] == [0, 3]
    events = list(reel.events("run-1"))
    assert events[0].raw == {"source": "plain"}
    assert events[3].raw is None
    assert len(reel.result("run-1").text) == length
    assert offer(reel, "plain", plain_events()).events_new == 0
    assert reel.rebuild(check=True) == []
    assert findings(reel) == []


def test_usage_and_status_outlive_what_was_said_beside_them(reel):
    with reel.recording("run-1") as recording:
        message = PartialMessage((ANSWER,))
        recording.result(RunResult(RunStatus.COMPLETED, _message=message, usage=Usage(1, 3, 2)))
    redact(reel)
    run = reel.run("run-1")
    assert (run.status, run.usage) == (RunStatus.COMPLETED, Usage(1, 3, 2))


@pytest.mark.parametrize(
    "options",
    [{"seqs": [99]}, {"reason": " "}, {"reason": "a\x1b[2J"}, {"actor": "a\nb"}],
)
def test_what_makes_no_sense_is_refused(reel, options):
    offer(reel, "plain", plain_events())
    before = logs.rows(reel)
    with pytest.raises(UsageError):
        list(reel.redact(["run-1"], "x", **({"reason": "r", "actor": "a"} | options)))
    assert logs.rows(reel) == before


def test_a_run_that_is_not_there(reel):
    with pytest.raises(RunNotFound):
        redact(reel, run_ids=["nope"])


@pytest.mark.parametrize("wanted", ["", re.compile("a*")])
def test_nothing_cannot_be_looked_for(reel, wanted):
    with pytest.raises(UsageError):
        redact(reel, wanted)


def test_a_pattern_is_put_out_and_counts_of_tokens_are_not(reel):
    offer(reel, "plain", plain_events())
    redact(reel, re.compile(r"\d{2,}"))
    assert "+7 (███) ███-██-██" in reel.result("run-1").text


def test_a_note_of_an_erasure_cannot_be_erased(reel):
    offer(reel, "plain", plain_events())
    redact(reel)
    last = logs.rows(reel)[-1].seq
    with pytest.raises(UsageError, match="cannot be erased"):
        list(reel.redact(["run-1"], seqs=[last], reason="r", actor="a"))


WORDS = st.lists(st.sampled_from(["ab", "b", "aab", " ", "эю", "\n", "🙂", '"', "\\"]), max_size=12)


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    tellings=st.lists(WORDS, min_size=1, max_size=6),
    needle=st.sampled_from(["ab", "b ", "🙂", '"b']),
)
def test_whatever_is_told_and_retold_nothing_stays(tmp_path_factory, tellings, needle):
    path = tmp_path_factory.mktemp("red") / "log.db"
    texts = ["".join(words) for words in tellings]
    with runreel.open(path, durability="normal") as reel:
        with reel.recording("run-1") as recording:
            for text in texts:
                message = PartialMessage((text,))
                recording.append(RunStreamEvent(StreamEvent.PARTIAL_MESSAGE, _message=message))
        redact(reel, needle)
        told = [event.text for event in reel.events("run-1") if event.text is not None]
        assert [len(text) for text in told] == [len(text) for text in texts]
        assert not any(needle in text for text in told)
        for old, new in zip(texts, told, strict=True):
            assert all(b in (a, PLACEHOLDER) for a, b in zip(old, new, strict=True))
        assert redact(reel, needle, dry_run=True) == []
        assert reel.rebuild(check=True) == []
        assert findings(reel) == []
