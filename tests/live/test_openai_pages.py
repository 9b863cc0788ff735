"""The programs of the pages on OpenAI's interfaces run, and print what the pages say."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.docs.checkout import CHECKOUT
from tests.docs.snippets import agree, blocks
from tests.live import openai_script as script
from tests.live.sse_server import Answer

MODEL = {"model": "gpt-5-mini"}
SENTENCE = [script.output_of(["Paris, ", "of course."])]
CALLS = [script.call("weather", {"city": "Paris"})]
CAPITALS = {"France": "Paris", "Spain": "Madrid", "Italy": "Rome"}


def told(asked):
    (capital,) = (city for land, city in CAPITALS.items() if land in asked.body["input"])
    return Answer(events=script.events([script.output_of([capital])], id_=f"resp_{capital}"))


ENDED = script.response(output=SENTENCE, usage=script.usage(100, 14), **MODEL)
ANSWERS = {
    "watched.py": [Answer(body=ENDED)],
    "answer.py": [Answer(events=script.events(SENTENCE, **MODEL))],
    "tools.py": [
        Answer(events=script.events(CALLS, **MODEL)),
        Answer(
            events=script.events(
                [script.output_of(["21 degrees and sunny."])],
                id_="resp_2",
                usage=script.usage(150, 20),
            )
        ),
    ],
    "many.py": [told, told, told],
    "chat.py": [
        Answer(events=script.chunks("Paris, of course.", used=script.chat_usage(9, 12)), done=True)
    ],
    "chat_tools.py": [
        Answer(events=script.chunks(calls=[("weather", '{"city": "Paris"}')]), done=True)
    ],
}


@pytest.mark.parametrize(
    "page", ["record-openai.md", "record-chat-completions.md", "record-programs.md"]
)
def test_the_programs_of_a_page_print_what_it_says(server, tmp_path, page):
    found = blocks((CHECKOUT / "docs" / "how-to" / page).read_text("utf-8"))
    programs = [(block, found[place + 1].text) for place, block in enumerate(found) if block.file]
    assert programs
    for program, expected in programs:
        server.say(*ANSWERS[program.file])
        (tmp_path / "log.db").unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", program.text],
            cwd=tmp_path,
            env={**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "k"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stdout
        assert agree(expected, done.stdout), done.stdout
