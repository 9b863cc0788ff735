"""What the log has of the requests of the anthropic client, and what it must not have."""

from __future__ import annotations

import runreel
from runreel.model.events import CONTEXT
from tests.live import messages_script as script
from tests.live.sse_server import Answer

ASKED = script.ASKED


def created(client):
    """Read a stream to its end."""
    for _ in client.messages.create(**ASKED, stream=True):
        pass


def test_a_request_is_in_the_log_before_it_is_sent(watch, messages, server, db_url):
    told = []

    def answer(_asked):
        with runreel.open(db_url) as other:
            (run,) = other.runs()
            told.append(other.request(run.run_id))
        return Answer(events=script.STREAMS["text"])

    server.say(answer)
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    tools = [{"name": "weather", "input_schema": {"type": "object"}}]
    more = {"system": system, "tools": tools, "metadata": {"user_id": "u-1"}}
    list(messages.messages.create(**ASKED, **more, stream=True))
    assert told == [{**ASKED, **more, "stream": True}]
    (run,) = watch.reel.runs()
    assert (run.created_by, run.model) == ("u-1", script.MODEL)
    assert "sk-secret" not in str([row.raw for row in watch.reel.events(run.run_id)])


def test_requests_are_left_out_if_the_program_says_so(reel, messages, server):
    with reel.watch(requests=False):
        server.stream(script.STREAMS["text"])
        created(messages)
    (run,) = reel.runs()
    assert list(reel.events(run.run_id, type=CONTEXT)) == []


def test_credentials_and_images_are_not_stored(watch, messages, server):
    server.stream(script.STREAMS["text"])
    image = {"type": "base64", "media_type": "image/png", "data": "QUJD" * 400}
    content = [{"type": "image", "source": image}, {"type": "text", "text": "What is it?"}]
    servers = [{"type": "url", "url": "https://m.example", "name": "m", "authorization_token": "t"}]
    asked = {**ASKED, "messages": [{"role": "user", "content": content}], "mcp_servers": servers}
    list(messages.beta.messages.create(**asked, stream=True))
    (run,) = watch.reel.runs()
    request = watch.reel.request(run.run_id)
    assert request["mcp_servers"] == [{"type": "url", "url": "https://m.example", "name": "m"}]
    assert request["messages"][0]["content"][0]["source"]["data"].startswith("<1200 bytes, sha256")
