"""Long answers: stored once, read exactly, in bytes that grow with the answer alone."""

from __future__ import annotations

import random

import pytest

from runreel.model.errors import MissingExtra
from runreel.model.events import STREAM_EVENT
from tests import logs
from tests.live import openai_script as script
from tests.live.told import kept
from tests.strategies import exact

LETTERS = "абвгдежзийклмнопрстуфхцчшщъыьэюя    .,\n"
ASKED = {"model": script.MODEL, "input": "Hello?"}


def answer(pieces, size=5):
    chance = random.Random(7)  # noqa: S311 - the same text each time
    return "".join(chance.choice(LETTERS) for _ in range(pieces * size))


@pytest.mark.parametrize("chat", [False, True])
def test_an_answer_of_640_pieces_is_stored_once(server, client, record, reel, chat):
    text = answer(640)
    if chat:
        told = script.chunks(text, chunk=5)
        server.stream(told, done=True)
        messages = [{"role": "user", "content": "Hello?"}]
        list(record(client.chat.completions.create(model="m", messages=messages, stream=True)))
    else:
        told = script.events([script.output_of([text], id_="msg_" + "0" * 46)], chunk=5)
        server.stream(told)
        list(record(client.responses.create(**ASKED, stream=True)))
    (run,) = reel.runs()
    assert exact(kept(reel, run.run_id)) == exact(told)
    assert reel.result(run.run_id).text == text
    rows = [row for row in logs.rows(reel) if row.kind == STREAM_EVENT]
    pieces = [row for row in rows if row.added]
    assert [row.keep for row in pieces] == [5 * n for n in range(640)]
    assert sum(row.added for row in rows if row.added) == len(text)
    # Beside the text of a piece: which item it is of, its number, the padding that servers add.
    assert sum(len(row.payload.encode()) for row in pieces) < 640 * (190 if chat else 130)
    assert sum(len(row.payload) for row in rows if not row.added) < 6_000


def test_a_stream_of_2000_pieces_is_exact(server, client, record, reel):
    text = answer(2000)
    told = script.events([script.output_of([text])], chunk=5)
    server.stream(told)
    seen = list(record(client.responses.create(**ASKED, stream=True)))
    assert len(seen) == len(told)
    assert exact(kept(reel)) == exact(told)
    partial = [row.text for row in reel.events("resp_1", type="PARTIAL_MESSAGE")]
    assert partial == [text[: 5 * n] for n in range(1, 2001)]
    assert reel.result("resp_1").text == text


def test_a_client_that_shows_no_wire_is_named_with_the_extra(server, client, record, monkeypatch):
    import openai

    server.stream(script.events([]))
    stream = client.responses.create(**ASKED, stream=True)
    monkeypatch.delattr(openai.Stream, "_iter_events")
    with pytest.raises(MissingExtra, match=f"openai {openai.__version__}") as raised:
        record(stream)
    assert "runreel[openai]" in raised.value.hint
    assert "1.66" in raised.value.hint
    stream.close()
