"""``runreel show --content``: the story for people and as JSON."""

from __future__ import annotations

from rich.cells import cell_len

from tests.calls.hook import CHAT, ask, chat, chat_calls, fail, said, tool, user
from tests.cli import stories
from tests.cli.calls import on_terminal
from tests.cli.shapes import validate
from tests.live import openai_script as script

WEATHER = ("call_a", "weather", '{"city": "Paris"}')


def record(reel, answer="Sunny"):
    run = ask(reel, CHAT, chat(user("Weather?")), chat_calls("one", WEATHER))
    body = chat(user("Weather?"), said(None, WEATHER), tool("call_a", "sunny"))
    return ask(reel, CHAT, body, script.chunks(answer, id_="two")) and run


def untimed(text):
    """The lines from the story on, without times."""
    lines = text.split("\n\n", 1)[1].splitlines()
    return [line.split("  +")[0].split(" after ")[0] for line in lines if line]


def test_people_read_the_story(reel, call):
    run = record(reel)
    assert untimed(call.good("show", run, "--content").out) == [
        *("Request", "  user: Weather?"),
        *("Tool call", '  weather(city="Paris")', "  result", "  sunny"),
        *("Request", "  2 new items: assistant, tool"),
        *("Text", "  Sunny"),
    ]
    assert "Weather?" not in call.good("show", run).out


def test_json_has_the_steps(reel, call):
    run = record(reel)
    shown = call.good("show", run, "--content", "--json").json
    validate(shown, "show")
    assert [step["step"] for step in shown["story"]] == ["request", "tool_call", "request", "text"]
    tool_call = shown["story"][1]
    assert list(tool_call)[:4] == ["step", "seq", "at", "delta_ms"]
    assert (tool_call["result"], tool_call["arguments"]) == ("sunny", {"city": "Paris"})
    assert shown["story"][2]["items"][1] == tool("call_a", "sunny")


def test_a_run_of_every_kind_has_a_story_as_its_schema_says(reel, call):
    stories.tell_all(reel)
    stories.tell_harm(reel)
    fail(reel, CHAT, chat(user("Hi")), error="refused")
    for run in reel.runs():
        shown = call.good("show", run.run_id, "--content", "--json").json
        validate(shown, "show")
        assert shown["story"]


def test_a_narrow_terminal_wraps_and_shows_everything(tmp_path):
    import runreel

    words = "Погода сегодня ясная, 世界世界世界 and quite a lot more of it than fits. " * 3
    log = str(tmp_path / "log.db")
    with runreel.open(log) as reel:
        run = record(reel, words)
    ((code, shown),) = on_terminal(
        ("--color", "never", "--db", log, "show", run, "--content"), columns=60
    )
    assert code == 0
    story = shown.split("\n\n", 1)[1]
    assert max(map(cell_len, story.splitlines())) <= 60
    text = story[story.index("Text  +") :].split("\n", 1)[1]
    assert " ".join(text.split()) == " ".join(words.split())
