"""Environments with one framework each, and runreel as it is in this checkout.

They are kept in pytest's cache from one run of the tests to the next, or in the directory that
RUNREEL_TEST_ENVS names. Workers of one run share them.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEPENDENCIES = ("sqlalchemy>=2.1", "alembic", "click", "msgspec", "platformdirs", "rich", "tzdata")

_NAME = re.compile(r"[\w-]+").match


def interpreter(config: pytest.Config, *packages: str) -> Path:
    """The interpreter of an environment with these packages, made unless it is there.

    Without packages it is the one that runs the tests.
    """
    if not packages:
        return Path(sys.executable)
    named = os.environ.get("RUNREEL_TEST_ENVS")
    if named:
        folder = Path(named).absolute()
    elif cache := getattr(config, "cache", None):
        folder = cache.mkdir("frameworks")
    else:
        folder = Path(tempfile.gettempdir()) / "runreel-frameworks"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = "\n".join([sys.version, *sorted(packages), *DEPENDENCIES])
    digest = hashlib.sha256(wanted.encode()).hexdigest()[:8]
    place = folder / f"{_NAME(packages[0])[0]}-{digest}"
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "complete").exists():
            _make(place, packages)
        (library,) = (place / "lib").glob("python*/site-packages")
        (library / "runreel_checkout.pth").write_text(f"{ROOT / 'src'}\n")
    return place / "bin" / "python"


def _make(place: Path, packages: tuple[str, ...]) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", place], check=True)
    pip = [sys.executable, "-m", "pip", "--python", place / "bin" / "python"]
    # Only the modules that a program imports are worth compiling.
    install = [*pip, "install", "-q", "--disable-pip-version-check", "--no-compile"]
    done = subprocess.run([*install, *packages, *DEPENDENCIES], check=False)
    if done.returncode and not os.environ.get("CI"):
        pytest.skip(f"{', '.join(packages)} cannot be installed here")
    assert done.returncode == 0
    (place / "complete").touch()
