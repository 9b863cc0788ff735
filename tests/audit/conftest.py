"""Keys, and a log to forge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runreel.audit import signing
from tests.cli import stories

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel
    from runreel.audit.signing import SigningKey


@pytest.fixture
def key(tmp_path: Path) -> SigningKey:
    """A key that signs."""
    signing.generate(tmp_path / "audit.key")
    return signing.load(tmp_path / "audit.key")


@pytest.fixture
def other_key(tmp_path: Path) -> SigningKey:
    """A key of somebody else."""
    signing.generate(tmp_path / "other.key")
    return signing.load(tmp_path / "other.key")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A directory for checkpoints."""
    place = tmp_path / "checkpoints"
    place.mkdir()
    return place


@pytest.fixture
def told(reel: Reel) -> Reel:
    """A log with a run of every kind."""
    stories.tell_all(reel)
    return reel
