"""The program on the page about completions of the Yandex SDK runs as it stands there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.snippets import agree, blocks
from tests.live.completions_service import ANSWER, TOOL_CALLS, CompletionsService, told

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "record-yandex-completions.md"


def test_the_program_of_the_page(tmp_path: Path) -> None:
    _, program, expected = blocks(PAGE.read_text(encoding="utf-8"))
    (tmp_path / program.file).write_text(program.text, encoding="utf-8")
    with CompletionsService(tls_in=tmp_path) as service:
        service.answers += [[told(None, TOOL_CALLS, city="Berlin")], ANSWER]
        done = subprocess.run(
            [sys.executable, program.file],
            env=os.environ | service.environment,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert agree(expected.text, done.stdout), done.stdout
