"""The command line, as in ``tests/cli``."""

from __future__ import annotations

from tests.cli.conftest import (  # noqa: F401 - fixtures
    _own_home,
    call,
    call_sqlite,
    every_kind,
    told,
    told_sqlite,
)
