"""The programs on the page about Yandex Assistants run as they stand there."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.docs.snippets import agree, blocks
from tests.live.assistants_script import TOOL_ROUND, Done, Partial, Pause, Script
from tests.live.assistants_service import AssistantsService

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "record-yandex-assistants.md"
BLOCKS = blocks(PAGE.read_text(encoding="utf-8"))
PROGRAMS = {
    block.file: (block.text, after.text if after.language == "text" else "...")
    for block, after in pairwise(BLOCKS)
    if block.file
}
SUNNY = Script([Pause(0.2), Partial("It is"), Done("It is sunny.")])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[AssistantsService]:
    with AssistantsService(tls_in=tmp_path) as secure:
        yield secure


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_of_the_page(name: str, service: AssistantsService, tmp_path: Path) -> None:
    program, expected = PROGRAMS[name]
    (tmp_path / name).write_text(program, encoding="utf-8")
    service.scripts.append(Script(TOOL_ROUND) if name == "tools.py" else SUNNY)
    run_id = service.play(SUNNY)
    done = subprocess.run(
        [sys.executable, name, run_id],
        env=os.environ | service.environment,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert agree(expected, done.stdout), done.stdout
