"""A command line on the log that a test records into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.calls import Caller, clean_environment

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def call(
    db_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Caller:
    """``call("show", "latest")`` on the log of ``reel``, with nothing of the user's."""
    for name, value in clean_environment(tmp_path).items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return Caller(db_url, capfd)
