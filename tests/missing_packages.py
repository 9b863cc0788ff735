"""Tests of a package that is not installed, in a process that has imported it."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def hide(monkeypatch: pytest.MonkeyPatch, package: str, *ours: str) -> None:
    """Let ``package`` be missing, for the modules below ``ours``, which are imported again."""
    # Packages have their modules as attributes: those come back for the tests that follow.
    for name in ours:
        parent, _, child = name.rpartition(".")
        monkeypatch.setattr(importlib.import_module(parent), child, importlib.import_module(name))
    for name in [name for name in sys.modules if name.startswith(ours)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
