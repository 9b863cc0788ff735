"""The programs of the pages on OpenAI's interfaces run, and print what the pages say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import runreel
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


def run(command, folder, server):
    """What a program prints that uses the server."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            **os.environ,
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "TZ": "UTC",
            "OPENAI_BASE_URL": server.url,
            "OPENAI_API_KEY": "k",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


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
        printed = run([sys.executable, "-c", program.text], tmp_path, server)
        assert agree(expected, printed), printed


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_the_first_program_of_a_newcomer_is_recorded(server, tmp_path, page):
    section = (CHECKOUT / page).read_text("utf-8").split("\n## Record your program\n")[1]
    program, commands, expected, watch = blocks(section.split("\n## ")[0])
    (tmp_path / program.file).write_text(program.text, "utf-8")
    server.say(Answer(body=ENDED))
    printed = run(["bash", "-euc", commands.text], tmp_path, server)
    assert agree(expected.text, printed), printed
    # The way of a program that is not changed.
    plain, lines = re.subn(r"import runreel\n\nrunreel.watch\(\"(.*)\"\)\n", "", program.text)
    assert lines == 1
    assert "runreel" not in plain
    (tmp_path / program.file).write_text(plain, "utf-8")
    again = script.response(id_="resp_2", output=SENTENCE, usage=script.usage(100, 14), **MODEL)
    server.say(Answer(body=again))
    printed = run(["bash", "-euc", watch.text], tmp_path, server)
    assert agree("Paris, of course.", printed), printed
    (log,) = tmp_path.glob("*.db")
    with runreel.open(log) as reel:
        assert [reel.result(run.run_id).text for run in reel.runs()] == ["Paris, of course."] * 2
