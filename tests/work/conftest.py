"""Whatever a test of the work did, the log that it leaves is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import logs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def db_url(db_url: str) -> Iterator[str]:
    """A log with nothing in it yet, whose chains are verified when the test is over."""
    yield db_url
    logs.verify_database(db_url)


@pytest.fixture(scope="module")
def shared_url(shared_url: str) -> Iterator[str]:
    """A log that the tests of a module share, whose chains are verified behind them."""
    yield shared_url
    logs.verify_database(shared_url)


@pytest.fixture(scope="module")
def second_url(second_url: str) -> Iterator[str]:
    """Another such log, whose chains are verified too."""
    yield second_url
    logs.verify_database(second_url)
