"""What several clients get in a test: other endpoints, errors, broken connections."""

from __future__ import annotations

from typing import Any

import pytest

import runreel
from tests.live import messages_script, openai_script
from tests.live.sse_server import Answer

FILE = "calls.reel.jsonl"
ANTHROPIC = """
import anthropic

def ask(word):
    asked = [{"role": "user", "content": word}]
    with anthropic.Anthropic(max_retries=0) as client:
        with client.messages.stream(model="m", max_tokens=9, messages=asked) as stream:
            return stream.get_final_text()
"""
RESPONSES = """
def client():
    return openai.OpenAI(max_retries=0)

def ask(word):
    with client() as one:
        return list(one.responses.create(model="m", input=word, stream=True))
"""


@pytest.fixture
def calls(suite, monkeypatch):
    """Writes a recording of what a program does with these answers, and tests for it."""

    def write(program: str, called: str, answers: list[Answer], tests: str) -> Any:
        suite.write("")
        names: dict[str, Any] = {}
        exec((suite.path / "test_hat.py").read_text() + program, names)  # noqa: S102
        suite.server.say(*answers)
        with monkeypatch.context() as patch, runreel.open(suite.path / "log.db") as reel:
            for vendor, url in (
                ("OPENAI", suite.server.url),
                ("ANTHROPIC", suite.server.url.removesuffix("/v1")),
            ):
                patch.setenv(f"{vendor}_BASE_URL", url)
                patch.setenv(f"{vendor}_API_KEY", "k")
            with reel.watch():
                exec(called, names)  # noqa: S102
            reel.export(suite.path / FILE)
        suite.write(program + tests)
        return suite

    return write


def _answer(end: str | None = "completed", **more: Any) -> Answer:
    events = openai_script.events([openai_script.output_of(["Hello"])], end=end)
    return Answer(events=events, **more)


def test_responses_are_also_retrieved_by_their_ids(calls):
    suite = calls(
        RESPONSES,
        "ask('a')",
        [_answer()],
        """
@pytest.mark.runreel("calls.reel.jsonl")
def test_retrieved():
    response = ask("a")[-1].response
    assert response.output_text == "Hello"
    assert client().responses.retrieve(response.id).output_text == "Hello"
    assert [model.id for model in client().models.list()]

@pytest.mark.runreel("calls.reel.jsonl")
def test_unknown():
    ask("a")
    with pytest.raises(openai.NotFoundError):
        client().responses.retrieve("resp_none")
""",
    )
    done = suite.run()
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*no recording has response resp_none*"])


def test_a_connection_that_broke_breaks_again_and_a_refusal_is_repeated(calls):
    suite = calls(
        RESPONSES,
        """
for word in "ab":
    try:
        ask(word)
    except Exception:
        pass
""",
        [
            _answer(None, cut="chunk"),
            Answer(body={"error": {"message": "slowly", "code": "many"}}, status=429),
        ],
        """
@pytest.mark.runreel("calls.reel.jsonl")
def test_cut():
    got = []
    with pytest.raises(openai.APIConnectionError):
        for event in client().responses.create(model="m", input="a", stream=True):
            got.append(event)
    assert got

@pytest.mark.runreel("calls.reel.jsonl")
def test_refused():
    with pytest.raises(openai.RateLimitError, match="slowly"):
        ask("b")

@pytest.mark.runreel("calls.reel.jsonl")
def test_cut_asynchronous():
    async def read():
        async with openai.AsyncOpenAI(max_retries=0) as asked:
            async for event in await asked.responses.create(model="m", input="a", stream=True):
                pass

    with pytest.raises(openai.APIConnectionError):
        asyncio.run(read())
""",
    )
    suite.run().assert_outcomes(passed=3)


def test_the_client_of_anthropic_is_answered(calls):
    told = [messages_script.start(), *messages_script.text("Hel", "lo"), *messages_script.end()]
    suite = calls(
        ANTHROPIC,
        "ask('a')",
        [Answer(events=told)],
        """
@pytest.mark.runreel("calls.reel.jsonl")
def test_answered():
    assert ask("a") == "Hello"

@pytest.mark.runreel("calls.reel.jsonl")
def test_changed():
    with pytest.raises(anthropic.NotFoundError):
        ask("b")

@pytest.mark.runreel("calls.reel.jsonl")
def test_not_recorded():
    with pytest.raises(anthropic.NotFoundError):
        anthropic.Anthropic().messages.count_tokens(model="m", messages=[])
""",
    )
    done = suite.run()
    done.assert_outcomes(passed=1, failed=2)
    done.stdout.fnmatch_lines(["*nothing is recorded of POST /v1/messages/count_tokens"])
    done.stdout.fnmatch_lines(["*- “a”", "*+ “b”"])


def test_respx_answers_the_rest(calls):
    suite = calls(
        RESPONSES,
        "ask('a')",
        [_answer()],
        """
import httpx
import respx

@pytest.mark.runreel("calls.reel.jsonl")
@respx.mock
def test_mocked():
    respx.get("http://weather.example/").respond(text="sun")
    assert httpx.get("http://weather.example/").text == "sun"
    assert ask("a")[-1].response.output_text == "Hello"
""",
    )
    suite.run().assert_outcomes(passed=1)
