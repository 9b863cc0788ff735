"""Runs of every source to export: agents, failures, interruptions, what was erased, and harm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.calls.hook import CHAT, RESPONSES, ask, chat, chat_calls, fail, said, tool, user
from tests.cli import hostile, stories
from tests.live import openai_script as script
from tests.service_traffic import RECORDINGS

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel

WEATHER = ("call_a", "weather", '{"city": "Paris"}')
# What could end a block, open one, or load something.
MARKUP = (
    "</pre></li></details><script>alert(1)</script><img src=http://evil.example onerror=x()>",
    "<!-- <b id=x style='color:red'> ]]> &lt;script&gt; \" onload=\"alert(1)",
    "```\n# out\n![x](http://evil.example/x.png) [y](http://evil.example) <img src=x>\n````\n~~~",
    "a ` b `` c ```` d\\| ![x](http://evil.example) | <http://evil.example> | www.evil.example",
    "`\\`|`` ![x](http://evil.example)",
    " ` ",
    "\n\n\n# head\n\n- item\n\n[ref]: http://evil.example\n",
    "",
)


def tell_agent(reel: Reel, run_id: str = "agent", **labels: str) -> str:
    """A chat model called twice, with a tool between, with times and usage; its run."""
    scope = {"scope": {"run_id": run_id, "labels": labels}}
    first = chat_calls("one", WEATHER, used=script.chat_usage(10, 3))
    ask(reel, CHAT, chat(user("Weather?"), temperature=1, max_tokens=50), first, **scope)
    second = chat(user("Weather?"), said(None, WEATHER), tool("call_a", "sunny"))
    chunks = script.chunks("Sunny", id_="two", used=script.chat_usage(20, 5))
    ask(reel, CHAT, second, chunks, **scope)
    return run_id


def tell_many(reel: Reel, tmp_path: Path) -> None:
    """Runs of all sources: complete, failed, interrupted, open, erased and pruned."""
    stories.tell_done(reel, "gone")
    assert list(reel.prune("2999-01-01"))
    stories.tell_all(reel)
    tell_agent(reel)
    ask(reel, RESPONSES, {"model": "m", "input": "?"}, script.events([script.output_of(["Yes"])]))
    fail(reel, CHAT, chat(user("?")), error="no route", status=503)
    with reel.recording("interrupted", model="m") as recording:
        recording.append(stories.partial("I was"))
        recording.interrupt("killed")
    stories.tell_done(reel, "erased")
    assert list(reel.redact(["erased"], seqs=[2, 5], reason="asked", actor="me"))
    lines = [line for told in RECORDINGS.values() for line in told]
    file = tmp_path / "traffic.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    reel.import_file(file)


def tell_harm(reel: Reel) -> list[str]:
    """Hostile text in everything that a model or a caller can write; the texts."""
    texts = hostile.inputs(60) + [f"<{9000 + n:05}>{text}" for n, text in enumerate(MARKUP)] * 4
    hostile.tell(reel, texts)
    stories.tell_harm(reel)
    for text in MARKUP:
        body = chat(user(text), said(text), user(text))
        ask(reel, CHAT, body, script.chunks(text or "x"), scope={"labels": {"text": text or "x"}})
    return texts
