"""The request of a call: stored before it is sent, without secrets, and what repeats only once."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime

import pytest

import runreel
from runreel.codec.text_search import SearchPattern
from runreel.model.events import CONTEXT, TOOL_RESULTS
from runreel.query.requests import PRUNED, REDACTED
from runreel.retention.redaction import redact
from runreel.sources import requests
from runreel.store.connection import Connection
from runreel.system.sync_bridge import completed
from tests.calls.hook import (
    CHAT,
    RESPONSES,
    ask,
    chat,
    chat_calls,
    recording_of,
    said,
    tool,
    user,
)
from tests.live import openai_script as script

TOOLS = [
    {"type": "function", "function": {"name": f"tool_{n}", "parameters": {}}} for n in range(9)
]


@pytest.fixture(autouse=True)
def whole(reel):
    """Whatever was stored, a rebuild finds nothing amiss."""
    yield
    assert reel.rebuild(check=True) == []
    assert list(reel.verify()) == []


def request(reel, run_id):
    return reel.request(run_id)


def stored(reel, run_id):
    return [row.raw for row in reel.events(run_id) if row.kind == CONTEXT]


def keys(reel, kind="request"):
    with reel.db.reading() as connection:
        sql = "SELECT key, run_id FROM run_keys WHERE kind = ?"
        return set(connection.all(sql, (kind,)))


def turns(reel, number, text="x" * 2000, **options):
    """A conversation of this many turns; its runs."""
    messages, runs = [], []
    for turn in range(number):
        messages.append(user(f"{turn} {text}"))
        answer = f"answer {turn}"
        runs.append(
            ask(
                reel,
                CHAT,
                chat(*messages, tools=TOOLS),
                script.chunks(answer, id_=f"c{turn}"),
                **options,
            )
        )
        messages.append(said(answer))
    return runs, chat(*messages[:-1], tools=TOOLS)


def test_the_request_is_in_the_log_before_it_is_sent(reel, db_url):
    recording = recording_of(reel, CHAT, chat(user("Hi")))
    completed(recording.before_send())
    with runreel.open(db_url) as other:
        (run,) = other.runs()
        assert run.run_id == recording.run_id
        assert stored(other, run.run_id) == [chat(user("Hi"))]
        assert (run.model, run.recording) == ("m", "open")
    completed(recording.end("gone"))


def test_no_credentials_are_stored(reel):
    tools = [
        {"type": "mcp", "server_url": "https://x", "headers": {"X": "s3cret"}, "server_label": "a"},
        {"type": "mcp", "authorization": "s3cret", "server_label": "b"},
        {"type": "function", "name": "headers", "parameters": {"headers": {"type": "string"}}},
    ]
    body = {
        "model": "m",
        "input": "Hi",
        "tools": tools,
        "mcp_servers": [{"url": "https://y", "authorization_token": "s3cret"}],
    }
    run_id = ask(reel, RESPONSES, body, script.events([]))
    (value,) = stored(reel, run_id)
    assert "s3cret" not in str(value)
    assert value["tools"][2] == tools[2]
    assert [tool["server_label"] for tool in value["tools"][:2]] == ["a", "b"]
    assert value["mcp_servers"] == [{"url": "https://y"}]


def test_masks_apply_to_what_is_stored_and_do_not_stop_it_from_being_found(db_url):
    with runreel.open(db_url, mask=["secrets"]) as reel:
        key = "sk-" + "a" * 30
        first = ask(reel, CHAT, chat(user(f"my key {key}")), script.chunks("ok"))
        body = chat(user(f"my key {key}"), said("ok"), user("again"))
        second = ask(reel, CHAT, body, script.chunks("ok", id_="2"))
        assert key not in str(stored(reel, first) + stored(reel, second))
        assert len(stored(reel, second)[0]["messages"]) == 2
        assert request(reel, second)["messages"][1:] == body["messages"][1:]


def test_binary_data_is_a_digest_and_a_size(reel):
    data = bytes(range(256)) * 40
    encoded = base64.b64encode(data).decode()
    body = chat(
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a" * 4000},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}},
                {"type": "input_audio", "input_audio": {"data": encoded, "format": "wav"}},
                {"type": "file", "file": {"file_data": f"data:x;base64,{encoded}"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
            ],
        }
    )
    run_id = ask(reel, CHAT, body, script.chunks("ok"))
    (value,) = stored(reel, run_id)
    text, image, audio, file, small = value["messages"][0]["content"]
    told = f"<{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}>"
    assert text["text"] == "a" * 4000
    assert image["image_url"]["url"] == f"data:image/png;base64,{told}"
    assert audio["input_audio"] == {"data": told, "format": "wav"}
    assert file["file"]["file_data"] == f"data:x;base64,{told}"
    assert small == body["messages"][0]["content"][4]
    again = chat(*body["messages"], said("ok"), user("And?"))
    second = ask(reel, CHAT, again, script.chunks("ok", id_="2"))
    assert len(stored(reel, second)[0]["messages"]) == 2


def test_a_conversation_stores_what_is_new(reel):
    runs, last = turns(reel, 20)
    assert request(reel, runs[-1]) == last
    for run_id in runs[1:]:
        (value,) = stored(reel, run_id)
        assert len(value["messages"]) == 2
        assert "tools" not in value
    assert {run.thread_id for run in reel.runs()} == {runs[0]}


def payload_bytes(reel):
    with reel.db.reading() as connection:
        (found,) = connection.one("SELECT sum(length(payload)) FROM events")
    return found


def long_text(number):
    """2,000 characters that no other number has."""
    return f"{number:02d} " + "".join(chr(97 + (number * 7 + n * n) % 26) for n in range(1997))


def talk(reel, source, *, repeat):
    """Ask 20 times with tools, with the conversation so far or with one message alone.

    Returns the last run, and its request.
    """
    items, run_id, body = [], "", {}
    for turn in range(20):
        items = [*items, user(long_text(turn))] if repeat else [user(long_text(turn))]
        id_, answer = f"{source}-{repeat}-{turn}", long_text(100 + turn)
        if source == CHAT:
            body = chat(*items, tools=TOOLS)
            told = script.chunks(answer, id_=id_, chunk=100)
        else:
            body = {"model": "m", "input": items, "tools": TOOLS}
            told = script.events([script.output_of([answer])], id_=id_, chunk=100)
        run_id = ask(reel, source, body, told)
        items = [*items, said(answer)]
    return run_id, body


@pytest.mark.parametrize("source", [RESPONSES, CHAT])
def test_a_conversation_costs_at_most_twice_its_messages(reel, source):
    talk(reel, source, repeat=False)
    alone = payload_bytes(reel)
    last, body = talk(reel, source, repeat=True)
    assert payload_bytes(reel) - alone <= 2 * alone
    assert request(reel, last) == body
    assert len({run.thread_id for run in reel.runs(limit=0)}) == 21


def selects_before_sending(reel, monkeypatch, source, body):
    """The number of queries that find out what the log knows of a request."""
    sent = []
    real = Connection.execute

    def execute(self, sql, parameters=()):
        sent.append(sql)
        return real(self, sql, parameters)

    recording = recording_of(reel, source, body)
    with monkeypatch.context() as patched:
        patched.setattr(Connection, "execute", execute)
        completed(recording.before_send())
    completed(recording.end("not sent"))
    return next(number for number, sql in enumerate(sent) if sql.startswith("BEGIN"))


def test_a_long_conversation_is_found_with_few_queries(reel, monkeypatch):
    """The keys, the row that is repeated and those it repeats, the thread, and the new run."""
    messages = []
    for turn in range(45):
        messages.append(user(f"question {turn}"))
        ask(reel, CHAT, chat(*messages), script.chunks(f"answer {turn}", id_=f"c{turn}"))
        messages.append(said(f"answer {turn}"))
    messages.append(user("and now?"))
    assert selects_before_sending(reel, monkeypatch, CHAT, chat(*messages)) <= 7


def test_a_call_whose_id_many_runs_have_is_found_with_few_queries(reel, monkeypatch):
    call = ("call_0", "f", '{"n": 1}')
    for n in range(20):
        ask(reel, CHAT, chat(user(f"Go {n}")), chat_calls(f"c{n}", call))
    asked = chat(user("Go 19"), said(None, call), tool("call_0", "done"))
    assert selects_before_sending(reel, monkeypatch, CHAT, asked) <= 7
    assert len(list(reel.runs())) == 20


def test_the_steps_of_an_agent_store_what_is_new(reel):
    messages = [user("Go " + "x" * 2000)]
    for step in range(20):
        call = (f"call_{step}", "f", '{"n": 1}')
        run_id = ask(reel, CHAT, chat(*messages), chat_calls(f"c{step}", call))
        messages += [said(None, call), tool(call[0], f"{step} " + "y" * 2000)]
    assert ask(reel, CHAT, chat(*messages), script.chunks("done", id_="last")) == run_id
    (run,) = reel.runs()
    assert request(reel, run.run_id) == chat(*messages)
    assert [len(value["messages"]) for value in stored(reel, run_id)] == [1] + [2] * 20


def test_after_a_restart_the_conversation_is_found(db_url):
    with runreel.open(db_url) as reel:
        runs, last = turns(reel, 2)
    messages = [*last["messages"], said("answer 1"), user("More")]
    with runreel.open(db_url) as reel:
        run_id = ask(reel, CHAT, {**last, "messages": messages}, script.chunks("ok", id_="3"))
        assert request(reel, run_id)["messages"] == messages
        assert len(stored(reel, run_id)[0]["messages"]) == 2
        assert reel.run(run_id).thread_id == runs[0]


def test_another_beginning_is_stored_in_full(reel):
    turns(reel, 2)
    other = chat(user("0 other"), said("answer 0"), user("1 " + "x" * 2000), tools=TOOLS)
    run_id = ask(reel, CHAT, other, script.chunks("ok", id_="o"))
    assert stored(reel, run_id) == [other]
    assert request(reel, run_id) == other


def test_numbers_that_only_compare_equal_are_not_the_same(reel):
    ask(reel, CHAT, chat({**user("Hi"), "n": 1}), script.chunks("ok"))
    other = chat({**user("Hi"), "n": True}, said("ok"), user("More"))
    run_id = ask(reel, CHAT, other, script.chunks("ok", id_="2"))
    assert stored(reel, run_id) == [other]


def test_the_same_request_again(reel):
    body = chat(user("x" * 500), user("Hi"))
    ask(reel, CHAT, body, script.chunks("ok"))
    again = ask(reel, CHAT, body, script.chunks("ok", id_="2"))
    assert request(reel, again) == body
    assert len(stored(reel, again)[0]["messages"]) == 1
    third = ask(reel, CHAT, body, script.chunks("ok", id_="3"))
    assert request(reel, third) == body


def erase(reel, run_ids, **what):
    return list(redact(reel.db, run_ids, reason="r", actor="a", **what))


def test_a_later_request_shows_what_was_redacted(reel):
    runs, last = turns(reel, 3, text="my pin is 4711")
    before = keys(reel)
    assert len(before) == 3
    erase(reel, [runs[0]], wanted=SearchPattern("4711"))
    found = request(reel, runs[-1])["messages"]
    assert found[0]["content"] == "0 my pin is ████"
    assert found[1:] == last["messages"][1:]
    # No key is that of the erased text any more.
    old = requests.row_key(CHAT, chat(user("0 my pin is 4711")))
    assert old in {key for key, _ in before}
    assert old not in {key for key, _ in keys(reel)}
    # The conversation goes on: what is sent again of the erased text is not stored.
    messages = [*last["messages"], said("answer 2"), user("More")]
    run_id = ask(reel, CHAT, {**last, "messages": messages}, script.chunks("ok", id_="4"))
    assert len(stored(reel, run_id)[0]["messages"]) == 2
    assert request(reel, run_id)["messages"][0]["content"] == "0 my pin is ████"


def test_a_redacted_row_is_named_in_later_requests(reel):
    runs, last = turns(reel, 3)
    erase(reel, [runs[1]], seqs=[1])
    first, *rest = request(reel, runs[-1])["messages"]
    assert first == {"type": REDACTED, "run_id": runs[1], "seq": 1, "items": 3}
    assert rest == last["messages"][3:]
    assert runs[1] not in {run_id for _, run_id in keys(reel)}


def test_a_pruned_run_is_named_in_later_requests(reel):
    runs, last = turns(reel, 2)
    before = datetime.now(UTC)
    body = chat(*last["messages"], said("answer 1"), user("?"))
    kept = ask(reel, CHAT, body, script.chunks("ok", id_="9"))
    assert {run.run_id for run in reel.prune(before)} == set(runs)
    first, *rest = request(reel, kept)["messages"]
    assert first == {"type": PRUNED, "run_id": runs[1], "seq": 1, "items": 3}
    assert rest == body["messages"][3:]
    assert {run_id for _, run_id in keys(reel)} == {kept}


def test_an_erased_request_still_separates_two_answers(reel):
    call = ("call_a", "f", "{}")
    run_id = ask(reel, CHAT, chat(user("Go")), chat_calls("one", call))
    body = chat(user("Go"), said(None, call), tool("call_a", "secret"))
    assert ask(reel, CHAT, body, script.chunks("Done", id_="two")) == run_id
    before = reel.run(run_id)
    seqs = [row.seq for row in reel.events(run_id) if row.kind in (CONTEXT, TOOL_RESULTS)]
    erase(reel, [run_id], seqs=seqs)
    after = reel.run(run_id)
    assert (after.status, after.usage, after.response_id) == (before.status, None, "two")
    assert reel.result(run_id).text == "Done"
    assert reel.request(run_id)["messages"] == [
        {"type": REDACTED, "run_id": run_id, "seq": seqs[1]}
    ]


def test_no_stored_row_has_a_plain_digest_of_its_text(reel):
    """Whoever has the log of a redacted run cannot check a guess of what was erased."""
    runs, _ = turns(reel, 2)
    with reel.db.reading() as connection:
        told = str(connection.all("SELECT payload FROM events WHERE kind = 'context'"))
        rows = dict(connection.all("SELECT run_id, digest FROM events WHERE seq = 1"))
    digests = set(re.findall(r"[0-9a-f]{32,64}", told)) - {run_id[4:] for run_id in runs}
    assert digests == {bytes(rows[runs[0]]).hex()}
