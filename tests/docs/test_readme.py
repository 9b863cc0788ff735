"""The two commands of the README do what it says on a machine with nothing but Python."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.docs.checkout import CHECKOUT, copy, run

if TYPE_CHECKING:
    from pathlib import Path

README = (CHECKOUT / "README.md").read_text("utf-8")
COMMANDS = [line for line in README.splitlines() if line.startswith("python3 -m venv ")]


def test_there_are_two_commands_of_one_line_each() -> None:
    demo, tests = COMMANDS
    assert demo.endswith("runreel demo")
    assert "pytest" in tests
    assert not any(line.endswith("\\") for line in COMMANDS)


@pytest.mark.slow
def test_the_first_command_sets_up_and_runs_the_demo(tmp_path: Path) -> None:
    clone = copy(tmp_path / "clone")
    printed = run(["bash", "-euo", "pipefail", "-c", COMMANDS[0]], cwd=clone, home=tmp_path)
    for command in ("show", "replay", "usage"):
        assert re.search(rf"\$ runreel --db \S+ {command}", printed)
    assert "Status      completed" in printed
    assert (tmp_path / "data/runreel/demo.db").is_file()


def test_ci_runs_the_second_command_as_it_stands_in_the_readme() -> None:
    script = (CHECKOUT / ".ci/run").read_text("utf-8")
    found = re.search(r"^readme_command\(\) \{\n    (.+)\n\}$", script, re.MULTILINE)
    assert found is not None
    done = subprocess.run(
        ["bash", "-c", found[1]], cwd=CHECKOUT, capture_output=True, check=True, encoding="utf-8"
    )
    assert done.stdout.splitlines() == [COMMANDS[1]]
    assert 'step bash -euo pipefail -c "$(readme_command)"' in script


def test_every_file_that_the_readme_names_is_there() -> None:
    named = re.findall(r"\]\(([^):#]+)\)", README)
    assert len(named) > 10
    assert [name for name in named if not (CHECKOUT / name).is_file()] == []


def test_the_readme_says_plainly_which_service_is_gone() -> None:
    assert "switched off in January 2026" in README
    assert "0.19.0 to 0.22.0" in README
