"""What is masked before anything is stored, whatever the source and however it comes in pieces."""

from __future__ import annotations

import json
import re

import pytest

import runreel
from runreel.importing.record_lines import record_lines
from runreel.model.errors import UsageError
from tests import logs
from tests.live import openai_script as script

KEY = "sk-proj-" + "a1B2" * 8
TOKENS = [
    KEY,
    "AQVN" + "x" * 36,
    "t1.9euelZ" + "y" * 60 + ".AbC-1",
    "AKIA" + "Q" * 16,
    "ghp_" + "z" * 36,
    "xoxb-1234-abcd",
    "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
    "Bearer abc.def-123456",
    "Api-Key 0123456789",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
]


def masking(db_url, *rules):
    return runreel.open(db_url, mask=rules)


def told(reel, events, source, run_id="run-1", **identity):
    lines = [json.dumps(event).encode() for event in events]
    return record_lines(reel.db, lines, run_id=run_id, source=source, identity=identity)


def stored(reel):
    return "".join(str(row.payload) for row in logs.rows(reel))


def closing(reel):
    return logs.notes(reel, "run-1")[-1][1]


@pytest.mark.parametrize("token", TOKENS)
def test_keys_and_tokens_are_masked_in_every_string(db_url, token):
    event = {
        "type": "TOOL_CALLS",
        "text": f"use {token} now",
        "tool_calls": [{"id": "1", "name": "f", "arguments": {"auth": [token]}}],
    }
    with masking(db_url, "secrets") as reel:
        told(reel, [event], "plain", labels={"key": token})
        assert json.dumps(token)[1:-1][:-4] not in stored(reel)
        assert reel.result("run-1").text.startswith("use ")
        assert closing(reel)["masked"] >= 3


@pytest.mark.parametrize("size", [1, 3, 50])
def test_a_key_in_pieces_leaves_nothing_behind_its_first_characters(db_url, size):
    calling = [script.call("f", {"key": KEY})]
    said = [script.output_of([f"the key is {KEY}, use it"])]
    with masking(db_url, "secrets") as reel:
        told(reel, script.events(calling, chunk=size), "openai-responses")
        more = script.events(said, chunk=size, id_="resp_2", previous_response_id="resp_1")
        told(reel, more, "openai-responses")
        assert KEY[8:20] not in stored(reel)
        assert reel.result("run-1").text.endswith(", use it")
        whole = "".join(
            event.raw.get("delta", "") for event in reel.events("run-1") if event.kind != "note"
        )
        assert KEY[3:] not in whole


def test_a_key_in_a_text_that_grows_is_masked_from_its_beginning(db_url):
    text = f"the key is {KEY}"
    events = [{"type": "PARTIAL_MESSAGE", "text": text[:n]} for n in range(len(text) + 1)]
    with masking(db_url, "secrets") as reel:
        told(reel, events, "plain")
        # What no pattern can tell from a word: the letters before the first that it asks for.
        assert not re.search("sk-.", stored(reel))
        assert all(KEY[:4] not in (event.text or "") for event in reel.events("run-1"))


def test_the_caller_keeps_what_it_gave(db_url):
    value = {"type": "DONE", "text": KEY, "tool_calls": [{"name": "f", "arguments": {"k": KEY}}]}
    before = json.dumps(value)
    with masking(db_url, "secrets") as reel, reel.recording("run-1") as recording:
        recording.offer("stream_event", value)
    assert json.dumps(value) == before


def test_patterns_and_functions_of_ones_own(db_url):
    rules = (re.compile(r"\d{4}-\d{4}"), lambda text: text.replace("Ivan", "<name>"))
    with masking(db_url, *rules) as reel:
        told(reel, [{"type": "DONE", "text": "Ivan has 1234-5678"}], "plain")
        assert reel.result("run-1").text == "<name> has █████████"
        assert closing(reel) == {"masked": 1}


def test_telling_it_again_adds_nothing(db_url):
    events = script.events([script.output_of([f"key {KEY}"])])
    with masking(db_url, "secrets") as reel:
        told(reel, events, "openai-responses")
        count = len(logs.rows(reel))
        assert told(reel, events, "openai-responses").events_new == 0
        assert len(logs.rows(reel)) == count


def test_without_rules_everything_is_stored(reel):
    told(reel, [{"type": "DONE", "text": KEY}], "plain")
    assert reel.result("run-1").text == KEY
    assert closing(reel) == {}


@pytest.mark.parametrize("rule", ["(", 7])
def test_what_is_no_rule_is_refused(db_url, rule):
    with pytest.raises(UsageError):
        masking(db_url, rule)
