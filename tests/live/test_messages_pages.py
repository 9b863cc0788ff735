"""The programs of the pages on the clients of Anthropic and Google print what the pages say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.checkout import CHECKOUT
from tests.docs.snippets import agree, blocks
from tests.live import gemini_script as gemini
from tests.live import messages_script as script
from tests.live.sse_server import Answer

MODEL = {"model": "claude-opus-4-5"}
PAGES = {"gemini.py": "record-gemini.md"}
CACHED = {"input_tokens": 20, "output_tokens": 1, **script.CACHED}
ANSWERS = {
    "weather.py": [
        Answer(
            events=[
                script.start(**MODEL),
                *script.thinking("I need ", "the weather."),
                *script.call('{"city": ', '"Berlin"}', index=1),
                *script.end("tool_use"),
            ]
        ),
        Answer(
            events=[
                script.start(id="msg_2", usage=CACHED, **MODEL),
                *script.text("It is sunny ", "in Berlin."),
                *script.end(),
            ]
        ),
    ],
    "answer.py": [
        Answer(events=[script.start(**MODEL), *script.text("Paris, ", "of course."), *script.end()])
    ],
    "gemini.py": [
        Answer(events=[gemini.chunk(gemini.call(city="Berlin"), reason="STOP", **gemini.END)]),
        Answer(
            events=[
                gemini.chunk(gemini.text("It is sunny "), id_="resp-2"),
                gemini.chunk(gemini.text("in Berlin."), reason="STOP", id_="resp-2", **gemini.END),
            ]
        ),
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
            "ANTHROPIC_BASE_URL": server.url.removesuffix("/v1"),
            "ANTHROPIC_API_KEY": "k",
            "GOOGLE_GEMINI_BASE_URL": server.url.removesuffix("/v1"),
            "GEMINI_API_KEY": "k",
            # The client warns of models that are about to end.
            "PYTHONWARNINGS": "ignore",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("name", ANSWERS)
def test_a_program_of_the_page_prints_what_it_says(server, tmp_path, name):
    page = PAGES.get(name, "record-anthropic.md")
    found = blocks((CHECKOUT / "docs" / "how-to" / page).read_text("utf-8"))
    place = next(place for place, block in enumerate(found) if block.file == name)
    (tmp_path / name).write_text(found[place].text, "utf-8")
    commands = found[place + 1]
    server.say(*ANSWERS[name])
    if commands.language == "sh":
        printed = run(["bash", "-euc", commands.text], tmp_path, server)
        expected = found[place + 2]
    else:
        printed, expected = run([sys.executable, name], tmp_path, server), commands
    assert agree(expected.text, printed), printed
