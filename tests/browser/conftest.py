"""Real pages in a real browser: a server per module, a browser per process."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

import pytest

import runreel
from tests.browser import chromium as browsers
from tests.browser.pictures import clean
from tests.browser.visits import Visits
from tests.cli import stories
from tests.web.conftest import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.web.access import Access
    from tests.browser.chromium import Chromium


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the tests that use the browser in its thread."""
    given = pyfuncitem.funcargs
    if "visit" not in given:
        return None
    names = pyfuncitem._fixtureinfo.argnames
    chromium: Chromium = pyfuncitem._request.getfixturevalue("chromium")
    chromium.call(partial(pyfuncitem.obj, **{name: given[name] for name in names}))
    return True


@pytest.fixture(scope="module", autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with clean(tmp_path_factory.mktemp("home")):
        yield


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    """The browser of this process."""
    path = browsers.find()
    if path is None:
        if os.environ.get(browsers.REQUIRED):
            pytest.fail(browsers.ADVICE)
        pytest.skip(browsers.ADVICE)
    started = browsers.Chromium(path)
    yield started
    started.close()


@pytest.fixture
def visit(chromium: Chromium) -> Iterator[Visits]:
    """Opens pages. At the end, none may have had an error or asked for anything elsewhere.

    Only tests may use it: fixtures do not run in the browser's thread.
    """
    visits = chromium.call(lambda: Visits(chromium.browser))
    yield visits
    chromium.call(visits.close)
    assert visits.wrong() == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Access]:
    """The pages of a log with a run of every kind, which no test changes."""
    with runreel.open(tmp_path_factory.mktemp("site") / "log.db") as reel:
        stories.tell_all(reel)
        with serving(reel) as access:
            yield access
