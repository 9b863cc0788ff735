"""A pool of connections to a migrated log, on each database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runreel.store.database_url import parse_url
from runreel.store.drivers.factory import create_driver
from runreel.store.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pool(db_url: str) -> Iterator[Pool]:
    """A pool of the log, which is closed afterwards."""
    made = Pool(create_driver(parse_url(db_url), durability="full"))
    yield made
    made.dispose()


@pytest.fixture
def other_pool(db_url: str) -> Iterator[Pool]:
    """A pool as another process has it."""
    made = Pool(create_driver(parse_url(db_url), durability="full"))
    yield made
    made.dispose()
