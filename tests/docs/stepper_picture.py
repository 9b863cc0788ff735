"""The picture of the interactive replay: the failed run of the how-to page, at its tool call."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click

import runreel
from runreel.cli import time_arguments
from runreel.cli.interactive.app import StepperApp
from runreel.cli.main import main
from runreel.replay import run_index
from runreel.replay.stepper import Stepper
from tests.docs.checkout import CHECKOUT
from tests.docs.pictures import FONT_FACE
from tests.docs.snippets import blocks

PAGE = CHECKOUT / "docs/how-to/debug-a-failed-run.md"
_SIZE = (88, 18)
# To the tool call, by the first text.
_KEYS = ("right_square_bracket", "right_square_bracket")


def render() -> str:
    """The picture, as SVG."""
    (lines,) = [block for block in blocks(PAGE.read_text("utf-8")) if block.file == "today.jsonl"]
    with tempfile.TemporaryDirectory() as folder:
        log, file = Path(folder) / "log.db", Path(folder) / lines.file
        file.write_text(lines.text, encoding="utf-8")
        words = ("--db", str(log), "record", "--run", "today", "--input", str(file))
        assert main(words) == 0
        with runreel.open(log) as reel, click.Context(click.Command("replay")):
            time_arguments.set_zone("UTC")
            stepper = Stepper(run_index.read(reel.db, "today"))
            return FONT_FACE.sub("", asyncio.run(_drawn(StepperApp(reel, stepper, playing=False))))


async def _drawn(app: StepperApp) -> str:
    async with app.run_test(size=_SIZE) as pilot:
        await pilot.press(*_KEYS)
        await pilot.pause()
        return app.export_screenshot(title="runreel replay today -i", simplify=True)
