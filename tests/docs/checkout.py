"""The files of this checkout, and commands run on a copy of them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CHECKOUT = Path(__file__).parents[2]
# Variables that a newcomer's shell does not set.
_OURS = ("RUNREEL_DB", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "FORCE_COLOR", "NO_COLOR")


def files() -> list[str]:
    """What a commit of everything would hold, as paths from the top."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    return [name for name in listed.stdout.split("\0") if name and (CHECKOUT / name).is_file()]


def copy(folder: Path) -> Path:
    """A clone as it would be after that commit."""
    for name in files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, target)
    return folder


def run(command: Sequence[str | Path], *, cwd: Path, home: Path, **variables: str) -> str:
    """What a command prints that a newcomer with this home directory runs; it has to succeed."""
    environment = {name: value for name, value in os.environ.items() if name not in _OURS}
    environment |= {
        "HOME": str(home),
        "XDG_DATA_HOME": str(home / "data"),
        "TZ": "UTC",
        **variables,
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
