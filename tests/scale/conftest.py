"""The tests here that ask for a log of each kind get one in partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import PARTITIONED, new_log

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=[PARTITIONED])
def backend(request: pytest.FixtureRequest) -> str:
    """The kind of database that no other test has."""
    return str(request.param)


@pytest.fixture(scope="module", params=[PARTITIONED])
def shared_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A log of that kind that the tests of a module share."""
    with new_log(request.param, tmp_path_factory.mktemp("shared"), request) as url:
        yield url
